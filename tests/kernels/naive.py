"""The definitions that kernels are tested against: loops over indices, in float64."""

import itertools

import numpy as np


def index_space(*sizes):
    return itertools.product(*(range(n) for n in sizes))


def out_size(size, kernel_size, stride, padding, dilation):
    return tuple(
        (i + 2 * p - d * (k - 1) - 1) // s + 1
        for i, k, s, p, d in zip(size, kernel_size, stride, padding, dilation, strict=True)
    )


def conv(x, w, b, *, stride, padding, dilation, groups):
    """One term a tap: the padded input from the tap's position on, every stride-th element."""
    size, kernel_size = x.shape[2:], w.shape[2:]
    out = out_size(size, kernel_size, stride, padding, dilation)
    y = np.zeros((x.shape[0], w.shape[0], *out))
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    per_group, filters = w.shape[1], w.shape[0] // groups
    for g in range(groups):
        channels, mine = slice(g * per_group, (g + 1) * per_group), slice(g * filters, (g + 1) * filters)
        for t in index_space(*kernel_size):
            begin = [a * d for a, d in zip(t, dilation, strict=True)]
            taps = tuple(slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(begin, stride, out, strict=True))
            y[:, mine] += np.einsum("nc...,oc->no...", x[(slice(None), channels, *taps)], w[(mine, slice(None), *t)])
    if b is not None:
        y += b.reshape(-1, *(1,) * len(size))
    return y


def windows(size, out, kernel_size, stride, padding, dilation):
    """For each output position, the positions of its taps that lie in the input."""
    for p in index_space(*out):
        axes = [
            [i for i in (a * s - q + t * d for t in range(k)) if 0 <= i < n]
            for a, k, s, q, d, n in zip(p, kernel_size, stride, padding, dilation, size, strict=True)
        ]
        yield p, list(itertools.product(*axes))


def max_pool(x, *, kernel_size, stride, padding, dilation, output_size):
    y = np.zeros((*x.shape[:2], *output_size), x.dtype)
    indices = np.zeros(y.shape, np.int64)
    for n, c in index_space(*x.shape[:2]):
        for p, taps in windows(x.shape[2:], output_size, kernel_size, stride, padding, dilation):
            best, where = -np.inf, taps[0]
            for i in taps:
                if x[(n, c, *i)] > best or np.isnan(x[(n, c, *i)]):
                    best, where = x[(n, c, *i)], i
            y[(n, c, *p)] = best
            indices[(n, c, *p)] = np.ravel_multi_index(where, x.shape[2:])
    return y, indices


def avg_pool(x, *, kernel_size, stride, padding, output_size, count_include_pad, divisor_override):
    y = np.zeros((*x.shape[:2], *output_size))
    ones = (1,) * len(kernel_size)
    size = x.shape[2:]
    for p, taps in windows(size, output_size, kernel_size, stride, padding, ones):
        padded = 1
        for a, k, s, q, n in zip(p, kernel_size, stride, padding, size, strict=True):
            padded *= min(a * s - q + k, n + q) - (a * s - q)
        divisor = divisor_override or (padded if count_include_pad else len(taps))
        for i in taps:
            y[(slice(None), slice(None), *p)] += x[(slice(None), slice(None), *i)] / divisor
    return y


def adaptive_windows(size, out):
    for p in index_space(*out):
        axes = [range(a * n // m, -(-(a + 1) * n // m)) for a, n, m in zip(p, size, out, strict=True)]
        yield p, list(itertools.product(*axes))


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def numeric_gradient(f, x, dy, h=1e-6):
    """d⟨dy, f(x)⟩/dx by central differences."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[i] += h
        low[i] -= h
        gradient[i] = ((f(high) - f(low)) * dy).sum() / (2 * h)
    return gradient
