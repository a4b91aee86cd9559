"""Convolution in 1, 2 and 3 dimensions (E10, E16, E19), and its transpose.

The three members of the family are closed under differentiation: with y = conv(x, w),

    dx = conv_grad_input(dy, w)        dw = conv_grad_weight(dy, x)

and each of these is linear in both of its arguments, with gradients that are again members. So every order of
derivative runs on kernels. The transposed convolution is conv_grad_input itself.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor
from ..autograd.fused import Fused
from ..errors import OptionError, ShapeError
from . import primitives as P
from .checks import ints, same_dtype
from .linalg import einsum
from .shape import pad as pad_any

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]
AXES = "pqr"


def output_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """⌊(n + 2·padding − dilation·(k − 1) − 1)/stride⌋ + 1, for each dimension."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


# the definitions: a sum over the taps of the kernel, each an einsum over channels


def _taps(kernel: Ints) -> Any:
    return itertools.product(*map(range, kernel))


def _window(tap: Ints, out: Ints, stride: Ints, dilation: Ints) -> tuple[slice, ...]:
    """Where tap `u` of every output meets the padded input: u·d + s·(0 … out−1)."""
    return tuple(
        slice(u * d, u * d + (n - 1) * s + 1, s) if n else slice(0, 0)
        for u, n, s, d in zip(tap, out, stride, dilation, strict=True)
    )


def _grouped(x: Tensor, groups: int, axis: int) -> Tensor:
    shape = x.array.shape
    return P.reshape(x, shape=(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]))


def _padded(x: Tensor, padding: Ints) -> Tensor:
    return P.pad_constant(x, widths=((0, 0), (0, 0), *((p, p) for p in padding)), value=0)


