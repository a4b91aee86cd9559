"""PyTorch's names of the gradient checkers."""

from __future__ import annotations

import pytest

import tinynet as tn
from tinynet.autograd import Function, gradcheck, gradgradcheck
from tinynet.compat.gradcheck import GradcheckError


class Cube(Function):
    """x³, with a gradient that may be wrong."""

    factor = 3.0

    @classmethod
    def forward(cls, ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @classmethod
    def backward(cls, ctx, dy):
        (x,) = ctx.saved_tensors
        return cls.factor * x**2 * dy


class Wrong(Cube):
    factor = 3.03


def leaf(*sizes: int) -> tn.Tensor:
    return tn.randn(*sizes, dtype=tn.float64).requires_grad_()


def test_right_and_wrong_gradients() -> None:
    x = leaf(3, 2)
    assert gradcheck(Cube.apply, x)
    assert gradgradcheck(Cube.apply, (x,))
    assert gradcheck(lambda a, k, b: (a * k, (a @ b).tanh()), (leaf(3, 2), 2.5, leaf(2, 4)))
    assert not gradcheck(Wrong.apply, (x,), raise_exception=False)
    with pytest.raises(GradcheckError, match="fail"):
        gradcheck(Wrong.apply, (x,))
    assert gradcheck(Wrong.apply, (x,), rtol=0.1, atol=0.1)
    assert gradgradcheck(tn.nn.functional.linear, (leaf(3, 2), leaf(4, 2)), gen_non_contig_grad_outputs=True)


def test_refused() -> None:
    with pytest.raises(ValueError, match="requires a gradient"):
        gradcheck(tn.sin, (tn.ones(2),))
    with pytest.raises(NotImplementedError, match="check_forward_ad"):
        gradcheck(tn.sin, (leaf(2),), check_forward_ad=True)
