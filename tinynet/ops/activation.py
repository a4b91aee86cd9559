"""Activation functions (E2) and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, wrap_dim
from ..autograd.fused import Fused
from ..errors import DtypeError
from . import primitives as P
from .checks import floating, one_of, tensor_of, to_dtype
from .fused_primitive import FusedPrimitive

Array = np.ndarray[Any, Any]

# Elements below which NumPy's one function is as fast as the way to a kernel (measured)
SMALL_RELU, SMALL_SIGMOID, SMALL_TANH = 4096, 512, 16384

_relu = FusedPrimitive(
    P.relu,
    lambda x: (kernels_for(x).relu_forward(x), None),
    lambda dz, z: kernels_for(dz).relu_backward(dz, z),
    SMALL_RELU,
)
_sigmoid = FusedPrimitive(
    P.sigmoid,
    lambda x: (kernels_for(x).sigmoid_forward(x), None),
    lambda dz, z: kernels_for(dz).sigmoid_backward(dz, z),
    SMALL_SIGMOID,
)
_tanh = FusedPrimitive(
    P.tanh,
    lambda x: (kernels_for(x).tanh_forward(x), None),
    lambda dz, z: kernels_for(dz).tanh_backward(dz, z),
    SMALL_TANH,
)
_softmax = FusedPrimitive(
    P.softmax,
    lambda x, *, axis: (kernels_for(x).softmax_forward(x, axis=axis), None),
    lambda dz, z, *, axis: kernels_for(dz).softmax_backward(dz, z, axis=axis),
)
_log_softmax = FusedPrimitive(
    P.log_softmax,
    lambda x, *, axis: (kernels_for(x).log_softmax_forward(x, axis=axis), None),
    lambda dz, z, *, axis: kernels_for(dz).log_softmax_backward(dz, z, axis=axis),
)


def _place(where: str, x: Tensor, y: Tensor, inplace: bool) -> Tensor:
    """`y`, or x overwritten by it."""
    if not inplace:
        return y
    from ..autograd.views import check_writeable, store

    check_writeable(x, where)
    store(where, x, y)
    return x


def pointwise(where: str, input: Any, inplace: bool, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of one floating-point tensor; in place it reads a copy, which its gradient keeps."""
    x = floating(where, "input", input)
    return _place(where, x, function(P.clone(x) if inplace else x), inplace)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0); subgradient 0 at 0. Source: Nair and Hinton, ICML 2010."""
    x = tensor_of("relu", "input", input)
    if x.array.dtype.kind == "b":
        raise DtypeError("relu: not for boolean tensors")
    return _place("relu", x, _relu(x), inplace)


def sigmoid(input: Tensor) -> Tensor:
    """1/(1 + e⁻ˣ)."""
    return _sigmoid(tensor_of("sigmoid", "input", input))


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return _tanh(tensor_of("tanh", "input", input))


def gelu_definition(x: Tensor, *, approximate: str) -> Tensor:
    """½x(1 + erf(x/√2)), or ½x(1 + tanh(√(2/π)(x + 0.044715x³)))."""
    if approximate == "none":
        inner = P.erf(P.mul(x, 1.0 / math.sqrt(2.0)))
    else:
        cube = P.mul(P.mul(x, x), x)
        inner = P.tanh(P.mul(P.add(x, P.mul(cube, 0.044715)), math.sqrt(2.0 / math.pi)))
    return P.mul(P.mul(x, 0.5), P.add(inner, 1.0))


def _gelu_forward(x: Array, *, approximate: str) -> tuple[Array, None]:
    return kernels_for(x).gelu_forward(x, approximate=approximate), None


def _gelu_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, approximate: str) -> list[Array]:
    return [kernels_for(dy).gelu_backward(dy, inputs[0], approximate=approximate)]


_gelu = Fused("gelu", gelu_definition, _gelu_forward, _gelu_backward)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x·Φ(x), Φ the standard normal distribution: ½x(1 + erf(x/√2)).

    approximate  "tanh": ½x(1 + tanh(√(2/π)(x + 0.044715x³))). Source: Hendrycks and Gimpel, 2016.
    """
    x = floating("gelu", "input", input)
    return _gelu(x, approximate=one_of("gelu", "approximate", approximate, "none", "tanh"))


