"""The gradient of `ctc_loss` for log-probabilities themselves, which no gradient of logits shows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records.ctc import spelled

LOGP = np.log(np.random.default_rng(3).dirichlet(np.ones(3), size=(4, 3)))


def share(logp: np.ndarray, frames: int, target: list[int]) -> np.ndarray:
    """The probability of each class in each frame, given that the path spells the target; by all paths."""
    weights = np.zeros_like(logp)
    for path in itertools.product(range(logp.shape[1]), repeat=frames):
        if spelled(path, 0) == target:
            p = np.exp(sum(logp[t, c] for t, c in enumerate(path)))
            for t, c in enumerate(path):
                weights[t, c] += p
    return weights / weights[0].sum()


def gradient(frames: tuple[int, ...], targets: list[list[int]], **options: bool) -> np.ndarray:
    x = tn.tensor(LOGP, requires_grad=True)
    width = max(map(len, targets))
    rows = tn.tensor([t + [0] * (width - len(t)) for t in targets])
    F.ctc_loss(x, rows, frames, tuple(map(len, targets)), reduction="sum", **options).backward()
    assert x.grad is not None
    return x.grad.numpy()


@pytest.mark.parametrize("defined", [False, True])
def test_probability_less_share_inside_and_zero_outside(defined: bool) -> None:
    frames, targets = (4, 3, 4), [[1, 1], [2, 1], []]
    with tn.use_definitions() if defined else tn.enable_grad():
        found = gradient(frames, targets)
    for i, (n, target) in enumerate(zip(frames, targets, strict=True)):
        assert np.allclose(found[:n, i], (np.exp(LOGP[:, i]) - share(LOGP[:, i], n, target))[:n], atol=1e-12)
        assert (found[n:, i] == 0).all()


def test_a_target_that_no_path_spells() -> None:
    frames, targets = (4, 2, 4), [[1, 2], [1, 1], [2]]
    found, zeros = gradient(frames, targets), gradient(frames, targets, zero_infinity=True)
    assert not np.isfinite(found[:2, 1]).any()
    assert (found[2:, 1] == 0).all()
    assert (zeros[:, 1] == 0).all()
    assert np.array_equal(found[:, [0, 2]], zeros[:, [0, 2]])
