"""Recurrent networks: Elman's, LSTM, GRU, over whole sequences or one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor
from ..errors import DtypeError, ShapeError
from . import primitives as P
from .checks import floating, integer, same_dtype
from .dropout import dropout as dropout_of
from .fused_many import FusedMany

Array = np.ndarray[Any, Any]
Arrays = tuple[Array, ...]
States = tuple[Tensor, ...]

# One layer, one direction. The rows of x (N, I) are those of all steps one after the other: `sizes` says how many each
# step has. They never grow: sequences are sorted by length, and row b of every step belongs to sequence b. States have
# a row for each sequence. `reverse` takes the steps from the last to the first.


def _unrolled(step: Callable[..., States], x: Tensor, states: States, sizes: Sequence[int], reverse: bool) -> States:
    """(rows of all steps, *states after the last): `step` changes the states of the sequences that are still there.

    The others keep theirs: forward, of a sequence that has ended; in reverse, of one that has not begun.
    """
    ys: list[Tensor] = []
    for start, n in _spans(sizes, reverse):
        changed = step(_rows(x, start, start + n), *(_rows(s, 0, n) for s in states))
        ys.append(changed[0])
        states = tuple(
            v if n == s.array.shape[0] else _joined([v, _rows(s, n, s.array.shape[0])])
            for v, s in zip(changed, states, strict=True)
        )
    return _joined(ys[::-1] if reverse else ys), *states


def _spans(sizes: Sequence[int], reverse: bool) -> Iterator[tuple[int, int]]:
    """The first row of each step, and how many it has, in the order in which the steps are taken."""
    ends = np.cumsum(sizes).tolist()
    spans = [(end - n, n) for end, n in zip(ends, sizes, strict=True)]
    return reversed(spans) if reverse else iter(spans)


def _rows(x: Tensor, lo: int, hi: int) -> Tensor:
    return x if (lo, hi) == (0, x.array.shape[0]) else P.index(x, index=(slice(lo, hi),))


def _joined(xs: list[Tensor], axis: int = 0) -> Tensor:
    return P.cat(*xs, axis=axis, sizes=tuple(x.array.shape[axis] for x in xs))


def _parts(x: Tensor, n: int) -> list[Tensor]:
    """The gates of (rows, n·H): n times (rows, H)."""
    size = x.array.shape[1] // n
    return [P.index(x, index=(slice(None), slice(k * size, (k + 1) * size))) for k in range(n)]


def _affine(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    z = P.matmul(x, P.swap(w))
    return z if b is None else P.add(z, b)


def lstm_definition(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None,
    w_hr: Tensor | None, *, sizes: Sequence[int], reverse: bool,
) -> States:  # fmt: skip
    """i, f, g, o = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh; cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g); hₜ = σ(o)·tanh(cₜ), projected by W_hr.

    The result is (all hₜ, the last h, the last c).
    """

    def step(a: Tensor, h: Tensor, c: Tensor) -> States:
        i, f, g, o = _parts(P.add(a, _affine(h, w_hh, b_hh)), 4)
        c = P.add(P.mul(P.sigmoid(f), c), P.mul(P.sigmoid(i), P.tanh(g)))
        h = P.mul(P.sigmoid(o), P.tanh(c))
        return (h if w_hr is None else _affine(h, w_hr, None)), c

    return _unrolled(step, _affine(x, w_ih, b_ih), (h, c), sizes, reverse)


def gru_definition(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None,
    *, sizes: Sequence[int], reverse: bool,
) -> States:  # fmt: skip
    """a = W_ih xₜ + b_ih, v = W_hh hₜ₋₁ + b_hh, each for r, z, n:
    r = σ(a_r + v_r), z = σ(a_z + v_z), n = tanh(a_n + r·v_n); hₜ = (1 − z)·n + z·hₜ₋₁.

    The result is (all hₜ, the last h).
    """

    def step(a: Tensor, h: Tensor) -> States:
        (a_r, a_z, a_n), (v_r, v_z, v_n) = _parts(a, 3), _parts(_affine(h, w_hh, b_hh), 3)
        r, z = P.sigmoid(P.add(a_r, v_r)), P.sigmoid(P.add(a_z, v_z))
        n = P.tanh(P.add(a_n, P.mul(r, v_n)))
        return (P.add(n, P.mul(z, P.sub(h, n))),)

    return _unrolled(step, _affine(x, w_ih, b_ih), (h,), sizes, reverse)


def rnn_definition(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None,
    *, sizes: Sequence[int], reverse: bool, relu: bool,
) -> States:  # fmt: skip
    """hₜ = f(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), f tanh or max(·, 0). The result is (all hₜ, the last h)."""
    f = P.relu if relu else P.tanh
    return _unrolled(lambda a, h: (f(P.add(a, _affine(h, w_hh, b_hh))),), _affine(x, w_ih, b_ih), (h,), sizes, reverse)


def _lstm_forward(x: Array, *others: Array | None, **options: Any) -> tuple[Arrays, Any]:
    return kernels_for(x).lstm_forward(x, *others, **options)


def _lstm_backward(dys: list[Any], inputs: list[Any], cache: Any, needs: list[bool], **options: Any) -> list[Any]:
    return kernels_for(inputs[0]).lstm_backward(*dys, *inputs, cache, needs=tuple(needs), **options)


def _gru_forward(x: Array, *others: Array | None, **options: Any) -> tuple[Arrays, Any]:
    return kernels_for(x).gru_forward(x, *others, **options)


def _gru_backward(dys: list[Any], inputs: list[Any], cache: Any, needs: list[bool], **options: Any) -> list[Any]:
    return kernels_for(inputs[0]).gru_backward(*dys, *inputs, cache, needs=tuple(needs), **options)


def _rnn_forward(x: Array, *others: Array | None, **options: Any) -> tuple[Arrays, Any]:
    return kernels_for(x).rnn_forward(x, *others, **options)


def _rnn_backward(dys: list[Any], inputs: list[Any], cache: Any, needs: list[bool], **options: Any) -> list[Any]:
    return kernels_for(inputs[0]).rnn_backward(*dys, *inputs, cache, needs=tuple(needs), **options)


_lstm = FusedMany("lstm", lstm_definition, _lstm_forward, _lstm_backward, 3)
_gru = FusedMany("gru", gru_definition, _gru_forward, _gru_backward, 2)
_rnn = FusedMany("rnn", rnn_definition, _rnn_forward, _rnn_backward, 2)


def lstm(
    input: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
    *,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory: (output, h_n, c_n), what `nn.LSTM` computes.

    i, f, g, o = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh; cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g); hₜ = σ(o)·tanh(cₜ), which W_hr, if
    there is one, projects to P numbers. D is 2 if `bidirectional`, else 1; without W_hr P is H.

    input        (T, B, I), or (B, T, I) if `batch_first`; with `batch_sizes` (N, I), rows as in a PackedSequence
    hx           h₀ (num_layers·D, B, P) and c₀ (num_layers·D, B, H)
    params       for each layer and direction W_ih (4H, I), W_hh (4H, P), with `has_biases` b_ih and b_hh (4H,), and
                 W_hr (P, H) where there is a projection; layers after the first take I = D·P
    dropout      probability that an element between two layers becomes 0, where `train`
    batch_sizes  integers (T,): the number of rows of each step
    output       as the input, with D·P features

    Raises ShapeError where these do not agree. Source: Hochreiter and Schmidhuber, Neural Computation 9, 1997, with the
    forget gate of Gers, Schmidhuber and Cummins, 2000; W_hr: Sak, Senior, Beaufays, arXiv:1402.1128, 2014.
    """
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise DtypeError(f"lstm: hx must be two tensors, h_0 and c_0, got {type(hx).__name__}")
    options = (has_biases, num_layers, dropout, train, bidirectional, batch_first, batch_sizes)
    return _layers("lstm", _lstm, 4, input, tuple(hx), params, *options)  # type: ignore[return-value]


