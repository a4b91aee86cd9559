"""Windows beside PyTorch's, periodic and symmetric, of every small length."""

from __future__ import annotations

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch")
LENGTHS = (0, 1, 2, 5, 8)


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hann", "kaiser"])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("periodic", [True, False])
def test_functions_of_the_package(name: str, length: int, periodic: bool) -> None:
    theirs, ours = (getattr(t, f"{name}_window")(length, periodic) for t in (torch, tn))
    assert str(ours.dtype).endswith("float32")
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bartlett", {}),
        ("blackman", {}),
        ("cosine", {}),
        ("exponential", {"tau": 2.5}),
        ("gaussian", {"std": 1.5}),
        ("general_cosine", {"a": [0.4, 0.3, 0.3]}),
        ("general_hamming", {"alpha": 0.7}),
        ("hamming", {}),
        ("hann", {}),
        ("kaiser", {"beta": 5.0}),
        ("nuttall", {}),
    ],
)
@pytest.mark.parametrize("sym", [True, False])
def test_signal_windows(name: str, options: dict, sym: bool) -> None:
    for length in LENGTHS:
        theirs, ours = (
            getattr(t.signal.windows, name)(length, sym=sym, dtype=t.float64, **options) for t in (torch, tn)
        )
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-9)


def test_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        tn.hann_window(-1)
    with pytest.raises(TypeError, match="floating"):
        tn.hann_window(3, dtype=tn.int64)
    with pytest.raises(ValueError, match="center"):
        tn.signal.windows.exponential(4, center=1.0)
