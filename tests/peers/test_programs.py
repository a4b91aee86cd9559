"""Ordinary PyTorch programs run after their imports are changed, and learn."""

import numpy as np
import pytest

import tinynet as tn
from tests.peers.programs import PROGRAMS, imported
from tinynet.errors import ShapeError


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_pytorch_program_runs_with_only_its_imports_changed(name):
    text = imported(PROGRAMS[name])
    assert "import torch\n" not in text
    scope = {"__name__": name}
    exec(compile(text, f"{name}.py", "exec"), scope)
    losses = scope["losses"]
    assert losses[-1] < 0.4 * losses[0]
    if "accuracy" in scope:
        assert scope["accuracy"] > 0.9


def test_a_sum_whose_shapes_fit_by_accident_alone():
    """The articles add (N, T, D) and (N, 1): that fits for N = 1, T = 1 or N = T, and raises elsewhere, as in PyTorch."""
    scope = {"__name__": "weighted_sum"}
    exec(compile(imported(PROGRAMS["weighted_sum"]), "weighted_sum.py", "exec"), scope)
    for shape in ((1, 5, 8), (4, 1, 8), (5, 5, 8)):
        assert scope["model"](tn.randn(*shape)).shape == np.broadcast_shapes(shape, (shape[0], 1))
    with pytest.raises(ShapeError, match="add"):
        scope["model"](tn.randn(3, 5, 8))
