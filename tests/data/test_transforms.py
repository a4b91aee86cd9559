"""Image transforms."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.data import transforms as T
from tinynet.data.transforms import functional as F
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
    assert T.CenterCrop(7)(x).shape == (2, 7, 7)
    assert tn.equal(T.CenterCrop(7)(x)[:, 1:6, 0:6], x)
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
    turned = T.functional.rotate(x, 90.0)
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


def test_resize():
    x = image(3, 8, 8)
    y = F.resize(x, [4, 8])
    weights = np.array([1, 3, 3, 1]) / 8  # a triangle as wide as two steps
    np.testing.assert_allclose(y.numpy()[:, 1], np.tensordot(weights, x.numpy()[:, 1:5], (0, 1)), rtol=1e-6)
    assert F.resize(image(h=4, w=8), 2).shape == (2, 2, 4)
    assert F.resize(image(h=4, w=8), 3, max_size=5).shape == (2, 2, 5)
    assert F.resize(x, 8) is x
    whole = tn.full((1, 9, 7), 7, dtype=tn.uint8)
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", T.InterpolationMode.BICUBIC, 2):
        y = T.Resize((5, 11), mode)(whole)
        assert (y.dtype, y.unique().tolist()) == (tn.uint8, [7])
    leaf = x.clone().requires_grad_()
    F.normalize(F.hflip(F.resize(leaf, 4, "bicubic")), [0.5], [2.0]).sum().backward()
    assert leaf.grad.sum().item() == pytest.approx(3 * 16 / 2, rel=1e-5)
    with pytest.raises(OptionError, match="of tensors must be one of nearest"):
        F.resize(x, 4, "lanczos")
    with pytest.raises(OptionError, match="max_size must be larger"):
        F.resize(x, 4, max_size=4)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_pad(mode):
    x = image()
    wanted = np.pad(x.numpy(), [(0, 0), (2, 4), (1, 3)], mode)
    np.testing.assert_array_equal(F.pad(x, (1, 2, 3, 4), padding_mode=mode).numpy(), wanted)
    np.testing.assert_array_equal(
        F.pad(x, (-1, -2, -3, 1), padding_mode=mode).numpy(),
        np.pad(x.numpy(), [(0, 0), (0, 1), (0, 0)], mode)[:, 2:, 1:3],
    )
    assert F.pad(x.to(tn.uint8), 1, fill=9, padding_mode=mode).dtype is tn.uint8


def test_turns_and_shifts():
    x = image(2, 4, 4)
    for k, angle in enumerate((0, 90, 180, 270)):
        np.testing.assert_allclose(F.rotate(x, angle, "bilinear").numpy(), np.rot90(x.numpy(), k, (1, 2)), atol=1e-4)
    assert F.rotate(image(2, 4, 6), 90, expand=True).shape == (2, 6, 4)
    moved = F.affine(x, 0, (1, -2), 1.0, 0, fill=[5.0])
    np.testing.assert_array_equal(moved.numpy()[:, :2, 1:], x.numpy()[:, 2:, :3])
    assert (moved.numpy()[:, 2:] == 5).all()
    np.testing.assert_allclose(F.affine(x, 0, (0, 0), 2.0, 0).numpy(), x.numpy()[:, 1:3, 1:3].repeat(2, 1).repeat(2, 2))
    np.testing.assert_allclose(F.affine(x, -30, (0, 0), 1.0, 0).numpy(), F.rotate(x, 30).numpy())
    with pytest.raises(OptionError, match="scale > 0"):
        F.affine(x, 0, (0, 0), 0.0, 0)


def test_colours():
    rgb = tn.rand(3, 4, 5)
    np.testing.assert_allclose(F.adjust_hue(rgb, 1 / 3).numpy(), rgb.numpy()[[2, 0, 1]], atol=1e-6)
    grey = F.rgb_to_grayscale(rgb, 3)
    assert tn.equal(F.adjust_saturation(rgb, 0.0), grey)
    for change in (F.adjust_saturation, F.adjust_contrast, F.adjust_brightness):
        np.testing.assert_allclose(change(rgb, 1.0).numpy(), rgb.numpy(), atol=1e-7)
        with pytest.raises(OptionError, match="must be ≥ 0"):
            change(rgb, -1.0)
    assert F.adjust_brightness(tn.full((1, 2, 2), 200, dtype=tn.uint8), 1.2).tolist() == [[[240] * 2] * 2]
    assert F.convert_image_dtype(tn.tensor([[0.0, 0.5, 1.0]]), tn.uint8).tolist() == [[0, 127, 255]]
    assert F.convert_image_dtype(tn.tensor([[0, 128, 255]], dtype=tn.uint8)).numpy()[0, 2] == 1.0
    with pytest.raises(TypeError, match="safely"):
        F.convert_image_dtype(rgb, tn.int32)
    blurred = F.gaussian_blur(tn.ones(1, 5, 5), 3)
    np.testing.assert_allclose(blurred.numpy(), 1.0, rtol=1e-6)
    spot = tn.zeros(1, 5, 5)
    spot[0, 2, 2] = 1.0
    w = np.exp(-0.5 * np.array([1, 0, 1]) / 0.7**2)
    np.testing.assert_allclose(
        F.gaussian_blur(spot, 3, 0.7).numpy()[0, 1:4, 1:4], np.outer(w, w) / w.sum() ** 2, rtol=1e-5
    )


RANDOM = [
    T.RandomAffine(20, (0.2, 0.1), (0.8, 1.2), 5),
    T.RandomResizedCrop(4),
    T.ColorJitter(0.5, 0.5, 0.5, 0.2),
    T.RandomErasing(0.9, value="random"),
    T.GaussianBlur(3),
    T.RandomGrayscale(0.5),
    T.RandomApply([T.RandomRotation(30, expand=True)], 0.5),
    T.RandomChoice([T.Pad(1), T.Lambda(lambda x: x * 2)], p=[1, 3]),
    T.RandomOrder([T.Pad(1), T.Lambda(lambda x: x * 2), T.CenterCrop(3)]),
]


@pytest.mark.parametrize("transform", RANDOM, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("shape", [(3, 7, 6), (2, 3, 7, 6)])
def test_random_transforms_are_seeded(transform, shape):
    def drawn(seed):
        tn.manual_seed(seed)
        return [transform(x).numpy().tobytes() for _ in range(8)]

    x = tn.rand(*shape)
    before = x.numpy().copy()
    first = drawn(1)
    assert drawn(1) == first
    assert len({*first, *drawn(2)}) > 1
    np.testing.assert_array_equal(x.numpy(), before)
    assert type(transform).__name__ in repr(transform)


def test_what_is_drawn():
    tn.manual_seed(0)
    x = tn.zeros(1, 10, 20)
    for _ in range(100):
        i, j, h, w = T.RandomResizedCrop.get_params(x, (0.1, 0.5), (0.5, 2.0))
        assert 0 <= i <= 10 - h
        assert 0 <= j <= 20 - w
        assert 15 <= h * w <= 110
    assert T.RandomResizedCrop.get_params(tn.zeros(1, 1, 9), (1.0, 1.0), (0.5, 2.0)) == (0, 3, 1, 2)
    order, b, c, s, h = T.ColorJitter(0.2, (0.5, 0.6)).get_params((0.8, 1.2), (0.5, 0.6), None, None)
    assert sorted(order.tolist()) == [0, 1, 2, 3]
    assert 0.8 <= b <= 1.2
    assert 0.5 <= c <= 0.6
    assert (s, h) == (None, None)
    erased = T.RandomErasing(1.0, (0.2, 0.2), (1.0, 1.0), value=3)(x)
    assert (erased == 3).sum().item() == 36
    angle, shift, scale, shear = T.RandomAffine.get_params((-5, 5), (0.5, 0.1), (2, 3), (1, 2, 3, 4), (20, 10))
    assert abs(angle) <= 5
    assert abs(shift[0]) <= 10
    assert abs(shift[1]) <= 1
    assert 2 <= scale <= 3
    assert 1 <= shear[0] <= 2 <= 3 <= shear[1] <= 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: T.ColorJitter(hue=0.7), "hue must lie in"),
        (lambda: T.ColorJitter(-1), "brightness must be ≥ 0"),
        (lambda: T.GaussianBlur(4), "must be odd"),
        (lambda: T.RandomErasing(2.0), "p must lie in"),
        (lambda: T.RandomErasing(value="noise"), "'random'"),
        (lambda: T.RandomAffine(5, translate=(2, 0)), "shares in"),
        (lambda: T.RandomChoice([abs], p=[0.0]), "not all 0"),
        (lambda: T.Pad((1, 2, 3)), "1, 2 or 4 numbers"),
        (lambda: T.Resize(0), "number ≥ 1"),
        (lambda: T.RandomRotation((3, 1)), "degrees must be"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_pillow():
    Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    a = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    picture = Image.fromarray(a)
    assert tn.equal(T.PILToTensor()(picture), tn.from_numpy(a.transpose(2, 0, 1).copy()))
    assert T.ToTensor()(picture).numpy().max() <= 1
    np.testing.assert_array_equal(np.asarray(T.ToPILImage()(T.ToTensor()(picture))), a)
    for change in (
        T.Pad((1, 2), padding_mode="edge"),
        T.Pad(2, fill=(1, 2, 3)),
        T.CenterCrop((5, 9)),
        T.RandomHorizontalFlip(1.0),
        T.RandomVerticalFlip(1.0),
        T.RandomCrop(4, padding=3, padding_mode="symmetric"),
        T.GaussianBlur(3, 1.0),
        T.RandomRotation((90, 90), expand=True),
    ):
        tn.manual_seed(1)
        y = change(picture)
        tn.manual_seed(1)
        fill = [1, 2, 3] if getattr(change, "fill", 0) == (1, 2, 3) else None
        x = T.PILToTensor()(picture)
        wanted = F.pad(x, 2, fill) if fill else change(x)
        np.testing.assert_array_equal(np.asarray(y).transpose(2, 0, 1), wanted.numpy())
    for mode, shape in (("L", (1, 8, 6)), ("RGBA", (4, 8, 6)), ("1", (1, 8, 6)), ("F", (1, 8, 6)), ("I", (1, 8, 6))):
        assert T.ToTensor()(picture.convert(mode)).shape == shape
    assert F.get_dimensions(F.resize(picture, 4)) == [3, 5, 4]
    assert T.Grayscale(3)(picture).mode == "RGB"
    assert T.ColorJitter(0.4, 0.4, 0.4, 0.1)(picture).size == picture.size
    assert T.RandomAffine(10, shear=4)(picture).size == picture.size
    with pytest.raises(TypeError, match="no mode in pillow"):
        F.to_pil_image(tn.zeros(5, 2, 2))
