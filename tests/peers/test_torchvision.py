"""Image transforms and grids against torchvision's, on tensors of floats and bytes and on images of pillow."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.compat.vision.utils import make_grid
from tinynet.data.transforms import functional as F

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
theirs = pytest.importorskip("torchvision.transforms.functional")

RNG = np.random.default_rng(0)
BYTES, FLOATS = RNG.integers(0, 256, (3, 13, 10), np.uint8), RNG.random((2, 3, 13, 10)).astype(np.float32)
MODES = ("nearest", "nearest-exact", "bilinear", "bicubic")


def case(name, *args, **options):
    return pytest.param(name, args, options, id=f"{name}{args}{options}")


CASES = [
    *(case("resize", s, interpolation=m, antialias=a) for m in MODES for s in (6, [5, 17]) for a in (True, False)),
    case("resize", 12, max_size=14),
    *(case("rotate", angle, interpolation="bilinear", expand=e) for angle in (30, 180, -77.5) for e in (False, True)),
    case("rotate", 30, interpolation="bilinear", center=[2, 3], fill=[7]),
    case("affine", 20, [2, -1], 1.3, [10, -5], interpolation="bilinear", fill=[5]),
    case("affine", -20, [0, 0], 0.7, [15], interpolation="bilinear", center=[1, 2]),
    *(case(name) for name in ("hflip", "vflip", "rgb_to_grayscale", "invert")),
    *(case("crop", *window) for window in ((2, 3, 5, 4), (-2, -3, 9, 20), (10, 8, 9, 9))),
    *(case("center_crop", size) for size in (5, [20, 7], [20, 21])),
    case("resized_crop", 1, 2, 7, 6, [5, 5]),
    *(
        case("pad", p, padding_mode=m)
        for m in ("constant", "edge", "reflect", "symmetric")
        for p in (2, [1, 3], [-1, 2, -2, 3])
    ),
    *(case(f"adjust_{name}", v) for name in ("brightness", "contrast", "saturation", "gamma") for v in (0.1, 1.0, 1.7)),
    *(case("adjust_hue", v) for v in (-0.5, -0.2, 0, 0.3)),
    case("rgb_to_grayscale", 3),
    case("gaussian_blur", 3),
    case("gaussian_blur", [5, 3], [1.0, 0.5]),
    case("normalize", [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]),
]


@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_functions(name, args, options):
    named = dict(options)
    if "interpolation" in options:
        named["interpolation"] = theirs.InterpolationMode(options["interpolation"])
    ours, other = getattr(F, name), getattr(theirs, name)
    wanted = other(torch.tensor(FLOATS), *args, **named).numpy()
    np.testing.assert_allclose(ours(tn.tensor(FLOATS), *args, **options).numpy(), wanted, atol=2e-6)
    if name == "normalize":
        return
    wanted = other(torch.tensor(BYTES), *args, **named).numpy().astype(int)
    found = ours(tn.tensor(BYTES), *args, **options)
    assert found.dtype is tn.uint8
    off = np.abs(found.numpy() - wanted)  # rounding of halves
    assert off.max() <= 1
    assert np.mean(off != 0) < 0.03
    if "fill" in options:
        named["fill"] = options["fill"] = options["fill"] * 3
    picture = Image.fromarray(BYTES.transpose(1, 2, 0))
    np.testing.assert_array_equal(ours(picture, *args, **options), other(picture, *args, **named))


@pytest.mark.parametrize("to", ["uint8", "int16", "float32", "float64"])
def test_dtypes(to):
    for source in (BYTES, FLOATS):
        wanted = theirs.convert_image_dtype(torch.tensor(source), getattr(torch, to)).numpy()
        np.testing.assert_allclose(F.convert_image_dtype(tn.tensor(source), getattr(tn, to)).numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_antialias(mode, align_corners):
    x = FLOATS.astype(np.float64)
    for sizes in ({"size": (4, 3)}, {"size": (15, 2)}, {"size": 1}, {"scale_factor": (0.3, 1.7)}):
        options = {"mode": mode, "align_corners": align_corners, "antialias": True, **sizes}
        wanted = torch.nn.functional.interpolate(torch.tensor(x), **options).numpy()
        np.testing.assert_allclose(tn.nn.functional.interpolate(tn.tensor(x), **options).numpy(), wanted, atol=1e-12)


def test_make_grid():
    for options in (
        {"nrow": 2, "padding": 3},
        {"normalize": True},
        {"normalize": True, "scale_each": True, "pad_value": 0.5},
        {"normalize": True, "value_range": (0.2, 0.6)},
    ):
        for x in (FLOATS, FLOATS[:, :1], FLOATS[0]):
            wanted = torchvision.utils.make_grid(torch.tensor(x), **options).numpy()
            np.testing.assert_allclose(make_grid(tn.tensor(x), **options).numpy(), wanted, atol=1e-6)