def silu_definition(x: Tensor) -> Tensor:
    """x·σ(x)."""
    return P.mul(x, P.sigmoid(x))


def _silu_forward(x: Array) -> tuple[Array, None]:
    return kernels_for(x).silu_forward(x), None


def _silu_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool]) -> list[Array]:
    return [kernels_for(dy).silu_backward(dy, inputs[0])]


_silu = Fused("silu", silu_definition, _silu_forward, _silu_backward)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x·σ(x), also called swish."""
    return pointwise("silu", input, inplace, _silu)


def softplus_definition(x: Tensor, *, beta: float, threshold: float) -> Tensor:
    """log(1 + eᵛ)/beta = (max(v, 0) + log(1 + e^(−|v|)))/beta, v = beta·x; x itself where v > threshold."""
    v = P.mul(x, beta)
    linear = P.gt(v, threshold)
    v = P.where(linear, 0, v)  # inside too: an infinite v must not reach the gradient as 0·∞
    negative = P.lt(v, 0.0)
    tail = P.log1p(P.exp(P.where(negative, v, P.neg(v))))  # of which nothing overflows; the slope at 0 is ½
    return P.where(linear, x, P.div(P.add(P.where(negative, 0, v), tail), beta))


def _softplus_forward(x: Array, *, beta: float, threshold: float) -> tuple[Array, None]:
    return kernels_for(x).softplus_forward(x, beta=beta, threshold=threshold), None


def _softplus_backward(
    dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, beta: float, threshold: float
) -> list[Array]:
    return [kernels_for(dy).softplus_backward(dy, inputs[0], beta=beta, threshold=threshold)]


_softplus = Fused("softplus", softplus_definition, _softplus_forward, _softplus_backward)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta·x))/beta; x itself where beta·x > threshold."""
    return _softplus(floating("softplus", "input", input), beta=float(beta), threshold=float(threshold))


def log_sigmoid(x: Tensor) -> Tensor:
    """log σ(x) = −log(1 + e⁻ˣ)."""
    return _softplus(x, beta=-1.0, threshold=math.inf)


def mish_definition(x: Tensor) -> Tensor:
    """x·tanh(log(1 + eˣ))."""
    return P.mul(x, P.tanh(softplus_definition(x, beta=1.0, threshold=20.0)))


def _mish_forward(x: Array) -> tuple[Array, None]:
    return kernels_for(x).mish_forward(x), None


def _mish_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool]) -> list[Array]:
    return [kernels_for(dy).mish_backward(dy, inputs[0])]


_mish = Fused("mish", mish_definition, _mish_forward, _mish_backward)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x·tanh(log(1 + eˣ)). Source: Misra, BMVC 2020."""
    return pointwise("mish", input, inplace, _mish)


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """e^xᵢ / Σⱼ e^xⱼ along `dim`."""
    x = floating("softmax", "input", to_dtype(tensor_of("softmax", "input", input), dtype, "softmax"))
    return _softmax(x, axis=_axis("softmax", x, dim)) if x.ndim else P.add(P.mul(x, 0.0), 1.0)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """xᵢ − log Σⱼ e^xⱼ along `dim`."""
    x = floating("log_softmax", "input", to_dtype(tensor_of("log_softmax", "input", input), dtype, "log_softmax"))
    return _log_softmax(x, axis=_axis("log_softmax", x, dim)) if x.ndim else P.sub(x, x)


def _axis(where: str, x: Tensor, dim: int | None) -> int:
    if dim is None:
        import warnings

        warnings.warn(f"{where}: the implicit choice of dim is deprecated; pass dim", stacklevel=4)
        return 0 if x.ndim in (0, 1, 3) else 1
    return wrap_dim(dim, x.ndim, where)
