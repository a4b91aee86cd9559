"""Halves do not overflow inside a reduction; numbers that do not fit into an integer dtype are refused."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.errors import OptionError


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: tn.ones(70_000, dtype=x).mean(), 1.0),
        (lambda x: tn.full((10,), 300.0, dtype=x).norm(), 948.68),
        (lambda x: tn.tensor([0.0, 600.0], dtype=x).std(), 424.26),
        (lambda x: tn.tensor([0.0, 100.0] * 1000, dtype=x).var(), 2501.25),
        (lambda x: tn.full((10,), 60_000.0, dtype=x).mean(), 60_000.0),
    ],
)
@pytest.mark.parametrize("dtype", [tn.float16, tn.bfloat16], ids=str)
def test_reductions_of_halves_sum_in_float32(make, expected, dtype):
    found = make(dtype)
    assert found.dtype is dtype
    assert found.item() == pytest.approx(expected, rel=1e-2)


def test_the_gradient_of_a_long_mean_of_halves():
    x = tn.ones(70_000, dtype=tn.float16, requires_grad=True)
    x.mean().backward()
    assert x.grad[0].item() == pytest.approx(1 / 70_000, rel=1e-2)


def test_numbers_that_do_not_fit_are_refused():
    x = tn.zeros(2, dtype=tn.uint8)
    for call in (
        lambda: tn.tensor(300, dtype=tn.uint8),
        lambda: tn.tensor([1, -1], dtype=tn.uint8),
        lambda: tn.tensor(float("nan"), dtype=tn.int64),
        lambda: tn.full((2,), 300, dtype=tn.uint8),
        lambda: tn.full_like(x, -1),
        lambda: x.fill_(256),
        lambda: x.__setitem__(0, 256),
        lambda: x.masked_fill(x == 0, 256),
    ):
        with pytest.raises(OptionError, match=r"does not fit into tinynet\.(uint8|int64)"):
            call()
    assert tn.tensor(1.7, dtype=tn.int64).item() == 1
    assert tn.from_numpy(np.array([300])).to(tn.uint8).item() == 44
