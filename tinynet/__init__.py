"""tinynet: a deep-learning engine from scratch, with PyTorch's names and semantics.

Names load on first use (PEP 562): `import tinynet` is quick, and `import tinynet.testing` loads no engine.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

__version__ = "0.1.0"
pi, e, inf, nan = math.pi, math.e, math.inf, math.nan

# where each public name lives: module -> names
TABLE: dict[str, str] = {
    "_tensor": "Size Tensor is_tensor",
    "dtypes": """bfloat16 dtype finfo float16 float32 float64 get_default_dtype iinfo int16 int32 int64 int8 promote_types
        set_default_dtype uint8""",
    "_device": "device",
    "random": "Generator default_generator get_rng_state initial_seed manual_seed seed set_rng_state",
    "strict": "is_strict set_strict",
    "autograd.modes": """enable_grad inference_mode is_grad_enabled is_inference_mode_enabled no_grad set_grad_enabled
        use_definitions""",
    "threads": "get_num_threads set_num_threads",
    "memory": "memory_stats set_memory_limit release_memory",
    "serialization": "load save",
    "ops.creation": """arange as_tensor asarray bernoulli empty empty_like eye from_dlpack from_numpy full full_like
        linspace ones ones_like rand rand_like randint randn randn_like randperm tensor zeros zeros_like""",
    "ops.elementwise": """abs absolute add allclose bitwise_and bitwise_not bitwise_or bitwise_xor ceil clamp clip cos div
        divide eq equal erf exp expm1 floor floor_divide ge greater greater_equal gt isclose isfinite isinf isnan le less
        less_equal log log10 log1p log2 logical_and logical_not logical_or logical_xor lt maximum minimum mul multiply
        ne neg negative not_equal pow reciprocal remainder round rsqrt sign sin sqrt square sub subtract tan true_divide
        trunc where""",
    "ops.reduction": "all amax amin any argmax argmin cumsum logsumexp max mean min norm std sum topk var",
    "ops.shape": """broadcast_to cat chunk clone concat concatenate flatten flip movedim narrow permute reshape split
        squeeze stack t transpose tril triu unbind unflatten unsqueeze""",
    "ops.indexing": "gather index_select masked_fill masked_select nonzero take_along_dim",
    "ops.linalg": "bmm dot einsum matmul mm mv outer",
    "ops.activation": "log_softmax relu sigmoid softmax tanh",
    "ops.dropout": "dropout",
    "ops.recurrent": "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
}
ALIASES = {
    "bool": ("dtypes", "bool_"),
    "half": ("dtypes", "float16"),
    "float": ("dtypes", "float32"),
    "double": ("dtypes", "float64"),
    "short": ("dtypes", "int16"),
    "int": ("dtypes", "int32"),
    "long": ("dtypes", "int64"),
}
MODULES = (
    "autograd",
    "cuda",
    "data",
    "errors",
    "models",
    "nn",
    "ops",
    "optim",
    "testing",
    "training",
    "utils",
)

_HOME: dict[str, tuple[str, str]] = {
    **{name: (module, name) for module, names in TABLE.items() for name in names.split()},
    **ALIASES,
}


def __getattr__(name: str) -> Any:
    if name in MODULES:
        value: Any = importlib.import_module(f"tinynet.{name}")
    elif name in _HOME:
        importlib.import_module("tinynet.methods")  # Tensor has its methods before anyone can hold one
        home, attribute = _HOME[name]
        value = getattr(importlib.import_module(f"tinynet.{home}"), attribute)
    else:
        raise AttributeError(f"module 'tinynet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *MODULES})
