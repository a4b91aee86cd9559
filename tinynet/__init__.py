"""tinynet: a deep-learning engine from scratch, with PyTorch's names and semantics.

Names load on first use (PEP 562): `import tinynet` is quick, and `import tinynet.testing` loads no engine.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

__version__ = "0.1.0"
pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
newaxis = None
__path__.append(f"{__path__[0]}/compat/modules")  # PyTorch's modules: `import tinynet.distributions` finds them there

# where each public name lives: module -> names
TABLE: dict[str, str] = {
    "_tensor": "Size Tensor is_tensor",
    "dtypes": """bfloat16 dtype finfo float16 float32 float64 get_default_dtype iinfo int16 int32 int64 int8 promote_types
        set_default_dtype uint8""",
    "_device": "device",
    "_layout": "channels_last channels_last_3d contiguous_format layout memory_format preserve_format strided",
    "random": "Generator default_generator get_rng_state initial_seed manual_seed seed set_rng_state",
    "strict": "is_strict set_strict",
    "autograd.modes": """enable_grad inference_mode is_grad_enabled is_inference_mode_enabled no_grad set_grad_enabled
        use_definitions""",
    "threads": "get_num_threads set_num_threads",
    "memory": "memory_stats set_memory_limit release_memory",
    "serialization": "load save",
    "printing": "set_printoptions",
    "ops.creation": """arange as_tensor asarray bernoulli empty empty_like eye from_dlpack from_numpy full full_like
        linspace logspace ones ones_like rand rand_like randint randn randn_like randperm tensor tril_indices triu_indices
        zeros zeros_like""",
    "ops.elementwise": """abs absolute add allclose bitwise_and bitwise_not bitwise_or bitwise_xor ceil clamp clip cos div
        divide eq equal erf exp expm1 floor floor_divide ge greater greater_equal gt isclose isfinite isinf isnan le less
        less_equal log log10 log1p log2 logical_and logical_not logical_or logical_xor lt maximum minimum mul multiply
        ne neg negative not_equal pow reciprocal remainder round rsqrt sgn sign sin sqrt square sub subtract tan true_divide
        trunc where""",
    "ops.reduction": "all amax amin any argmax argmin cumsum logsumexp max mean min norm std sum topk var",
    "ops.shape": """broadcast_to cat chunk clone concat concatenate flatten flip moveaxis movedim narrow permute reshape
        split squeeze stack swapaxes swapdims t transpose tril triu unbind unflatten unsqueeze""",
    "ops.indexing": "gather index_select masked_fill masked_select nonzero take_along_dim",
    "ops.linalg": "bmm dot einsum ger matmul mm mv outer",
    "ops.special": """acos acosh addcdiv addcmul arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2
        atanh bitwise_left_shift bitwise_right_shift clamp_max clamp_min copysign cosh deg2rad digamma erfc erfinv exp2
        float_power fmax fmin fmod frac heaviside hypot isin isneginf isposinf ldexp lerp lgamma logaddexp logaddexp2 logit
        nan_to_num polygamma positive rad2deg signbit sinc sinh xlogy""",
    "ops.statistics": """aminmax argsort bincount count_nonzero cummax cummin cumprod cumulative_trapezoid diff histc
        kthvalue logcumsumexp median mode msort nanmean nanmedian nanquantile nansum prod quantile sort std_mean trapezoid
        trapz var_mean""",
    "ops.selection": """bucketize index_add index_copy index_fill index_put masked_scatter scatter scatter_add
        scatter_reduce searchsorted take unique unique_consecutive""",
    "ops.arranging": """atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors cartesian_prod column_stack
        combinations diag diag_embed diagflat diagonal dsplit dstack fliplr flipud hsplit hstack meshgrid ravel
        repeat_interleave roll rot90 row_stack tensor_split tile vsplit vstack""",
    "ops.matrix": """addbmm addmm addmv addr baddbmm cdist chain_matmul cholesky cross det dist inner inverse kron logdet
        matrix_power slogdet tensordot trace vdot""",
    "ops.matrix_equation": "cholesky_inverse cholesky_solve matrix_exp pinverse triangular_solve",
    "ops.slicing": """as_strided as_strided_scatter diagonal_scatter gradient index_reduce put renorm select_scatter
        slice_scatter""",
    "ops.probability_functions": "i0 igamma igammac nextafter",
    "ops.composite": "argwhere corrcoef cov fix frexp gcd lcm mvlgamma select unravel_index vander",
    "ops.sampling": "multinomial normal poisson randint_like",
    "ops.activation": "log_softmax relu sigmoid softmax tanh",
    "ops.dropout": "dropout",
    "ops.recurrent": "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
    "compat.functions": """abs_ acos_ acosh_ adaptive_avg_pool1d addmv_ alpha_dropout arccos_ arccosh_ arcsin_ arcsinh_ arctan_
        arctanh_ asin_ asinh_ atan_ atanh_ avg_pool1d batch_norm bilinear binary_cross_entropy_with_logits
        ceil_ celu celu_ channel_shuffle clamp_ clamp_max_ clamp_min_ clip_ conv1d conv2d conv3d conv_tbc
        conv_transpose1d conv_transpose2d conv_transpose3d cos_ cosh_ cosine_embedding_loss
        cosine_similarity deg2rad_ detach detach_ embedding erf_ erfc_ exp2_ exp_ expm1_
        feature_alpha_dropout fill fill_ fix_ floor_ frac_ frombuffer gcd_ get_device group_norm hardshrink
        hinge_embedding_loss index_put_ instance_norm layer_norm lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_
        margin_ranking_loss max_pool1d max_pool2d max_pool3d nan_to_num_ neg_ negative_ pairwise_distance
        pdist pixel_shuffle pixel_unshuffle prelu rad2deg_ range reciprocal_ relu_ rms_norm round_ rrelu
        rrelu_ rsqrt_ rsub scalar_tensor selu selu_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_
        threshold threshold_ triplet_margin_loss trunc_ xlogy_ zero_""",
    "compat.windows": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
    "compat.tensors": """BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor
        LongTensor ShortTensor set_default_tensor_type""",
    "compat.switches": """are_deterministic_algorithms_enabled broadcast_shapes can_cast compile get_default_device
        get_float32_matmul_precision get_num_interop_threads is_autocast_cpu_enabled is_autocast_enabled is_complex
        is_deterministic_algorithms_warn_only_enabled is_floating_point is_inference is_nonzero is_same_size is_signed
        is_storage numel result_type set_default_device set_float32_matmul_precision set_flush_denormal
        set_num_interop_threads typename use_deterministic_algorithms""",
}
ALIASES = {
    "GradScaler": ("amp", "GradScaler"),
    "autocast": ("amp", "autocast"),
    "bool": ("dtypes", "bool_"),
    "half": ("dtypes", "float16"),
    "qr": ("ops.decomposition", "qr_old"),
    "svd": ("ops.decomposition", "svd_old"),
    "float": ("dtypes", "float32"),
    "double": ("dtypes", "float64"),
    "short": ("dtypes", "int16"),
    "int": ("dtypes", "int32"),
    "long": ("dtypes", "int64"),
}
MODULES = ("autograd", "data", "errors", "linalg", "models", "nn", "ops", "optim", "testing", "training", "utils")
OLD_MODULES = (  # PyTorch's, in compat/modules
    *(
        "accelerator",
        "amp",
        "backends",
        "compiler",
        "cuda",
        "distributed",
        "distributions",
        "fft",
        "func",
        "jit",
        "mps",
    ),
    *("onnx", "quantization", "signal", "sparse", "special", "version", "xpu"),
)

_HOME: dict[str, tuple[str, str]] = {
    **{name: (module, name) for module, names in TABLE.items() for name in names.split()},
    **ALIASES,
}


def __getattr__(name: str) -> Any:
    if name in MODULES or name in OLD_MODULES:
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
    return sorted({*globals(), *_HOME, *MODULES, *OLD_MODULES})