def conv_definition(
    x: Tensor, w: Tensor, b: Tensor | None, *, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Tensor:
    """y[n,o,p,q] = b[o] + Σ_{c,u,v} x[n, c, p·s + u·d − pad, q·s + v·d − pad] · w[o,c,u,v] (E19)."""
    kernel = w.array.shape[2:]
    out = output_size(x.array.shape[2:], kernel, stride, padding, dilation)
    xs, ws = _grouped(_padded(x, padding), groups, 1), _grouped(w, groups, 0)
    s = AXES[: len(kernel)]
    y = None
    for tap in _taps(kernel):
        part = P.index(xs, index=(slice(None),) * 3 + _window(tap, out, stride, dilation))
        term = einsum(f"ngc{s},goc->ngo{s}", part, P.index(ws, index=(slice(None),) * 3 + tap))
        y = term if y is None else P.add(y, term)
    assert y is not None
    y = P.reshape(y, shape=(x.array.shape[0], w.array.shape[0], *out))
    return y if b is None else P.add(y, P.reshape(b, shape=(1, -1, *(1,) * len(out))))


def conv_grad_input_definition(
    dy: Tensor,
    w: Tensor,
    b: Tensor | None,
    *,
    input_size: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Tensor:
    """The transpose of `conv_definition` in x: each output gives its share back to the inputs that its taps met."""
    kernel, out = w.array.shape[2:], dy.array.shape[2:]
    dys, ws = _grouped(dy, groups, 1), _grouped(w, groups, 0)
    s = AXES[: len(kernel)]
    channels = w.array.shape[1]
    wide = tuple(n + 2 * p for n, p in zip(input_size, padding, strict=True))
    x = None
    for tap in _taps(kernel):
        term = einsum(f"ngo{s},goc->ngc{s}", dys, P.index(ws, index=(slice(None),) * 3 + tap))
        place = (slice(None),) * 3 + _window(tap, out, stride, dilation)
        term = P.unindex(term, index=place, source=(dy.array.shape[0], groups, channels, *wide))
        x = term if x is None else P.add(x, term)
    assert x is not None
    x = P.reshape(x, shape=(dy.array.shape[0], groups * channels, *wide))
    crop = tuple(slice(p, p + n) for p, n in zip(padding, input_size, strict=True))
    x = P.index(x, index=(slice(None), slice(None), *crop))
    return x if b is None else P.add(x, P.reshape(b, shape=(1, -1, *(1,) * len(out))))


def conv_grad_weight_definition(
    dy: Tensor, x: Tensor, *, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Tensor:
    """dw[o,c,u,v] = Σ_{n,p,q} dy[n,o,p,q] · x[n, c, p·s + u·d − pad, q·s + v·d − pad]."""
    out = dy.array.shape[2:]
    xs, dys = _grouped(_padded(x, padding), groups, 1), _grouped(dy, groups, 1)
    s = AXES[: len(kernel_size)]
    terms = []
    for tap in _taps(kernel_size):
        part = P.index(xs, index=(slice(None),) * 3 + _window(tap, out, stride, dilation))
        terms.append(P.reshape(einsum(f"ngo{s},ngc{s}->goc", dys, part), shape=(dy.array.shape[1], -1, 1)))
    joined = P.cat(*terms, axis=2, sizes=(1,) * len(terms))
    return P.reshape(joined, shape=(*joined.array.shape[:2], *kernel_size))


# the operations


def _bias_gradient(dy: Any) -> Any:
    if isinstance(dy, np.ndarray):
        return kernels_for(dy).conv_grad_bias(dy)
    return P.sum_(dy, axes=(0, *range(2, dy.ndim)))


def _forward(x: Array, w: Array, b: Array | None, **options: Any) -> tuple[Array, None]:
    return kernels_for(x, w).conv_forward(x, w, b, **options), None


def _backward(dy: Any, inputs: list[Any], cache: None, needs: list[bool], **options: Any) -> list[Any]:
    x, w, _ = inputs
    return [
        _conv_grad_input(dy, w, None, input_size=tuple(x.shape[2:]), **options) if needs[0] else None,
        _conv_grad_weight(dy, x, kernel_size=tuple(w.shape[2:]), **options) if needs[1] else None,
        _bias_gradient(dy) if needs[2] else None,
    ]


def _input_forward(dy: Array, w: Array, b: Array | None, **options: Any) -> tuple[Array, None]:
    x = kernels_for(dy, w).conv_grad_input(dy, w, **options)
    if b is not None:
        x += b.reshape(1, -1, *(1,) * (x.ndim - 2))
    return x, None


def _input_backward(
    dx: Any, inputs: list[Any], cache: None, needs: list[bool], *, input_size: Ints, **options: Any
) -> list[Any]:
    dy, w, _ = inputs
    return [
        _conv_to(dy.shape[2:], dx, w, options) if needs[0] else None,
        _conv_grad_weight(dy, dx, kernel_size=tuple(w.shape[2:]), **options) if needs[1] else None,
        _bias_gradient(dx) if needs[2] else None,
    ]


def _conv_to(size: Any, x: Any, w: Any, options: dict[str, Any]) -> Any:
    """conv(x, w) where the transpose came from: without the outputs that an output_padding ≥ stride has room for."""
    y = _conv(x, w, None, **options)
    if tuple(y.shape[2:]) == tuple(size):
        return y
    return P.index(y, index=(slice(None), slice(None), *(slice(0, n) for n in size)))


def _weight_forward(dy: Array, x: Array, **options: Any) -> tuple[Array, None]:
    return kernels_for(dy, x).conv_grad_weight(dy, x, **options), None


def _weight_backward(
    dw: Any, inputs: list[Any], cache: None, needs: list[bool], *, kernel_size: Ints, **options: Any
) -> list[Any]:
    dy, x = inputs
    return [
        _conv_to(dy.shape[2:], x, dw, options) if needs[0] else None,
        _conv_grad_input(dy, dw, None, input_size=tuple(x.shape[2:]), **options) if needs[1] else None,
    ]


_conv = Fused("conv", conv_definition, _forward, _backward, closed=True)
_conv_grad_input = Fused("conv_grad_input", conv_grad_input_definition, _input_forward, _input_backward, closed=True)
_conv_grad_weight = Fused(
    "conv_grad_weight", conv_grad_weight_definition, _weight_forward, _weight_backward, closed=True
)


def _batched(where: str, x: Tensor, n: int) -> tuple[Tensor, bool]:
    """x with a batch dimension, and whether it came without one."""
    if x.ndim == n + 1:
        return P.reshape(x, shape=(1, *x.array.shape)), True
    if x.ndim != n + 2:
        raise ShapeError(
            f"{where}: input must have {n + 2} dimensions (batch, channels, {n} spatial) or {n + 1} without a batch, "
            f"got shape {tuple(x.array.shape)}"
        )
    return x, False


def _check(where: str, n: int, weight: Tensor, bias: Tensor | None, out: int, groups: Any) -> None:
    if weight.ndim != n + 2:
        raise ShapeError(f"{where}: weight must have {n + 2} dimensions, got shape {tuple(weight.array.shape)}")
    if not isinstance(groups, int) or groups < 1:
        raise OptionError(f"{where}: groups must be an integer ≥ 1, got {groups!r}")
    if 0 in weight.array.shape[2:]:
        raise ShapeError(f"{where}: weight of shape {tuple(weight.array.shape)} has an empty kernel")
    if bias is not None and bias.array.shape != (out,):
        raise ShapeError(f"{where}: bias must have shape ({out},), got {tuple(bias.array.shape)}")


def conv_nd(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """Convolution over `n` spatial dimensions; see conv1d, conv2d, conv3d."""
    where = f"conv{n}d"
    same_dtype(where, input=input, weight=weight, bias=bias)
    _check(where, n, weight, bias, weight.array.shape[0], groups)
    x, single = _batched(where, input, n)
    stride_, dilation_ = ints(where, "stride", stride, n, 1), ints(where, "dilation", dilation, n, 1)
    channels, kernel = x.array.shape[1], weight.array.shape[2:]
    if channels != weight.array.shape[1] * groups or weight.array.shape[0] % groups:
        raise ShapeError(
            f"{where}: weight of shape {tuple(weight.array.shape)} with groups={groups} takes "
            f"{weight.array.shape[1] * groups} input channels, input of shape {tuple(input.array.shape)} has {channels}"
        )
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise OptionError(f"{where}: padding must be a number, numbers, 'same' or 'valid', got {padding!r}")
        if padding == "same" and any(s != 1 for s in stride_):
            raise OptionError(f"{where}: padding='same' needs stride 1, got {stride!r}")
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation_, kernel, strict=True)]
        padding_ = tuple(t // 2 for t in total)
        if any(t % 2 for t in total):  # an even kernel: one more behind
            x = pad_any(x, [w for t in reversed(total) for w in (0, t % 2)])
    else:
        padding_ = ints(where, "padding", padding, n)
    out = output_size(x.array.shape[2:], kernel, stride_, padding_, dilation_)
    if any(m < 1 for m in out):
        raise ShapeError(
            f"{where}: kernel {tuple(kernel)} with dilation {dilation_} is larger than the padded input "
            f"{tuple(s + 2 * p for s, p in zip(x.array.shape[2:], padding_, strict=True))}"
        )
    y = _conv(x, weight, bias, stride=stride_, padding=padding_, dilation=dilation_, groups=groups)
    return P.reshape(y, shape=y.array.shape[1:]) if single else y


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution (E10) over one dimension: input (N, C, L), weight (O, C/groups, K), bias (O,); see conv2d."""
    return conv_nd(1, input, weight, bias, stride, padding, dilation, groups)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` with the channels last: input (T, B, C), weight (K, C, O), bias (O,), result (T', B, O)."""
    same_dtype("conv_tbc", input=input, weight=weight, bias=bias)
    if input.ndim != 3 or weight.ndim != 3 or bias.ndim != 1:
        shapes = " and ".join(str(tuple(t.array.shape)) for t in (input, weight, bias))
        raise ShapeError(f"conv_tbc: expected input (T, B, C), weight (K, C, O) and bias (O,), got shapes {shapes}")
    y = conv1d(P.permute(input, axes=(1, 2, 0)), P.permute(weight, axes=(2, 1, 0)), bias, padding=pad)
    return P.permute(y, axes=(2, 0, 1))


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """y[n,o,p,q] = b[o] + Σ_{c,u,v} x[n, c, p·s + u·d − pad, q·s + v·d − pad] · w[o,c,u,v] (E10, E19).

    input    (N, C, H, W) or (C, H, W)
    weight   (O, C/groups, U, V)
    bias     (O,)
    padding  a number, one a dimension, "valid" (none) or "same" (the output as large as the input; stride 1)
    result   (N, O, P, Q) with P = ⌊(H + 2·pad − d·(U − 1) − 1)/s⌋ + 1

    Raises ShapeError, OptionError or DtypeError where these do not fit together.
    """
    return conv_nd(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution (E10, E16) over three dimensions: input (N, C, D, H, W), weight (O, C/groups, T, U, V); see conv2d."""
    return conv_nd(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose_nd(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    """Transposed convolution over `n` spatial dimensions; see conv_transpose2d."""
    where = f"conv_transpose{n}d"
    same_dtype(where, input=input, weight=weight, bias=bias)
    if weight.ndim != n + 2:
        raise ShapeError(f"{where}: weight must have {n + 2} dimensions, got shape {tuple(weight.array.shape)}")
    _check(where, n, weight, bias, weight.array.shape[1] * groups if isinstance(groups, int) else 0, groups)
    x, single = _batched(where, input, n)
    stride_, dilation_ = ints(where, "stride", stride, n, 1), ints(where, "dilation", dilation, n, 1)
    padding_, extra = ints(where, "padding", padding, n), ints(where, "output_padding", output_padding, n)
    if x.array.shape[1] != weight.array.shape[0] or weight.array.shape[0] % groups:
        raise ShapeError(
            f"{where}: weight of shape {tuple(weight.array.shape)} with groups={groups} takes "
            f"{weight.array.shape[0]} input channels, input of shape {tuple(input.array.shape)} has {x.array.shape[1]}"
        )
    if any(e >= max(s, d) for e, s, d in zip(extra, stride_, dilation_, strict=True)):
        raise OptionError(
            f"{where}: output_padding {extra} must be smaller than stride {stride_} or dilation {dilation_}"
        )
    size = tuple(
        (m - 1) * s - 2 * p + d * (k - 1) + e + 1
        for m, s, p, d, k, e in zip(
            x.array.shape[2:], stride_, padding_, dilation_, weight.array.shape[2:], extra, strict=True
        )
    )
    if any(m < 1 for m in size):
        raise ShapeError(f"{where}: the output would have size {size} for input of shape {tuple(input.array.shape)}")
    y = _conv_grad_input(
        x, weight, bias, input_size=size, stride=stride_, padding=padding_, dilation=dilation_, groups=groups
    )
    return P.reshape(y, shape=y.array.shape[1:]) if single else y


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Transposed convolution over one dimension: input (N, C, L), weight (C, O/groups, K); see conv_transpose2d."""
    return conv_transpose_nd(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The gradient of conv2d with respect to its input, as an operation of its own.

    input   (N, C, P, Q) or (C, P, Q)
    weight  (C, O/groups, U, V)
    result  (N, O, H, W) with H = (P − 1)·s − 2·pad + d·(U − 1) + output_padding + 1

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    return conv_transpose_nd(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Transposed convolution over three dimensions: weight (C, O/groups, T, U, V); see conv_transpose2d."""
    return conv_transpose_nd(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
