"""Tensor operations against PyTorch, where it is installed: value, dtype, gradient, and gradient of the gradient.

Each line is an expression of the engine `t` and of the tensors of `operands`.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

GENERATOR = np.random.default_rng(5)


def draw(*shape):
    return GENERATOR.normal(size=shape)


ARRAYS = {
    "x": draw(2, 3),  # any numbers
    "y": draw(2, 3),
    "w": draw(3),  # broadcast against x
    "c": draw(2, 4, 3),
    "p": GENERATOR.uniform(0.1, 0.9, (2, 3)),
    "q": GENERATOR.uniform(0.1, 0.9, (2, 3)),
    "m": draw(3, 3),
    "b": draw(2, 3, 3),
    "g": draw(2, 3, 4),
    "v": draw(5),
    "u": draw(4),
    "s": np.asarray(draw()),
    "e": draw(0, 3),
    "z": draw(3, 2).T,
    "ties": np.array([[1.0, 2.0, 2.0, 1.0, 0.0], [0.0, 0.0, 3.0, 3.0, 3.0]]),
    "odd": np.array([[np.nan, 1.0, -np.inf], [np.inf, -0.0, 0.0]]),
    "i": np.array([[3, 0, -2], [7, 5, 1]]),
    "j": np.array([[1, 2, 3], [3, 2, 1]]),
    "k": np.array([0, 2, 2]),
    "a": np.array([[0, 1, 0], [1, 1, 0]]),
    "h": np.array([[True, False, True], [False, False, True]]),
}


def operands(t, names):
    """The tensors of the names, of which those of floating point require a gradient."""
    found = {}
    for name in names:
        array = ARRAYS[name]
        found[name] = t.from_numpy(array.copy() if name != "z" else array)
        if array.dtype == np.float64:
            found[name].requires_grad_()
    return found


ELEMENTWISE = """
t.asin(p) | t.acos(p) | t.atan(x) | t.sinh(x) | t.cosh(x) | t.asinh(x) | t.acosh(p + 1.5) | t.atanh(p)
t.arcsin(z * 0.1) | t.erfc(x) | t.erfinv(p) | t.erfinv(odd) | t.lgamma(p) | t.lgamma(x) | t.digamma(p)
t.digamma(x) | t.polygamma(2, p) | t.exp2(x) | t.exp2(i) | t.deg2rad(x) | t.rad2deg(x) | t.frac(x * 3) | t.sinc(x)
t.sinc(odd.detach()) | t.positive(i) | t.sgn(x) | t.signbit(odd) | t.signbit(i) | t.isposinf(odd) | t.isneginf(odd)
t.isneginf(i) | t.logit(p) | t.logit(x, 0.1) | t.logit(p, eps=0.3) | t.atan2(x, y) | t.atan2(x, w) | t.atan2(i, j)
t.hypot(x, w) | t.fmod(x * 4, y) | t.fmod(i, 2) | t.fmod(i, -3) | t.fmod(x, 0.7) | t.fmod(odd.detach(), y.detach())
t.fmax(x, w) | t.fmin(x, y) | t.fmax(odd, x) | t.fmin(odd, x) | t.fmax(ties, ties) | t.fmax(i, x)
t.logaddexp(x, y) | t.logaddexp(x, x) | t.logaddexp(odd.detach(), y.detach()) | t.logaddexp2(x, w) | t.xlogy(x, p)
t.xlogy(x, 2.0) | t.xlogy(0.5, p) | t.xlogy(odd, p) | t.xlogy(i, j) | t.copysign(x, y) | t.copysign(x, -1.0)
t.copysign(odd.detach(), y) | t.copysign(i, j) | t.copysign(x, odd) | t.heaviside(x.detach(), y.detach())
t.heaviside(odd.detach(), w.detach()) | t.nan_to_num(odd) | t.nan_to_num(odd, 1.0, 2.0, 3.0) | t.nan_to_num(i)
t.lerp(x, y, 0.3) | t.lerp(x, y, 1.0) | t.lerp(x, w, p) | t.lerp(x, y, 2.0 * p) | t.addcmul(x, y, w)
t.addcmul(x, y, p, value=0.5) | t.addcdiv(x, y, p, value=-2) | t.addcmul(i, j, j, value=2) | t.float_power(p, 2)
t.float_power(i, 2) | t.float_power(p, q) | t.float_power(2, x) | t.ldexp(x, j) | t.clamp_min(x, 0.1)
t.clamp_max(x, y) | t.clamp(x, min=y) | t.clamp(x, y, 0.5 + y) | t.bitwise_left_shift(i, j)
t.bitwise_right_shift(i, 1) | i << 1 | i >> j | t.isin(i, k) | t.isin(i, 3) | t.isin(x, x[0])
t.isin(i, k, invert=True) | t.isin(3, i) | t.asin(s) | t.atan(e) | t.lgamma(i) | t.sinh(h) | t.sinh(i) | t.logit(h)
t.hypot(s, x) | t.logaddexp(e, w) | t.digamma(i) | x.clone().sinh_() | x.clone().lerp_(y, 0.2)
x.clone().addcmul_(y, y, value=2) | x.clone().fmod_(0.4) | p.clone().logit_() | x.clone().atan2_(w)
x.clone().copysign_(y) | x.clone().clamp_min_(0) | p.clone().xlogy_(q) | i.clone().bitwise_left_shift_(1)
x.clone().sgn_() | x.clone().ge_(0) | odd.clone().nan_to_num_() | x.clone().addcdiv_(y, p)
"""

STATISTICS = """
t.var_mean(x) | t.var_mean(x, 1) | t.var_mean(c, (0, 2), keepdim=True) | t.std_mean(x, dim=1, correction=0)
t.std_mean(c, 1, False) | t.var_mean(x, unbiased=False) | t.sort(c, 1) | t.sort(x, descending=True)
t.sort(x, 0, True) | t.sort(odd) | t.sort(odd, descending=True) | t.sort(s) | t.sort(e, 0) | t.sort(x, stable=True)
t.argsort(x) | t.argsort(c, 1, True) | t.sort(ties, stable=True) | t.sort(ties, stable=True, descending=True)
t.argsort(ties, stable=True) | t.sort(h, stable=True) | t.msort(c) | t.argsort(s) | x.sort(dim=0, descending=True)
t.kthvalue(c, 2) | t.kthvalue(c, 1, 1, True) | t.kthvalue(s, 1) | t.kthvalue(i, 3, -1) | t.median(x) | t.median(v)
t.median(c, 1) | t.median(c, 0, True) | t.median(ties) | t.median(i) | t.median(i, 1) | t.median(odd)
t.median(odd, 1) | t.nanmedian(odd) | t.nanmedian(odd, 1) | t.nanmedian(x, 0) | t.median(s) | t.median(s, 0)
t.median(e) | t.nanmedian(odd, 0, keepdim=True) | t.mode(ties) | t.mode(ties, 0) | t.mode(i, 1, True) | t.mode(s)
t.mode(x) | t.quantile(x, 0.3) | t.quantile(c, 0.5, 1) | t.quantile(c, 0.9, 1, True)
t.quantile(x, t.tensor([0.0, 0.25, 1.0], dtype=t.float64), dim=1) | t.quantile(x, 0.3, keepdim=True)
t.quantile(odd, 0.5, 1) | t.quantile(c, t.tensor([0.1, 0.7], dtype=t.float64), 1, True)
t.quantile(v, 0.3, interpolation="lower") | t.quantile(v, 0.3, interpolation="higher")
t.quantile(v, 0.4, interpolation="nearest") | t.quantile(v, 0.3, interpolation="midpoint") | t.nanquantile(odd, 0.5)
t.nanquantile(odd, 0.5, 1) | t.prod(x) | t.prod(c, 1) | t.prod(c, 2, True) | t.prod(i) | t.prod(h) | t.prod(i, 0)
t.prod(e) | t.prod(e, 0) | t.prod(s) | t.prod(ties, 1) | t.prod(x, dtype=t.float32) | t.prod(i, dtype=t.float64)
t.cumprod(c, 1) | t.cumprod(v, 0) | t.cumprod(ties, 1) | t.cumprod(i, 1) | t.cumprod(s, 0) | t.cumprod(e, 0)
t.cumprod(h, 1) | t.cumsum(i, 1) | t.cumsum(x, 1, dtype=t.float32) | t.cummax(c, 1) | t.cummin(c, -1)
t.cummax(ties, 1) | t.cummin(ties, 1) | t.cummax(odd, 1) | t.cummin(odd, 1) | t.cummax(i, 0) | t.cummax(s, 0)
t.cummin(e, 0) | t.logcumsumexp(c, 1) | t.logcumsumexp(v * 90, 0) | t.logcumsumexp(s, 0) | t.logcumsumexp(e, 0)
t.logcumsumexp(odd.detach(), 1) | t.aminmax(x) | t.aminmax(c, dim=1) | t.aminmax(i, dim=0, keepdim=True)
t.aminmax(odd.detach()) | t.nansum(odd) | t.nansum(odd, 1) | t.nansum(i) | t.nanmean(odd, 1, True)
t.nanmean(x, (0, 1)) | t.count_nonzero(ties) | t.count_nonzero(ties, 1) | t.count_nonzero(i, (0, 1))
t.count_nonzero(h) | t.count_nonzero(s) | t.diff(x) | t.diff(c, 2, 1) | t.diff(v, prepend=u)
t.diff(v, append=u, n=2) | t.diff(i, dim=0) | t.diff(h) | t.diff(x, n=5) | t.diff(e, dim=0) | t.trapezoid(x)
t.trapezoid(x, y) | t.trapezoid(c, dx=0.5, dim=1) | t.trapezoid(c, u, dim=1) | t.trapz(x, dx=2)
t.cumulative_trapezoid(x) | t.cumulative_trapezoid(c, u, dim=1) | t.trapezoid(e, dim=0) | t.histc(v.detach(), 4)
t.histc(v.detach(), bins=3, min=-1, max=1) | t.histc(ties.detach(), 5) | t.histc(s.detach(), 2) | t.bincount(k)
t.bincount(k, minlength=5) | t.bincount(k, w.detach()) | t.bincount(k, k) | t.bincount(k[:0]) | x.clone().cumsum_(1)
x.clone().cumprod_(0) | t.logsumexp(c, (0, 1)) | t.amax(c, (0, 2), True) | t.argmax(c) | t.argmin(c, 1, True)
t.any(h, 1) | t.all(i, (0, 1)) | t.norm(x, 3, 1)
"""

SELECTION = """
t.scatter(x, 1, a, y) | t.scatter(x, 0, a, y) | t.scatter(x, 1, a, 2.5) | t.scatter(x, 1, a[:, :2], y.detach())
t.scatter(x, -1, a[:1], y.detach()) | t.scatter(x.detach(), 1, a, y.detach(), reduce="add")
t.scatter(x.detach(), 1, a, 3.0, reduce="multiply") | t.scatter(i, 1, a, j) | t.scatter(s, 0, k[0], s * 2)
t.scatter(x, 1, a[:, :0], y.detach()) | t.scatter(x, 1, a, value=1.5) | x.scatter(1, a, value=1)
t.scatter_add(x, 1, a, y) | t.scatter_add(x, 0, a, y) | t.scatter_add(i, 1, a, j)
t.scatter_add(c, 1, t.zeros(2, 1, 3, dtype=t.long), c.detach()) | t.scatter_reduce(x, 1, a, y, "sum")
t.scatter_reduce(x, 1, a, y, "prod") | t.scatter_reduce(x, 1, a, y, "mean") | t.scatter_reduce(x, 1, a, y, "amax")
t.scatter_reduce(x, 1, a, y, "amin") | t.scatter_reduce(i, 1, a, j, "amax") | t.scatter_reduce(i, 1, a, j, "mean")
t.scatter_reduce(x, 1, a, y, "sum", include_self=False) | t.scatter_reduce(x, 1, a, y, "prod", include_self=False)
t.scatter_reduce(x, 1, a, y, "mean", include_self=False) | t.scatter_reduce(x, 1, a, y, "amax", include_self=False)
t.scatter_reduce(x, 1, a, y, "amin", include_self=False) | t.scatter_reduce(ties[:, :3], 1, a, ties[:, :3], "amax")
t.scatter_reduce(ties[:, 1:4] - 9, 1, a, ties[:, :3], "amin", include_self=False)
t.scatter_reduce(ties[:, :3], 1, a, ties[:, 1:4], "prod") | t.index_add(c, 2, k, c)
t.index_add(x, 1, k, y, alpha=0.5) | t.index_add(i, 1, k, j) | t.index_copy(m, 0, t.tensor([2, 0]), x)
t.index_fill(x, 1, k, 0.5) | t.index_fill(x, 1, k, s) | t.index_fill(x, 1, t.tensor([-1]), 2)
t.index_put(x, (a[:, 0], k[:2]), u[:2])
t.index_put(x, (t.tensor([0, 0]), t.tensor([1, 1])), u[:2], accumulate=True) | t.index_put(x, (h,), s)
t.index_put(i, (k[:1],), j[:1], True) | x.clone().index_put_((k[:1],), y[:1]) | t.take(c, i) | t.take(x, k)
t.take(i, a) | t.masked_scatter(x, h, y) | t.masked_scatter(x, h[0], c) | t.where(h) | t.where(h, x, 0.0)
t.where(h, 1.0, y) | t.where(h, 1, 2) | t.unique(ties.detach())
t.unique(i, return_inverse=True, return_counts=True) | t.unique(k, return_counts=True) | t.unique(a, dim=0)
t.unique(a, dim=1, return_inverse=True) | t.unique(e.detach()) | t.unique(h) | t.unique_consecutive(k)
t.unique_consecutive(ties.detach(), return_inverse=True, return_counts=True)
t.unique_consecutive(a, dim=1, return_counts=True) | t.unique_consecutive(k[:0], return_counts=True)
t.searchsorted(t.tensor([1, 3, 5]), i) | t.searchsorted(t.tensor([1, 3, 5]), 3)
t.searchsorted(t.tensor([1, 3, 5]), i, right=True) | t.searchsorted(t.sort(x.detach()).values, y.detach())
t.searchsorted(t.tensor([1, 3, 5]), i, side="right", out_int32=True)
t.searchsorted(t.tensor([5, 1, 3]), i, sorter=t.tensor([1, 2, 0]))
t.bucketize(x.detach(), t.tensor([-1.0, 0.0, 1.0], dtype=t.float64)) | t.bucketize(i, t.tensor([0, 3]), right=True)
t.bucketize(2, k) | x.clone().scatter_(1, a, y) | x.clone().scatter_add_(1, a, y) | x.clone().index_add_(1, k, y)
x.clone().index_fill_(0, k[:1], 3) | x.clone().masked_scatter_(h, y) | m.clone().index_copy_(0, k[:1], y[:1])
x.clone().scatter_reduce_(1, a, y, "amax")
"""

ARRANGING = """
t.ravel(c) | t.ravel(z) | t.ravel(s) | t.tensor_split(v, 2) | t.tensor_split(v, 7) | t.tensor_split(c, (1, 3), 1)
t.tensor_split(v, (-1,)) | t.tensor_split(v, (4, 2)) | t.hsplit(c, 2) | t.hsplit(u, 2) | t.vsplit(x, (1,))
t.dsplit(c, 3) | t.hstack((x, y)) | t.hstack((u, v)) | t.hstack((s, v)) | t.vstack((x, w)) | t.vstack((w, w))
t.row_stack((w, w)) | t.dstack((x, y)) | t.dstack((u, u)) | t.column_stack((x, y)) | t.column_stack((w, w, m))
t.atleast_1d(s) | t.atleast_2d(v, s) | t.atleast_3d(v, s, x, c) | t.block_diag(x, m) | t.block_diag(v, s, x)
t.broadcast_tensors(x, w) | t.meshgrid(u, v, indexing="ij") | t.meshgrid(u, v, s, indexing="xy")
t.meshgrid([k, k], indexing="ij") | t.cartesian_prod(u, v) | t.cartesian_prod(k, k, k) | t.cartesian_prod(v)
t.combinations(v) | t.combinations(u, 3) | t.combinations(u, 2, True) | x.repeat(2, 1) | x.repeat(3, 1, 2)
v.repeat(0) | x.repeat((2, 2)) | s.repeat(3) | t.tile(x, (2,)) | t.tile(x, (2, 1, 2)) | x.tile(2, 1)
t.repeat_interleave(x, 2) | t.repeat_interleave(x, 2, dim=0) | t.repeat_interleave(x, k, 1) | t.repeat_interleave(k)
t.repeat_interleave(x, t.tensor([2]), dim=1) | x.repeat_interleave(2, -1) | t.roll(c, 1) | t.roll(c, 1, 1)
t.roll(c, (1, -2), (0, 1)) | t.roll(v, -7, 0) | t.roll(e, 1, 0) | t.roll(s, 1) | t.fliplr(c) | t.flipud(v)
t.rot90(x) | t.rot90(c, 2) | t.rot90(c, 3, (1, 2)) | t.rot90(c, -1, (2, 0)) | t.rot90(x, 4) | v.unfold(0, 2, 1)
c.unfold(1, 3, 2) | c.unfold(-1, 2, 1) | s.unfold(0, 1, 1) | t.swapaxes(c, 0, 2) | t.swapdims(c, 0, 1)
t.moveaxis(c, 0, -1) | t.squeeze(c[:1, :, :1], (0, 2)) | x.T | c.mT | x.view_as(x) | x.expand_as(c[:, :2])
t.diagonal(m) | t.diagonal(b, 1, 1, 2) | t.diagonal(c, -1, 0, 2) | t.diagonal(x, 5) | t.diag(v) | t.diag(x)
t.diag(m, -1) | t.diag(v, 2) | t.diag(k) | t.diag_embed(x) | t.diag_embed(x, 1, 0, 2) | t.diag_embed(v, -2)
t.diagflat(x, -1) | t.trace(m) | t.trace(i) | m.clone().fill_diagonal_(2) | x.clone().fill_diagonal_(0.5)
t.zeros(5, 2).fill_diagonal_(1, wrap=True) | t.tril_indices(3, 4, 1) | t.triu_indices(3, 4)
t.triu_indices(4, 2, -1) | t.logspace(0, 2, 5) | t.logspace(0, 3, 4, base=2.0, dtype=t.float64)
t.linspace(0, 1, 1) | t.eye(2, 3) | x.new_zeros(2, 2) | x.new_ones((3,)) | i.new_full((2,), 7)
x.new_tensor([1, 2]) | x.new_zeros(1, dtype=t.int32) | x.new_empty(2, 0) | t.full((2,), 3) | t.full_like(x, 2)
t.empty_like(e)
"""

MATRIX = """
t.addmm(x, x, m) | t.addmm(w, x, m, beta=0.5, alpha=2) | t.addmm(odd, x, m, beta=0) | t.addmv(w, m, w)
t.addmv(s, m, w, alpha=3) | t.addr(m, w, w) | t.addr(x, x[:, 0], w, beta=2) | t.baddbmm(b, b, b)
t.baddbmm(w, b, b, beta=0.5) | t.addbmm(m, b, b, alpha=0.5) | t.addmm(i, i, t.ones(3, 3, dtype=t.long)) | t.mv(m, w)
t.dot(w, w) | t.vdot(v, v) | t.inner(x, y) | t.inner(c, w) | t.inner(s, x) | t.outer(u, v) | t.ger(u, v)
t.tensordot(b, b.permute(1, 2, 0), 2) | t.tensordot(c, b, ([0, 2], [0, 1])) | t.tensordot(u, v, 0)
t.tensordot(c, x, dims=([2], [1])) | t.tensordot(w, w, 1) | t.kron(x, m) | t.kron(v, x) | t.kron(i, x)
t.kron(s, x) | t.cross(m, m.T) | t.cross(x, y) | t.cross(m, m * m, dim=0) | t.linalg.cross(c, c * c)
t.linalg.cross(x, w[None]) | t.chain_matmul(x, m, m) | t.linalg.multi_dot([x, m, m, z.T])
t.linalg.multi_dot([w, m, m, w]) | t.linalg.multi_dot([w, m]) | t.linalg.multi_dot((x, m, w)) | t.cdist(x, m)
t.cdist(b, b * 2) | t.cdist(c, b, p=1.0) | t.cdist(x, m, 3.0) | t.cdist(x, m, float("inf")) | t.cdist(e, m)
t.dist(x, y) | t.dist(x, w, 1) | t.einsum("...ij,...jk->...ik", b, b) | t.einsum("ii->i", m)
t.einsum("bij,bij->b", b, b) | t.einsum("i...,i...", w, m) | t.linalg.inv(m) | t.inverse(b) | t.linalg.solve(m, w)
t.linalg.solve(m, z.T) | t.linalg.solve(b, b * 2) | t.linalg.solve(b, m) | t.linalg.solve(b, x)
t.linalg.solve(m, x, left=False) | t.linalg.det(m) | t.det(b) | t.linalg.slogdet(b) | t.logdet(m @ m.T)
t.linalg.inv(e[:0, :0]) | t.linalg.det(e[:0, :0]) | t.linalg.cholesky(m @ m.T + 1.5 * t.eye(3, dtype=t.float64))
t.cholesky(b @ b.mT + t.eye(3, dtype=t.float64), upper=True) | t.matrix_power(m, 3) | t.matrix_power(b, 0)
t.linalg.matrix_power(m, -2) | t.matrix_power(b, 5) | t.linalg.norm(x) | t.linalg.norm(c) | t.linalg.norm(x, 1)
t.linalg.norm(v, 3) | t.linalg.norm(x, float("-inf")) | t.linalg.norm(c, dim=(0, 2))
t.linalg.norm(c, 1, (1, 2), True) | t.linalg.norm(c, 2, dim=1) | t.linalg.norm(x, "fro")
t.linalg.norm(c, float("inf"), dim=(-1, 0)) | t.linalg.vector_norm(c) | t.linalg.vector_norm(c, 0, 1)
t.linalg.vector_norm(c, 3.5, (0, 1), True) | t.linalg.vector_norm(x, float("inf")) | t.linalg.matrix_norm(c)
t.linalg.matrix_norm(x, -1) | t.linalg.matrix_norm(c, float("inf"), (0, 1), keepdim=True) | t.linalg.vecdot(x, y)
t.linalg.vecdot(c, c * 2, dim=1) | t.linalg.diagonal(b) | t.linalg.matmul(b, m) | m.clone().addmm_(m, m)
w.clone().addmv_(m, w, alpha=2) | b.clone().baddbmm_(b, b) | m.clone().addr_(w, w) | m.addmm(m, m, beta=2)
m.inverse() | m.det() | x.cross(y, dim=1) | m.trace()
"""

FAMILIES = (ELEMENTWISE, STATISTICS, SELECTION, ARRANGING, MATRIX)
EXPRESSIONS = [line.strip() for family in FAMILIES for row in family.split("\n") for line in row.split(" | ") if line]


def outcome(t, text):
    """The values, and the gradients to second order, of an expression."""
    code = compile(text, text, "eval")
    names = [n for n in code.co_names if n in ARRAYS]
    found = operands(t, names)
    result = eval(code, {"t": t, **found})
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    values = [y.detach().numpy() for y in outputs]
    kinds = [str(y.dtype).rpartition(".")[2] for y in outputs]
    leaves = [x for x in found.values() if x.requires_grad]
    rng = np.random.default_rng(1)
    us = [t.from_numpy(np.asarray(rng.normal(size=tuple(y.shape)))).to(y.dtype) for y in outputs]
    live = [(y, u) for y, u in zip(outputs, us, strict=True) if y.requires_grad]
    if not live:
        return values, kinds, [np.zeros(tuple(x.shape)) for x in leaves * 2]
    first = t.autograd.grad([y for y, _ in live], leaves, [u for _, u in live], create_graph=True, allow_unused=True)
    parts = [(g * g * 0.5).sum() for g in first if g is not None and g.requires_grad]
    second = [None] * len(leaves)
    if parts and "cdist" not in text:  # PyTorch has no second derivative of it
        second = t.autograd.grad(sum(parts), leaves, allow_unused=True)
    pairs = zip([*leaves, *leaves], [*first, *second], strict=True)
    return values, kinds, [np.zeros(tuple(x.shape)) if g is None else g.detach().numpy(force=True) for x, g in pairs]


@pytest.mark.parametrize("text", EXPRESSIONS)
@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_agrees(text):
    expected, found = outcome(torch, text), outcome(tn, text)
    assert found[1] == expected[1]
    assert [y.shape for y in found[0]] == [y.shape for y in expected[0]]
    single = "float32" in expected[1]
    for a, b in zip(expected[0], found[0], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5 if single else 1e-9, atol=1e-12)
    for a, b in zip(expected[2], found[2], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5 if single else 1e-7, atol=1e-9, err_msg="gradient")
