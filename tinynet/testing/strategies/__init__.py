"""Hypothesis strategies for testing tensor operations: shapes, arrays in every layout, indices, geometries.

Everything drawn is valid by construction (sizes are solved for, not filtered), and shrinks towards small shapes, plain
layouts and simple numbers.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:  # pragma: no cover
    raise ImportError("tinynet.testing.strategies needs Hypothesis: pip install 'tinynet-engine[test]'") from error

from tinynet.testing.strategies.arrays import (
    LAYOUTS,
    VALUES,
    arrays,
    float_dtypes,
    labels,
    laid_out,
    layouts,
    masks,
)
from tinynet.testing.strategies.geometry import (
    ConvGeometry,
    PoolGeometry,
    conv_geometries,
    pool_geometries,
)
from tinynet.testing.strategies.indices import advanced_indices, axes, basic_indices, dims
from tinynet.testing.strategies.shapes import broadcastable_shapes, matmul_shapes, shapes

__all__ = [
    "LAYOUTS",
    "VALUES",
    "ConvGeometry",
    "PoolGeometry",
    "advanced_indices",
    "arrays",
    "axes",
    "basic_indices",
    "broadcastable_shapes",
    "conv_geometries",
    "dims",
    "float_dtypes",
    "labels",
    "laid_out",
    "layouts",
    "masks",
    "matmul_shapes",
    "pool_geometries",
    "shapes",
]
