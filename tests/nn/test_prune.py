"""Pruning of parameters."""

from __future__ import annotations

import numpy as np
import pytest

import tinynet as tn
from tinynet.nn.utils import prune


def test_smallest_elements_become_zero_and_stay_zero() -> None:
    layer = tn.nn.Linear(5, 4)
    before = layer.weight.detach().numpy().copy()
    prune.l1_unstructured(layer, "weight", 0.25)
    smallest = np.sort(np.abs(before).ravel())[:5]
    assert np.array_equal(layer.weight.detach().numpy() == 0, np.isin(np.abs(before), smallest))
    assert set(dict(layer.named_parameters())) == {"bias", "weight_orig"}
    optimizer = tn.optim.SGD(layer.parameters(), lr=0.1)
    layer(tn.ones(2, 5)).sum().backward()
    optimizer.step()
    layer(tn.ones(2, 5))
    assert np.array_equal(layer.weight.detach().numpy() == 0, np.isin(np.abs(before), smallest))
    prune.remove(layer, "weight")
    assert isinstance(layer.weight, tn.nn.Parameter)
    assert not prune.is_pruned(layer)
    assert "weight_mask" not in layer.state_dict()


@pytest.mark.parametrize("call", [prune.random_unstructured, lambda m, n, a: prune.random_structured(m, n, a, 0)])
def test_random_draws(call) -> None:
    layer = tn.nn.Linear(6, 4)
    tn.manual_seed(3)
    call(layer, "weight", 0.5)
    zeros = layer.weight.detach().numpy() == 0
    assert zeros.sum() == 12
    other = tn.nn.Linear(6, 4)
    tn.manual_seed(3)
    call(other, "weight", 0.5)
    assert np.array_equal(zeros, other.weight.detach().numpy() == 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: prune.l1_unstructured(m, "weight", 1.5), "amount must be"),
        (lambda m: prune.l1_unstructured(m, "weight", 21), "more than the 20"),
        (lambda m: prune.l1_unstructured(m, "nothing", 1), "no parameter 'nothing'"),
        (lambda m: prune.remove(m, "weight"), "not pruned"),
        (lambda m: prune.ln_structured(m, "bias", 1, 2, 0), "2 dimensions"),
        (lambda m: prune.custom_from_mask(m, "weight", tn.ones(2)), "shape"),
        (lambda m: prune.global_unstructured([], prune.L1Unstructured, amount=1), "at least one"),
    ],
)
def test_bad_input(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(tn.nn.Linear(5, 4))
