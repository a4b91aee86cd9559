"""torchvision's names: a program of them, grids of images."""

import os
from pathlib import Path

import numpy as np
import pytest

import tinynet as torch
import tinynet.compat.vision as torchvision
from tinynet.compat.vision import datasets, transforms
from tinynet.compat.vision.transforms import functional as TF
from tinynet.compat.vision.utils import make_grid, save_image
from tinynet.data import DataLoader, write_idx
from tinynet.errors import DtypeError, ShapeError

pytest.importorskip("PIL.Image", reason="pillow is not installed")


def test_names():
    assert torchvision.datasets.MNIST is datasets.MNIST
    assert torchvision.transforms.functional.hflip is TF.hflip
    assert torchvision.utils.make_grid is make_grid


@pytest.mark.parametrize("kind", ["MNIST", "FashionMNIST", "KMNIST"])
def test_a_program(tmp_path, kind):
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
    raw = tmp_path / kind / "raw"
    raw.mkdir(parents=True)
    write_idx(raw / "train-images-idx3-ubyte.gz", images)
    write_idx(raw / "train-labels-idx1-ubyte.gz", np.arange(6, dtype=np.uint8))
    pipeline = transforms.Compose(
        [transforms.RandomCrop(28, padding=4), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    )
    data = getattr(datasets, kind)(str(tmp_path), train=True, transform=pipeline, target_transform=lambda t: t + 1)
    assert (len(data), data.data.shape, len(data.classes)) == (6, (6, 28, 28), 10)
    x, y = next(iter(DataLoader(data, batch_size=4, num_workers=2)))
    assert (x.shape, y.tolist()) == ((4, 1, 28, 28), [1, 2, 3, 4])
    assert -1 <= x.min() < x.max() <= 1
    plain = getattr(datasets, kind)(tmp_path)
    np.testing.assert_array_equal(np.asarray(plain[5][0]), images[5])


@pytest.mark.skipif("TINYNET_DATA" not in os.environ, reason="TINYNET_DATA does not name the folder of real data")
def test_real_digits(tmp_path):
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "raw").symlink_to(Path(os.environ["TINYNET_DATA"], "mnist"))
    data = datasets.MNIST(tmp_path, train=False, transform=transforms.ToTensor())
    assert len(data) == 1000
    image, label = data[0]
    assert image.shape == (1, 28, 28)
    assert 0 <= label <= 9


def test_fake_data():
    data = datasets.FakeData(5, (3, 8, 6), 4, transform=transforms.PILToTensor())
    state = torch.get_rng_state()
    image, label = data[2]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(data[2][0], image)
    assert image.shape == (3, 8, 6)
    assert 0 <= label < 4
    assert not torch.equal(data[3][0], image)
    with pytest.raises(IndexError, match="5 items"):
        data[5]


def test_make_grid(tmp_path):
    x = torch.arange(24).reshape(6, 1, 2, 2).float()
    grid = make_grid(x, nrow=4, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 7, 13)
    assert grid[0].tolist()[1] == [-1, 0, 1, -1, 4, 5, -1, 8, 9, -1, 12, 13, -1]
    assert (grid[:, 3:, 6:][:, :, 1:] == -1).all()
    each = make_grid(list(x), normalize=True, scale_each=True, padding=0, nrow=6)
    np.testing.assert_allclose(each[1, 0].numpy(), [0, 1 / 3] * 6, rtol=1e-6)
    cut = make_grid(x, normalize=True, value_range=(4.0, 8.0), padding=0)
    assert cut[0, 0].tolist()[2:6] == [0.0, 0.25, 1.0, 1.0]
    assert make_grid(torch.ones(5, 4)).shape == (3, 5, 4)
    save_image(x / 23, tmp_path / "grid.png", nrow=3, padding=0)
    from PIL import Image

    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    np.testing.assert_array_equal(picture[0, :, 2], [int(v * 255 / 23 + 0.5) for v in (0, 1, 4, 5, 8, 9)])
    with pytest.raises(ShapeError, match="one shape"):
        make_grid([torch.ones(1, 2, 2), torch.ones(1, 3, 2)])
    with pytest.raises(DtypeError, match="got str"):
        make_grid("images")
