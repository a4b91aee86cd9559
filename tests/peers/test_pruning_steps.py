"""`nn.utils.prune` beside PyTorch's: the same masks, parameters and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinynet as tn
from tinynet.nn.utils import prune

torch = pytest.importorskip("torch")
reference = pytest.importorskip("torch.nn.utils.prune")


def pair() -> tuple[Any, Any]:
    """The same layer on both sides."""
    theirs = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    ours = tn.nn.Sequential(tn.nn.Linear(6, 4), tn.nn.ReLU(), tn.nn.Linear(4, 3))
    ours.load_state_dict({k: tn.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    return theirs, ours


def same(theirs: Any, ours: Any) -> None:
    a, b = theirs.state_dict(), ours.state_dict()
    assert list(a) == list(b)
    for key, value in a.items():
        assert np.array_equal(value.numpy(), b[key].numpy()), key
    x = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    y, z = theirs(torch.tensor(x)), ours(tn.tensor(x))
    assert np.allclose(y.detach().numpy(), z.detach().numpy(), atol=1e-6)
    y.sum().backward()
    z.sum().backward()
    for (name, p), (other, q) in zip(theirs.named_parameters(), ours.named_parameters(), strict=True):
        assert name == other
        assert np.allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-6), name


STEPS: dict[str, Any] = {
    "l1": lambda p, m: p.l1_unstructured(m[0], "weight", 0.3),
    "count": lambda p, m: p.l1_unstructured(m[0], "weight", 7),
    "twice": lambda p, m: (p.l1_unstructured(m[0], "weight", 0.3), p.l1_unstructured(m[0], "weight", 5)),
    "rows": lambda p, m: p.ln_structured(m[0], "weight", 0.5, 2, 0),
    "columns then elements": lambda p, m: (
        p.ln_structured(m[0], "weight", 2, float("inf"), 1),
        p.l1_unstructured(m[0], "weight", 0.25),
        p.ln_structured(m[0], "weight", 1, 1, 1),
    ),
    "bias": lambda p, m: p.l1_unstructured(m[2], "bias", 1),
    "identity": lambda p, m: p.identity(m[2], "weight"),
    "global": lambda p, m: p.global_unstructured(
        [(m[0], "weight"), (m[2], "weight"), (m[2], "bias")], p.L1Unstructured, amount=0.4
    ),
    "global twice": lambda p, m: [
        p.global_unstructured([(m[0], "weight"), (m[2], "weight")], p.L1Unstructured, amount=a) for a in (5, 0.3)
    ],
    "removed": lambda p, m: (p.l1_unstructured(m[0], "weight", 0.5), p.remove(m[0], "weight")),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps(name: str) -> None:
    theirs, ours = pair()
    STEPS[name](reference, theirs)
    STEPS[name](prune, ours)
    assert reference.is_pruned(theirs) == prune.is_pruned(ours)
    if name == "removed":  # PyTorch moves the parameter to the end, too
        assert sorted(theirs.state_dict()) == sorted(ours.state_dict())
    same(theirs, ours)
