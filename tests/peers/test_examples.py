"""Whole programs in the style of PyTorch's examples end with PyTorch's results, with only their imports changed."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.peers import examples
from tests.peers.programs import imported
from tinynet.data.digits import load_digits

pytest.importorskip("torch", reason="PyTorch is not installed")

SEEDS = 3
# how far the means over the seeds may be apart, and where both must be: (apart, least, most)
METRICS = {
    "digits_cnn": (0.05, 0.82, 1.0),
    "vae": (0.8, 10.0, 32.0),
    "dcgan": (0.15, 0.0, 0.7),
    "siamese": (0.06, 0.75, 1.0),
    "forward_forward": (0.14, 0.55, 1.0),
    "time_series": (0.03, 0.0, 0.1),
}
PARTS = [load_digits(train=part) for part in (True, False)]
IMAGES = np.concatenate([images for images, _ in PARTS])[:, None].astype(np.float32) / 16
LABELS = np.concatenate([labels for _, labels in PARTS])
FOLDER = Path(examples.__file__).parent


def run(name: str, change, seed: int) -> float:
    scope = {"__name__": name, "images": IMAGES.copy(), "labels": LABELS.copy(), "seed": seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(change((FOLDER / f"{name}.py").read_text(encoding="utf-8")), f"{name}.py", "exec"), scope)
    return scope["metric"]


def test_every_example_is_run():
    assert {p.stem for p in FOLDER.glob("[a-z]*.py")} == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_the_final_metric_is_pytorchs_over_the_seeds(name):
    assert "import torch\n" not in imported((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    apart, least, most = METRICS[name]
    theirs, ours = (np.mean([run(name, change, seed) for seed in range(SEEDS)]) for change in (str, imported))
    print(f"{name}: PyTorch {theirs:.4f}, tinynet {ours:.4f}")
    assert least <= theirs <= most
    assert least <= ours <= most
    assert abs(ours - theirs) <= apart
