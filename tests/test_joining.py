"""Joining with nothing: empty 1-d tensors fit into every `cat`, and have their place in the graph and in the dtype."""

import itertools

import numpy as np
import pytest

import tinynet as tn
from tinynet.errors import RangeError, ShapeError


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize(("shape", "dim"), [((2,), 0), ((2, 3), 0), ((2, 3), -1), ((2, 0), 1), ((1, 2, 1), 1)])
def test_gradients_reach_every_input(shape, dim, order):
    empty, plain, x = tn.zeros(0, requires_grad=True), tn.zeros(0), tn.full(shape, 3.0, requires_grad=True)
    y = tn.cat([(empty, plain, x)[i] for i in order], dim)
    np.testing.assert_array_equal(y.detach().numpy(), x.detach().numpy())
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.detach().numpy())
    assert empty.grad.shape == (0,)
    assert plain.grad is None


def test_an_empty_tensor_alone_requires_the_gradient():
    empty = tn.zeros(0, requires_grad=True)
    y = tn.cat([empty, tn.ones(2, 3)], 1)
    assert y.requires_grad
    y.sum().backward()
    assert empty.grad.shape == (0,)


def test_only_empty_tensors():
    a, b = tn.zeros(0, requires_grad=True), tn.zeros(0, requires_grad=True)
    for dim in (0, -1, 1):  # PyTorch does not look at the dim
        y = tn.cat([a, b], dim)
        assert y.shape == (0,)
        assert [g.shape for g in tn.autograd.grad(y.sum(), [a, b])] == [(0,), (0,)]


def test_the_dtype_is_that_of_all():
    wide, x = tn.zeros(0, dtype=tn.float64, requires_grad=True), tn.ones(2, 3, requires_grad=True)
    y = tn.cat([x, wide])
    assert y.dtype is tn.float64
    y.sum().backward()
    assert (x.grad.dtype, wide.grad.dtype) == (tn.float32, tn.float64)


def test_what_does_not_fit_is_counted_among_all():
    with pytest.raises(
        ShapeError, match=r"cat: tensor 2 has shape \(3, 2\), which differs from \(2, 3\) outside dim 0"
    ):
        tn.cat([tn.zeros(0), tn.ones(2, 3), tn.ones(3, 2)])
    with pytest.raises(RangeError, match="cat: dim 2 is out of range"):
        tn.cat([tn.zeros(0), tn.ones(2, 3)], 2)
