"""Connectionist temporal classification: the likelihood of a sequence of labels, summed over all its alignments."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import DtypeError, RangeError, ShapeError
from . import primitives as P
from .checks import floating, integer, one_of, tensor_of
from .loss import REDUCTIONS, _reduce
from .primitives.indexing import scatter_add

Array = np.ndarray[Any, Any]

NEVER = -1e30  # log 0, of which sums and differences are numbers still
IMPOSSIBLE = -1e29  # a log-likelihood below it is that of no alignment


def _states(targets: Array, blank: int) -> tuple[Array, Array]:
    """Labels with a blank before, between and behind, (N, 2L + 1), and the states that may be reached from two before."""
    n, length = targets.shape
    labels = np.full((n, 2 * length + 1), blank)
    labels[:, 1::2] = targets
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = labels[:, 2:] != labels[:, :-2]
    return labels, skips


def _ends(input_lengths: Array, target_lengths: Array) -> tuple[Array, Array, Array, Array]:
    """Where each sample ends: its last frame, its two last states, and log 0 where there is no second one."""
    last = np.maximum(input_lengths - 1, 0)
    states = np.stack([2 * target_lengths, np.maximum(2 * target_lengths - 1, 0)], 1)
    return last, np.arange(len(last)), states, np.where(target_lengths == 0, NEVER, 0.0)


def ctc_definition(
    logp: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, *, blank: int, zero_infinity: bool
) -> Tensor:
    """−log Σ over alignments Π_t p[t, s_t]: α[t, s] = (α[t−1, s] + α[t−1, s−1] + α[t−1, s−2] where it may skip)·p[t, s],
    in logarithms, over the labels with blanks between them; the sum of the two last states at the last frame.

    The gradient is PyTorch's, p − (share of the alignments): for logits before the softmax that is the derivative.
    """
    dtype, (frames, n, _) = logp.array.dtype.type, logp.array.shape
    labels, skips = _states(targets.array, blank)
    logp = P.where(logp.array < NEVER, dtype(NEVER), logp)
    emitted = P.take_along(logp, np.broadcast_to(labels, (frames, *labels.shape)), axis=2)
    skip = np.where(skips, 0, NEVER).astype(dtype)
    first = np.where(np.arange(labels.shape[1]) < 2, 0, NEVER).astype(dtype)
    alpha = P.add(P.index(emitted, index=(0,)), first)
    rows = [alpha]
    for t in range(1, frames):
        wide = P.pad_constant(alpha, widths=((0, 0), (2, 0)), value=NEVER)
        one, two = (P.index(wide, index=(slice(None), slice(k, k + labels.shape[1]))) for k in (1, 0))
        two = P.add(two, skip)
        most = np.maximum(np.maximum(alpha.array, one.array), two.array)
        total = P.add(P.add(P.exp(P.sub(alpha, most)), P.exp(P.sub(one, most))), P.exp(P.sub(two, most)))
        alpha = P.add(P.add(P.log(total), most), P.index(emitted, index=(t,)))
        rows.append(alpha)
    last, samples, states, missing = _ends(input_lengths.array, target_lengths.array)
    table = P.reshape(P.cat(*rows, axis=0, sizes=(n,) * frames), shape=(frames, n, labels.shape[1]))
    ends = P.index(table, index=(last[:, None], samples[:, None], states))
    ends = P.add(ends, np.stack([np.zeros(n), missing], 1).astype(dtype))
    most = ends.array.max(axis=1)
    likelihood = P.add(P.log(P.sum_(P.exp(P.sub(ends, most[:, None])), axes=(1,))), most)
    nothing = input_lengths.array == 0
    likelihood = P.where(nothing, np.where(target_lengths.array == 0, 0, NEVER).astype(dtype), likelihood)
    inside = (np.arange(frames)[:, None] < input_lengths.array)[..., None]
    mass = P.sum_(P.where(inside, P.exp(logp), dtype(0)), axes=(0, 2))  # adds p to the gradient, and 0 to the value
    loss = P.sub(P.sub(mass, mass.detach()), likelihood)
    impossible = likelihood.array < IMPOSSIBLE
    if zero_infinity:
        return P.where(impossible, dtype(0), loss)
    return P.mul(loss, np.where(impossible, np.inf, 1).astype(dtype))


def _log_sum(a: Array, b: Array, c: Array) -> Array:
    most = np.maximum(a, b)
    np.maximum(most, c, out=most)
    total = np.exp(a - most)
    total += np.exp(b - most)
    total += np.exp(c - most)
    np.log(total, out=total)
    total += most
    return total


def _forward(
    logp: Array, targets: Array, input_lengths: Array, target_lengths: Array, *, blank: int, zero_infinity: bool
) -> tuple[Array, tuple[Array, ...]]:
    """The recursion over frames, on all samples and states at once; everything that the backward needs beside it."""
    dtype, (frames, n, _) = logp.dtype, logp.shape
    labels, skips = _states(targets, blank)
    width = labels.shape[1]
    emitted = np.take_along_axis(np.maximum(logp, dtype.type(NEVER)), np.broadcast_to(labels, (frames, n, width)), 2)
    skip = np.where(skips, 0, NEVER).astype(dtype)
    wide = np.full((frames, n, width + 2), NEVER, dtype)  # two states of log 0 before the first
    wide[0, :, 2:4] = emitted[0, :, :2]
    for t in range(1, frames):
        before = wide[t - 1]
        wide[t, :, 2:] = _log_sum(before[:, 2:], before[:, 1:-1], before[:, :-2] + skip) + emitted[t]
    last, samples, states, missing = _ends(input_lengths, target_lengths)
    ends = wide[last[:, None], samples[:, None], states + 2]
    ends[:, 1] += missing.astype(dtype)
    likelihood = np.logaddexp(ends[:, 0], ends[:, 1])
    likelihood[input_lengths == 0] = np.where(target_lengths[input_lengths == 0] == 0, 0, NEVER)
    impossible = likelihood < IMPOSSIBLE
    loss = np.where(impossible, dtype.type(0 if zero_infinity else np.inf), -likelihood)
    return loss, (labels, skip, emitted, wide[..., 2:], likelihood)


def _backward(
    dy: Array,
    inputs: list[Any],
    cache: tuple[Array, ...],
    needs: list[bool],
    *,
    blank: int,
    zero_infinity: bool,
) -> list[Array | None]:
    """p − Σ over the states of a class of αβ/likelihood, β[t, s] the likelihood of what follows frame t."""
    logp, _, input_lengths, target_lengths = inputs
    labels, skip, emitted, alpha, likelihood = cache
    dtype, (frames, n, classes), width = logp.dtype, logp.shape, labels.shape[1]
    ends = np.full((n, width), NEVER, dtype)
    for k in (0, 1):
        ends[np.arange(n), np.maximum(2 * target_lengths - k, 0)] = 0
    follows = np.full((n, width + 2), NEVER, dtype)
    skipped = np.full((n, width), NEVER, dtype)  # what may be reached from two states before
    skipped[:, :-2] = skip[:, 2:]
    share = np.empty((frames, n, width), dtype)
    for t in range(frames - 1, -1, -1):
        beta = _log_sum(follows[:, :-2], follows[:, 1:-1], follows[:, 2:] + skipped)
        ending = input_lengths == t + 1
        if ending.any():
            beta[ending] = ends[ending]
        np.add(alpha[t], beta, out=share[t])
        np.add(beta, emitted[t], out=follows[:, :width])
    inside = (np.arange(frames)[:, None] < input_lengths)[..., None]
    impossible = likelihood < IMPOSSIBLE
    with np.errstate(all="ignore"):
        share = np.where(inside, np.exp(share - np.where(impossible, 0, likelihood)[:, None]), 0)
    places = np.arange(frames * n).reshape(frames, n, 1) * classes + labels[:, 1::2]
    grad = np.where(inside, np.exp(logp), 0) - scatter_add(share[..., 1::2], places, logp.size).reshape(logp.shape)
    grad[..., blank] -= share[..., ::2].sum(axis=-1)
    scale = np.where(impossible, 0 if zero_infinity else np.nan, dy).astype(dtype)
    return [np.where(inside, grad * scale[:, None], dtype.type(0)), None, None, None]


_ctc = Fused("ctc_loss", ctc_definition, _forward, _backward)


def _lengths(name: str, value: Any, n: int, most: int) -> Array:
    if isinstance(value, Tensor):
        array = integer("ctc_loss", name, value).array.reshape(-1)
    elif isinstance(value, tuple | list) and all(hasattr(v, "__index__") for v in value):
        array = np.array([int(v) for v in value], np.int64).reshape(-1)
    else:
        raise DtypeError(f"ctc_loss: {name} must be an integer Tensor or a tuple of integers, got {value!r}")
    if array.size != n:
        raise ShapeError(f"ctc_loss: {name} must be {n} numbers, one a sample, got {array.size}")
    if n and (array.min() < 0 or array.max() > most):
        raise RangeError(f"ctc_loss: {name} must lie in 0 … {most}, got {array.tolist()}")
    return array.astype(np.int64)


def _padded(targets: Array, lengths: Array, blank: int) -> Array:
    """Targets one after another, or rows of them, as rows that blanks fill up."""
    rows = np.full((lengths.size, int(lengths.max(initial=0))), blank, np.int64)
    inside = np.arange(rows.shape[1]) < lengths[:, None]
    rows[inside] = targets[:, : rows.shape[1]][inside] if targets.ndim == 2 else targets
    return rows


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """−log p(targets | log_probs), the probability summed over all alignments: each label once or more, blanks between.

    log_probs       (T, N, C) or (T, C): logarithms of probabilities
    targets         (N, S), of which each row's first numbers count, or all samples' one after another; never blank
    input_lengths, target_lengths  N numbers, as an integer Tensor or a tuple
    reduction       "mean" divides each sample's loss by the length of its target (at least 1), and averages
    zero_infinity   the loss and gradient of a target that no alignment reaches are 0, not inf and NaN

    The gradient with respect to `log_probs` is PyTorch's: exp(log_probs) − (the share of the alignments), which is the
    derivative for logits before a log_softmax. Raises ShapeError, RangeError, DtypeError.
    Source: Graves, Fernández, Gomez, Schmidhuber, ICML 2006.
    """
    one_of("ctc_loss", "reduction", reduction, *REDUCTIONS)
    x = floating("ctc_loss", "log_probs", log_probs)
    labels = tensor_of("ctc_loss", "targets", targets).array
    single = x.ndim == 2
    if x.ndim not in (2, 3) or 0 in x.array.shape:
        raise ShapeError(
            f"ctc_loss: log_probs must be (T, N, C) or (T, C), not empty; got shape {tuple(x.array.shape)}"
        )
    x = P.reshape(x, shape=(x.array.shape[0], 1, x.array.shape[1])) if single else x
    frames, n, classes = x.array.shape
    if not 0 <= blank < classes:
        raise RangeError(f"ctc_loss: blank must lie in 0 … {classes - 1}, got {blank}")
    if labels.ndim not in (1, 2) or (labels.ndim == 2 and labels.shape[0] != n):
        raise ShapeError(f"ctc_loss: targets must be ({n}, S) or one after another, got shape {tuple(labels.shape)}")
    inputs = _lengths("input_lengths", input_lengths, n, frames)
    wanted = _lengths("target_lengths", target_lengths, n, labels.shape[-1])
    if labels.ndim == 1 and int(wanted.sum()) != labels.size:
        raise ShapeError(f"ctc_loss: target_lengths sum to {int(wanted.sum())}, targets has {labels.size} numbers")
    rows = _padded(labels, wanted, blank)
    if rows.size and (rows.min() < 0 or rows.max() >= classes):
        raise RangeError(f"ctc_loss: targets must lie in 0 … {classes - 1}, got {rows.min()} … {rows.max()}")
    y = _ctc(x, *map(new_tensor, (rows, inputs, wanted)), blank=int(blank), zero_infinity=bool(zero_infinity))
    if reduction == "mean":
        y = P.div(y, np.maximum(wanted, 1).astype(y.array.dtype))
    return _reduce(P.reshape(y, shape=()) if single else y, reduction)
