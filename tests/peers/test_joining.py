"""Joining, splitting, choosing and indexing agree with PyTorch on random small shapes, with empty and size-1 axes."""

import random

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

SEEDS = 150


def sizes(r, ndim=None):
    return tuple(r.choice([0, 1, 1, 2, 3]) for _ in range(r.randrange(4) if ndim is None else ndim))


def numbers(r, rng, shape):
    return rng.normal(size=shape).astype(r.choice([np.float64, np.float64, np.float32]))


def a_dim(r, ndim):
    return r.randrange(-max(ndim, 1), max(ndim, 1))


def joining(r, rng):
    shape, name = list(sizes(r)), r.choice(["cat", "stack"])
    dim = a_dim(r, len(shape) + (name == "stack"))
    arrays = []
    for _ in range(r.randrange(1, 5)):
        own = list(shape)
        if name == "cat" and shape:
            own[dim] = r.choice([0, 1, 2, 3])
            own = [0] if r.random() < 0.25 else own
        arrays.append(numbers(r, rng, sizes(r) if r.random() < 0.05 else tuple(own)))
    return arrays, lambda t, *xs: getattr(t, name)(list(xs), dim)


def splitting(r, rng):
    x = numbers(r, rng, sizes(r))
    dim = a_dim(r, x.ndim)
    n = x.shape[dim] if x.ndim else 1
    parts = r.choice([0, 1, 2, 3, n, [n], [1, n - 1], [0, n, 0], (n, 0)])
    pieces = r.randrange(1, 5)
    forms = [lambda t, x: t.split(x, parts, dim), lambda t, x: t.chunk(x, pieces, dim), lambda t, x: t.unbind(x, dim)]
    return [x], r.choice(forms)


def choosing(r, rng):
    shape = sizes(r)

    def part():
        return tuple(1 if r.random() < 0.4 else n for n in shape[r.randrange(len(shape) + 1) :])

    c = np.asarray(rng.random(part()) < 0.5)
    forms = [lambda t, c, x, y: t.where(c, x, y), lambda t, c, x, y: t.where(c, x, 2.5), lambda t, c, x, y: t.where(c)]
    return [c, numbers(r, rng, part()), numbers(r, rng, part())], r.choice(forms)


def a_key(r, rng, shape):
    common, key = r.choice([(), (1,), (2,), (0,), (2, 1)]), []
    for n in shape:
        k = r.randrange(7)
        if k == 0:
            key.append(slice(None))
        elif k == 1:
            key.append(slice(r.choice([None, 0, 1, -1]), r.choice([None, 1, 2, -1]), r.choice([None, 1, 2])))
        elif k == 2 and n:
            key.append(r.randrange(-n, n))
        elif k == 3 and n:
            key.append(rng.integers(-n, n, tuple(1 if r.random() < 0.3 else m for m in common)))
        elif k == 4:
            key.append(rng.random(n) < 0.5)
        elif k == 5:
            key += [None, slice(None)]
        else:
            key.append(...)
            break
    return tuple(key)


def indexing(r, rng):
    x = numbers(r, rng, sizes(r))
    key = a_key(r, rng, x.shape)
    try:
        picked = x[key].shape
    except IndexError:  # index arrays that do not fit together: both engines must refuse them
        picked = ()
    v = rng.normal(size=r.choice([picked, (), (1,) * len(picked), picked[1:]])).astype(x.dtype)

    def translated(t):
        return tuple(t.from_numpy(np.array(k)) if isinstance(k, np.ndarray) else k for k in key)

    def assigned(t, x, v):
        y = x * 1
        y[translated(t)] = v
        return y

    return [x, v], r.choice([lambda t, x, v: x[translated(t)], assigned])


def results(t, arrays, f, seed):
    """Values, and what gradients of first and second order there are; None if it is refused."""
    xs = [t.from_numpy(a.copy()) for a in arrays]
    leaves = [x.requires_grad_() for x, a in zip(xs, arrays, strict=True) if a.dtype.kind == "f"]
    try:
        ys = f(t, *xs)
    except (RuntimeError, IndexError, ValueError, TypeError):
        return None
    ys = ys if isinstance(ys, tuple | list) else [ys]
    values = [y.detach().numpy() for y in ys]
    rng, loss = np.random.default_rng(seed), 0.0
    for y in ys:
        u = t.from_numpy(np.asarray(rng.normal(size=tuple(y.shape))))
        loss = loss + (y.double() * y * y * u).sum() if y.requires_grad else loss
    if isinstance(loss, float) or not any(x.numel() for x in leaves):
        return values, [y.requires_grad for y in ys], []
    first = t.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    again = sum((g * g).sum().double() for g in first if g is not None and g.requires_grad)
    second = t.autograd.grad(again, leaves, allow_unused=True) if not isinstance(again, int) else ()
    found = [None if g is None else g.detach().numpy() for g in (*first, *second)]
    return values, [y.requires_grad for y in ys], found


@pytest.mark.parametrize("family", [joining, splitting, choosing, indexing])
def test_random_cases(family):
    compared = 0
    for seed in range(SEEDS):
        arrays, f = family(random.Random(seed), np.random.default_rng(seed))
        expected, found = results(torch, arrays, f, seed), results(tn, arrays, f, seed)
        tolerance = 1e-4 if any(a.dtype == np.float32 for a in arrays) else 1e-10
        where = f"seed {seed}, shapes {[a.shape for a in arrays]}"
        assert (found is None) == (expected is None), where
        if expected is None:
            continue
        assert found[1] == expected[1], where
        assert len(found[0]) == len(expected[0]), where
        for a, b in zip(found[0], expected[0], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=where, strict=True)
        for a, b in zip(found[2], expected[2], strict=True):
            assert (a is None) == (b is None), where
            if a is not None:
                assert a.dtype == b.dtype, where
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=where)
        compared += 1
    assert compared > SEEDS / 2
