"""Ordinary PyTorch programs run after their imports are changed, and learn."""

import pytest

from tests.peers.programs import PROGRAMS, imported


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