def gru(
    input: Tensor,
    hx: Tensor,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
    *,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent units: (output, h_n), what `nn.GRU` computes.

    a = W_ih xₜ + b_ih, v = W_hh hₜ₋₁ + b_hh, each for r, z, n: r = σ(a_r + v_r), z = σ(a_z + v_z),
    n = tanh(a_n + r·v_n); hₜ = (1 − z)·n + z·hₜ₋₁.

    Arguments as for `lstm`, with hx h₀ alone, matrices of 3H rows, and no projection. The reset gate multiplies the
    product W_hn hₜ₋₁ + b_hn, as in cuDNN, and not hₜ₋₁. Source: Cho et al., EMNLP 2014, arXiv:1406.1078.
    """
    options = (has_biases, num_layers, dropout, train, bidirectional, batch_first, batch_sizes)
    return _layers("gru", _gru, 3, input, (hx,), params, *options)  # type: ignore[return-value]


def rnn_tanh(
    input: Tensor,
    hx: Tensor,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
    *,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Elman's network (E14): (output, h_n), hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), what `nn.RNN` computes.

    Arguments as for `lstm`, with hx h₀ alone, matrices of H rows, and no projection. Source: Elman, Cognitive Science
    14, 1990.
    """
    options = (has_biases, num_layers, dropout, train, bidirectional, batch_first, batch_sizes)
    return _layers("rnn_tanh", _rnn, 1, input, (hx,), params, *options, relu=False)  # type: ignore[return-value]


def rnn_relu(
    input: Tensor,
    hx: Tensor,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
    *,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `rnn_tanh`, with hₜ = max(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh, 0)."""
    options = (has_biases, num_layers, dropout, train, bidirectional, batch_first, batch_sizes)
    return _layers("rnn_relu", _rnn, 1, input, (hx,), params, *options, relu=True)  # type: ignore[return-value]


def _layers(
    where: str, fused: FusedMany, gates: int, input: Any, states: tuple[Any, ...], params: Any, has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool, batch_sizes: Any,
    **options: Any,
) -> States:  # fmt: skip
    """The layers one over the other: (output, *final states)."""
    x = floating(where, "input", input)
    directions = 2 if bidirectional else 1
    weights = _weights(where, params, has_biases, num_layers * directions, projected=len(states) == 2)
    same_dtype(where, input=x, **dict(zip(("h_0", "c_0"), states, strict=False)))
    same_dtype(where, input=x, **{f"params[{k}]": p for k, p in enumerate(params)})
    if batch_sizes is None:
        x, sizes = _flat(where, x, batch_first)
    else:
        sizes = _sizes(where, x, batch_sizes)
    outputs = (weights[0][1].array.shape[-1], weights[0][1].array.shape[0] // gates)  # of h, and of c
    for name, s, size in zip(("h_0", "c_0"), states, outputs, strict=False):
        _check_shape(where, name, s, (num_layers * directions, sizes[0], size))
    finals: list[States] = []
    for layer in range(num_layers):
        if layer and dropout:
            x = dropout_of(x, dropout, train)
        ys = []
        for k in range(layer * directions, (layer + 1) * directions):
            _check_weights(where, weights[k], gates, x.array.shape[1], *outputs)
            initial = [P.index(s, index=(k,)) for s in states]
            y, *final = fused(x, *initial, *weights[k], sizes=sizes, reverse=k % directions == 1, **options)
            ys.append(y)
            finals.append(tuple(final))
        x = ys[0] if len(ys) == 1 else _joined(ys, axis=1)
    if batch_sizes is None:
        x = P.reshape(x, shape=(len(sizes), sizes[0], x.array.shape[1]))
        x = P.permute(x, axes=(1, 0, 2)) if batch_first else x
    return x, *(_stacked([f[k] for f in finals]) for k in range(len(states)))


def _stacked(xs: list[Tensor]) -> Tensor:
    xs = [P.reshape(x, shape=(1, *x.array.shape)) for x in xs]
    return xs[0] if len(xs) == 1 else _joined(xs)


def _weights(where: str, params: Any, biases: bool, runs: int, projected: bool) -> list[tuple[Any, ...]]:
    """W_ih, W_hh, b_ih, b_hh (and W_hr) of each layer and direction, None for those that are not there."""
    if not isinstance(params, tuple | list):
        raise DtypeError(f"{where}: params must be a sequence of Tensors, got {type(params).__name__}")
    plain = 4 if biases else 2
    each = len(params) // runs if runs > 0 else 0
    if runs < 1 or len(params) != runs * each or each not in ((plain, plain + 1) if projected else (plain,)):
        expected = f"{runs} × {plain}" + (f" or {runs} × {plain + 1}" if projected else "")
        raise ShapeError(f"{where}: params must have {expected} tensors, got {len(params)}")
    for k, p in enumerate(params):
        floating(where, f"params[{k}]", p)
    if any(p.ndim != 2 for p in params[1::each]):
        raise ShapeError(
            f"{where}: params[1], of W_hh, must have 2 dimensions, got shape {tuple(params[1].array.shape)}"
        )
    groups = [tuple(params[k : k + each]) for k in range(0, len(params), each)]
    last = [(g[-1] if each > plain else None,) if projected else () for g in groups]
    return [(*g[:2], *(g[2:4] if biases else (None, None)), *r) for g, r in zip(groups, last, strict=True)]


def _check_weights(where: str, weights: tuple[Any, ...], gates: int, features: int, out: int, hidden: int) -> None:
    rows = gates * hidden
    shapes = [("W_ih", (rows, features)), ("W_hh", (rows, out)), ("b_ih", (rows,)), ("b_hh", (rows,))]
    if len(weights) == 5 and weights[4] is not None:
        shapes.append(("W_hr", (out, hidden)))
    elif out != hidden:
        raise ShapeError(f"{where}: W_hh must have shape {(rows, hidden)}, got {tuple(weights[1].array.shape)}")
    for w, (name, shape) in zip(weights, shapes, strict=False):
        if w is not None:
            _check_shape(where, name, w, shape)


def _check_shape(where: str, name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    if x.array.shape != shape:
        raise ShapeError(f"{where}: {name} must have shape {shape}, got {tuple(x.array.shape)}")


def _flat(where: str, x: Tensor, batch_first: bool) -> tuple[Tensor, tuple[int, ...]]:
    """The rows of all steps, and how many each has."""
    if x.ndim != 3 or x.array.shape[1 if batch_first else 0] == 0:
        kind = "(batch, steps, features)" if batch_first else "(steps, batch, features)"
        raise ShapeError(f"{where}: input must be {kind} with 1 step at least, got shape {tuple(x.array.shape)}")
    x = P.permute(x, axes=(1, 0, 2)) if batch_first else x
    t, b, features = x.array.shape
    return P.reshape(x, shape=(t * b, features)), (b,) * t


def _sizes(where: str, x: Tensor, batch_sizes: Any) -> tuple[int, ...]:
    sizes = integer(where, "batch_sizes", batch_sizes).array
    if sizes.ndim != 1 or not sizes.size or sizes[-1] < 1 or (np.diff(sizes) > 0).any():
        raise ShapeError(f"{where}: batch_sizes must be positive integers that do not grow, got {batch_sizes}")
    if x.ndim != 2 or x.array.shape[0] != sizes.sum():
        raise ShapeError(f"{where}: input must be ({sizes.sum()}, features), got shape {tuple(x.array.shape)}")
    return tuple(sizes.tolist())


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of `lstm`: (h, c) of input (B, I), hx = h (B, H) and c (B, H), w_ih (4H, I), w_hh (4H, H), b_ih, b_hh (4H,).

    Raises ShapeError where these do not agree.
    """
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise DtypeError(f"lstm_cell: hx must be two tensors, h and c, got {type(hx).__name__}")
    _, h, c = _lstm(*_of_cell("lstm_cell", 4, input, tuple(hx), w_ih, w_hh, b_ih, b_hh), None, **_once(input))
    return h, c


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of `gru`: h (B, H) of input (B, I), hx (B, H), w_ih (3H, I), w_hh (3H, H), b_ih, b_hh (3H,)."""
    return _gru(*_of_cell("gru_cell", 3, input, (hx,), w_ih, w_hh, b_ih, b_hh), **_once(input))[1]


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of `rnn_tanh`: h (B, H) of input (B, I), hx (B, H), w_ih (H, I), w_hh (H, H), b_ih, b_hh (H,)."""
    args = _of_cell("rnn_tanh_cell", 1, input, (hx,), w_ih, w_hh, b_ih, b_hh)
    return _rnn(*args, **_once(input), relu=False)[1]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of `rnn_relu`: h (B, H) of input (B, I), hx (B, H), w_ih (H, I), w_hh (H, H), b_ih, b_hh (H,)."""
    args = _of_cell("rnn_relu_cell", 1, input, (hx,), w_ih, w_hh, b_ih, b_hh)
    return _rnn(*args, **_once(input), relu=True)[1]


def _once(x: Tensor) -> dict[str, Any]:
    return {"sizes": (x.array.shape[0],), "reverse": False}


def _of_cell(
    where: str, gates: int, input: Any, states: tuple[Any, ...], w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any
) -> tuple[Any, ...]:
    """The arguments of one step, checked."""
    names = ("hx",) if len(states) == 1 else ("hx[0]", "hx[1]")
    optional = {n: b for n, b in (("b_ih", b_ih), ("b_hh", b_hh)) if b is not None}
    same_dtype(where, input=floating(where, "input", input), w_ih=floating(where, "w_ih", w_ih),
               w_hh=floating(where, "w_hh", w_hh), **optional,
               **{n: floating(where, n, s) for n, s in zip(names, states, strict=True)})  # fmt: skip
    if input.ndim != 2 or w_hh.ndim != 2:
        name, x = ("input", input) if input.ndim != 2 else ("w_hh", w_hh)
        raise ShapeError(f"{where}: {name} must have 2 dimensions, got shape {tuple(x.array.shape)}")
    (batch, features), hidden = input.array.shape, w_hh.array.shape[1]
    for name, s in zip(names, states, strict=True):
        _check_shape(where, name, s, (batch, hidden))
    rows = gates * hidden
    shapes = {"w_ih": (rows, features), "w_hh": (rows, hidden), "b_ih": (rows,), "b_hh": (rows,)}
    for name, w in {"w_ih": w_ih, "w_hh": w_hh, **optional}.items():
        _check_shape(where, name, w, shapes[name])
    return (input, *states, w_ih, w_hh, b_ih, b_hh)
