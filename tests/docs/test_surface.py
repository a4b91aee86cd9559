"""docs/surface.md is what its tool writes, and says the truth of a few names."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("make_surface", ROOT / "tools" / "make_surface.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_its_tool_writes(tool):
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page_text(), "run tools/make_surface.py"


def test_names_are_found_and_missed(tool):
    assert tool.here("torch", "matmul")
    assert tool.here("torch.Tensor", "unsqueeze_")
    assert tool.here("torch.nn.utils.rnn", "PackedSequence")
    assert not tool.here("torch.fft", "rfft")  # it raises NotImplementedError
    assert not tool.here("torch", "frobnicate")
    assert not tool.here("torch.signal", "windows.hann")


def test_what_is_not_here_has_the_reason_that_fits(tool):
    assert tool.reason("torch.view_as_complex") == tool.reason("torch.fft.rfft") == "complex numbers"
    assert tool.reason("torch.Tensor.to_sparse") == "sparse and nested tensors"
    assert tool.reason("torch.quantize_per_tensor") == "quantized numbers"
    assert tool.reason("torch.linalg.svd") is None


def test_the_names_are_those_of_the_installed_pytorch(tool):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if torch.__version__.split("+")[0] != "2.13.0":
        pytest.skip("the list is PyTorch 2.13's")
    assert tool.NAMES.read_text(encoding="utf-8") == tool.names_text(), "run tools/make_surface.py --names"
