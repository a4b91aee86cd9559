"""Hypothesis strategies for testing tensor operations: shapes, arrays in every layout, indices, geometries.

Everything drawn is valid by construction (sizes are solved for, not filtered), and shrinks towards small shapes, plain
layouts and simple numbers.
"""

try:
    import hypothesis as _hypothesis
except ImportError as error:  # pragma: no cover
    raise ImportError("tinynet.testing.strategies needs Hypothesis: pip install 'tinynet-engine[test]'") from error

from tinynet.testing.strategies.arrays import (
    KINDS,
    LAYOUTS,
    VALUES,
    arrays,
    dtypes,
    float_dtypes,
    labels,
    laid_out,
    layouts,
    masks,
)
from tinynet.testing.strategies.attention import MASKS, attention_masks, attention_shapes
from tinynet.testing.strategies.geometry import (
    ConvGeometry,
    ConvTransposeGeometry,
    PoolGeometry,
    conv_geometries,
    conv_transpose_geometries,
    pool_geometries,
)
from tinynet.testing.strategies.indices import advanced_indices, axes, basic_indices, dims, index_arrays
from tinynet.testing.strategies.shapes import broadcastable_shapes, matmul_shapes, shapes

__all__ = [
    "KINDS",
    "LAYOUTS",
    "MASKS",
    "VALUES",
    "ConvGeometry",
    "ConvTransposeGeometry",
    "PoolGeometry",
    "advanced_indices",
    "arrays",
    "attention_masks",
    "attention_shapes",
    "axes",
    "basic_indices",
    "broadcastable_shapes",
    "conv_geometries",
    "conv_transpose_geometries",
    "dims",
    "dtypes",
    "float_dtypes",
    "index_arrays",
    "labels",
    "laid_out",
    "layouts",
    "masks",
    "matmul_shapes",
    "pool_geometries",
    "shapes",
]
