"""PyTorch's functions of the package that are elsewhere here: layers' functions, and methods in place, as functions.

Some take their arguments in another order, or more of them, than the function in `nn.functional`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinynet import dtypes
from tinynet._device import check_device
from tinynet._tensor import Tensor, new_tensor
from tinynet.errors import DtypeError, OptionError
from tinynet.nn import functional as F
from tinynet.ops.checks import tensor_of


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: bool
) -> Tensor:
    """`nn.functional.layer_norm`; a last argument, which concerns a GPU, does nothing."""
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: bool
) -> Tensor:
    """`nn.functional.group_norm`; a last argument, which concerns a GPU, does nothing."""
    return F.group_norm(input, num_groups, weight, bias, eps)


def batch_norm(
    input: Tensor,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """`nn.functional.batch_norm`, with the weight and the bias first."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """`nn.functional.instance_norm`, with the weight and the bias first."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """`nn.functional.embedding`, with the weight first; −1 stands for no `padding_idx`."""
    pad = None if padding_idx == -1 else padding_idx
    return F.embedding(indices, weight, pad, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def detach(input: Tensor) -> Tensor:
    """`Tensor.detach`."""
    return tensor_of("detach", "input", input).detach()


def detach_(input: Tensor) -> Tensor:
    """`Tensor.detach_`."""
    return tensor_of("detach_", "input", input).detach_()


def get_device(input: Tensor) -> int:
    """`Tensor.get_device`: −1, the CPU."""
    return tensor_of("get_device", "input", input).get_device()


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of a number, in the default dtype."""
    from tinynet.ops.creation import tensor

    kind = dtypes.get_default_dtype() if dtype is None else dtype
    return tensor(s, dtype=kind, device=device, requires_grad=requires_grad)


def range(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, … up to and with `end`, in the default dtype: the old form of `arange`."""
    import math

    from tinynet.ops.creation import arange

    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise OptionError(f"range: step {step} does not lead from {start} to {end}")
    n = math.floor((end - start) / step) + 1
    kind = dtypes.get_default_dtype() if dtype is None else dtype
    values = start + step * arange(n, dtype=dtypes.float64)
    check_device(device, "range")
    return values.to(dtype=kind).requires_grad_(requires_grad)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-d tensor over the memory of an object with Python's buffer protocol, from byte `offset` on."""
    import numpy as np

    kind = dtypes.as_dtype(dtype, "frombuffer: dtype")
    try:
        array = np.frombuffer(buffer, dtype=kind.numpy, count=count, offset=offset)
    except ValueError as error:
        raise OptionError(f"frombuffer: {error}") from None
    except TypeError as error:
        raise DtypeError(f"frombuffer: {error}") from None
    return new_tensor(array).requires_grad_(requires_grad)


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` with every element `value`, a number or a 0-d tensor."""
    return tensor_of("fill", "input", input).clone().fill_(value)


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """other − alpha·input."""
    return other - alpha * tensor_of("rsub", "input", input)


def _method(name: str) -> Callable[..., Tensor]:
    def function(input: Tensor, *args: Any, **options: Any) -> Tensor:
        return getattr(tensor_of(name, "input", input), name)(*args, **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`Tensor.{name}` as a function: it changes `input` and returns it."
    return function


IN_PLACE = """abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil clamp
    clamp_max clamp_min clip cos cosh deg2rad erf erfc exp exp2 expm1 fill fix floor frac gcd index_put lcm ldexp log
    log10 log1p log2 logit nan_to_num neg negative rad2deg reciprocal round rsqrt sigmoid sin sinc sinh sqrt square tan
    tanh trunc xlogy zero"""
OF_LAYERS = """adaptive_avg_pool1d alpha_dropout avg_pool1d bilinear binary_cross_entropy_with_logits celu celu_
    channel_shuffle conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
    cosine_embedding_loss cosine_similarity feature_alpha_dropout hardshrink hinge_embedding_loss
    margin_ranking_loss max_pool1d max_pool2d max_pool3d pairwise_distance pdist pixel_shuffle pixel_unshuffle
    prelu relu_ rms_norm rrelu rrelu_ selu selu_ threshold threshold_ triplet_margin_loss"""


def __getattr__(name: str) -> Any:
    """The functions of layers under their names here, and those in place, made on first use."""
    if name in OF_LAYERS.split():
        return getattr(F, name)
    if not (name.endswith("_") and name[:-1] in IN_PLACE.split()):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = _method(name)
    return value
