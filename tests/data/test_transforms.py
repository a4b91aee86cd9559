"""Image transforms."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.data import transforms as T
from tinynet.errors import OptionError, ShapeError


def image(c=2, h=5, w=6):
    return tn.from_numpy(np.arange(c * h * w, dtype=np.float32).reshape(c, h, w))


def test_normalize_and_to_tensor():
    x = image()
    y = T.Normalize([1.0, 2.0], [2.0, 4.0])(x)
    np.testing.assert_allclose(y.numpy()[1], (x.numpy()[1] - 2) / 4)
    assert T.ToTensor()(np.full((4, 3, 2), 255, np.uint8)).shape == (2, 4, 3)
    assert T.ToTensor()(np.full((4, 3), 51, np.uint8)).max().item() == pytest.approx(0.2)
    with pytest.raises(OptionError, match="std"):
        T.Normalize([0.0], [0.0])
    with pytest.raises(ShapeError, match="3 means"):
        T.Normalize([0.0] * 3, [1.0] * 3)(x)
    with pytest.raises(TypeError, match="must be a Tensor"):
        T.Normalize([0.0], [1.0])(x.numpy())


def test_flips():
    x = image()
    assert tn.equal(T.RandomHorizontalFlip(1.0)(x), x.flip([-1]))
    assert tn.equal(T.RandomVerticalFlip(1.0)(x), x.flip([-2]))
    assert T.RandomHorizontalFlip(0.0)(x) is x
    tn.manual_seed(0)
    flipped = sum(not tn.equal(T.RandomHorizontalFlip()(x), x) for _ in range(400))
    assert 150 < flipped < 250


def test_crops():
    x = image()
    assert tn.equal(T.CenterCrop((3, 2))(x), x[:, 1:4, 2:4])
    with pytest.raises(ShapeError, match="larger than the image"):
        T.CenterCrop(7)(x)
    tn.manual_seed(0)
    crop = T.RandomCrop(4, padding=1, fill=-1)
    padded = np.pad(x.numpy(), [(0, 0), (1, 1), (1, 1)], constant_values=-1)
    windows = {padded[:, i : i + 4, j : j + 4].tobytes() for i in range(4) for j in range(5)}
    seen = {crop(x).numpy().tobytes() for _ in range(300)}
    assert seen == windows
    assert T.RandomCrop(9, pad_if_needed=True)(x).shape == (2, 9, 9)
    with pytest.raises(ShapeError, match="larger than the padded image"):
        T.RandomCrop(9)(x)


def test_rotation_is_counter_clockwise_about_the_centre():
    x = tn.zeros(1, 5, 5)
    x[0, 2, 4] = 1.0  # at the right
    turned = T.rotate(x, 90.0)
    assert turned[0, 0, 2].item() == pytest.approx(1.0)  # at the top
    assert turned.sum().item() == pytest.approx(1.0)
    assert tn.equal(T.RandomRotation((0, 0))(x), x)
    assert T.RandomRotation(30, "bilinear", fill=0.5)(x).dtype is tn.float32
    with pytest.raises(OptionError, match="interpolation"):
        T.RandomRotation(10, "cubic")


def test_compose_draws_from_the_current_stream():
    pipeline = T.Compose([T.RandomCrop(4, padding=2), T.RandomRotation(20), T.RandomHorizontalFlip()])
    tn.manual_seed(3)
    a = pipeline(image())
    tn.manual_seed(3)
    assert tn.equal(a, pipeline(image()))
