import numpy as np
import pytest

from . import naive

REDUCTIONS = ["none", "mean", "sum"]


@pytest.mark.parametrize("shape", [(4, 3), (300, 20), (5, 2, 7), (2, 3, 4, 5), (16, 8, 50, 50), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm(cpu, close, normal, shape, affine):
    x, dy = 3 * normal(*shape) + 20, normal(*shape)
    w, b = (normal(shape[1]), normal(shape[1])) if affine else (None, None)
    y, mean, rstd = cpu.batch_norm_forward(x, w, b, eps=1e-3)
    wide, axes = x.astype(np.float64), tuple(i for i in range(len(shape)) if i != 1)
    column = lambda v: np.asarray(v, np.float64).reshape(-1, *(1,) * (len(shape) - 2))  # noqa: E731
    centred = wide - wide.mean(axes, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axes) + 1e-3)
    normed = centred * column(scale)
    gain, shift = (column(w), column(b)) if affine else (1.0, 0.0)
    close(y, normed * gain + shift, 10)
    close(mean.astype(x.dtype), wide.mean(axes))
    close(rstd.astype(x.dtype), scale)
    dx, dw, db = cpu.batch_norm_backward(dy, x, w, mean, rstd)
    grad = dy.astype(np.float64)
    close(dw, (grad * normed).sum(axes), 20)
    close(db, grad.sum(axes), 10)
    inner = grad - grad.mean(axes, keepdims=True) - normed * (grad * normed).mean(axes, keepdims=True)
    close(dx, inner * column(scale) * gain, 10)


def test_batch_norm_of_a_large_mean_keeps_its_digits(cpu):
    x = np.random.default_rng(0).standard_normal((64, 1, 100)) + 1e8
    _, _, rstd = cpu.batch_norm_forward(x, None, None, eps=0.0)
    np.testing.assert_allclose(rstd, 1 / x.std(), rtol=1e-9)


@pytest.mark.parametrize("rows", [3, 8])
def test_layer_norm_of_a_large_mean_in_float32(cpu, rows):
    """The mean, rounded to float32, is off by up to 3e-5 of a standard deviation; what is left of it is not lost."""
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((rows, 40)) + 1000.3).astype(np.float32)
    w, dy = (rng.standard_normal(shape).astype(np.float32) for shape in (40, (rows, 40)))
    y, mean, rstd = cpu.layer_norm_forward(x, w, w, axes=1, eps=0.0, centred=True)
    found = (y, *cpu.layer_norm_backward(dy, x, w, mean, rstd, axes=1, centred=True))
    exact = x.astype(np.float64)
    scale = 1 / exact.std(1, keepdims=True)
    normed, grad = (exact - exact.mean(1, keepdims=True)) * scale, dy.astype(np.float64) * w
    dx = scale * (grad - grad.mean(1, keepdims=True) - normed * (grad * normed).mean(1, keepdims=True))
    expected = (normed * w + w, dx, (dy * normed).sum(0), dy.astype(np.float64).sum(0))
    for value, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=0, atol=4e-6 * max(1.0, np.abs(right).max()))


def cross_entropy(x, target, weight, ignore_index, label_smoothing, reduction):
    logp, classes = naive.log_softmax(x), x.shape[1]
    w = np.ones(classes) if weight is None else weight.astype(np.float64)
    loss, weights = np.zeros(target.shape), np.zeros(target.shape)
    for n, m in naive.index_space(*target.shape):
        t = target[n, m]
        if t != ignore_index:
            weights[n, m] = w[t]
            loss[n, m] = -(1 - label_smoothing) * w[t] * logp[n, t, m]
            loss[n, m] -= label_smoothing / classes * (w * logp[n, :, m]).sum()
    return {"none": loss, "sum": loss.sum(), "mean": loss.sum() / weights.sum()}[reduction]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [-100, 1])
def test_cross_entropy(cpu, close, normal, dtype, reduction, smoothing, weighted, ignore_index):
    rng = np.random.default_rng(1)
    x, target = 5 * normal(4, 5, 3), rng.integers(0, 5, (4, 3))
    target[0, 0] = ignore_index
    weight = rng.random(5).astype(dtype) if weighted else None
    options = {"ignore_index": ignore_index, "label_smoothing": smoothing, "reduction": reduction}
    wide = x.astype(np.float64)
    loss, cache = cpu.cross_entropy_forward(x, target, weight, **options)
    define = lambda v: cross_entropy(v, target, weight, **options)  # noqa: E731
    expected_loss = define(wide)
    close(loss, expected_loss)
    close((cache[0] + np.log(cache[1])).astype(dtype), np.log(np.exp(wide).sum(1)))
    dloss = normal(*loss.shape) if loss.ndim else np.asarray(0.7, dtype)
    dx = cpu.cross_entropy_backward(dloss, x, cache, target, weight, **options)
    expected = naive.numeric_gradient(define, wide, dloss.astype(np.float64))
    np.testing.assert_allclose(dx, expected, atol=1e-5 if dtype == np.float32 else 1e-8)
    if not smoothing:
        logp = naive.log_softmax(wide).astype(dtype)
        del options["label_smoothing"]
        loss, total_weight = cpu.nll_forward(logp, target, weight, **options)
        close(loss, expected_loss)
        # the loss is linear in logp: its gradient is minus its coefficients
        basis = cpu.nll_backward(dloss, total_weight, target, weight, shape=logp.shape, **options)
        got = (basis.astype(np.float64) * logp).sum()
        assert got == pytest.approx((expected_loss * dloss).sum(), rel=1e-4 if dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("shape", [(64, 10, 1), (300, 1000, 1), (4, 20, 900)])
def test_cross_entropy_large(cpu, close, normal, shape):
    x = normal(*shape)
    target = np.random.default_rng(0).integers(0, shape[1], (shape[0], shape[2]))
    options = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"}
    loss, cache = cpu.cross_entropy_forward(x, target, None, **options)
    p = np.exp(naive.log_softmax(x.astype(np.float64)))
    close(loss, -np.log(np.take_along_axis(p, target[:, None], 1)).mean())
    p -= np.arange(shape[1])[:, None] == target[:, None]
    close(cpu.cross_entropy_backward(np.ones((), x.dtype), x, cache, target, None, **options), p / target.size)


def test_cross_entropy_of_infinite_logits(cpu, dtype):
    options = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "none"}
    inf = np.inf
    x = np.array([[0, -inf, 0], [0, -inf, 0], [-inf, -inf, -inf], [0, inf, 0], [0, np.nan, 0]], dtype)[:, :, None]
    target = np.array([[0], [1], [0], [0], [0]])
    loss, cache = cpu.cross_entropy_forward(x, target, None, **options)
    np.testing.assert_allclose(loss[:, 0], [np.log(2), inf, np.nan, np.nan, np.nan], rtol=1e-6)
    dx = cpu.cross_entropy_backward(np.ones((5, 1), dtype), x, cache, target, None, **options)
    np.testing.assert_allclose(dx[0, :, 0], [-0.5, 0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(dx[1, :, 0], [0.5, -1, 0.5], rtol=1e-6)
    assert np.isnan(dx[2:]).any(axis=1).all()


@pytest.mark.parametrize("rows", [0, 3])
def test_no_row_counts(cpu, dtype, rows):
    x, target = np.zeros((rows, 4, 1), dtype), np.full((rows, 1), 2)
    for reduction, expected in (("mean", np.nan), ("sum", 0.0)):
        options = {"ignore_index": 2, "reduction": reduction}
        loss, cache = cpu.cross_entropy_forward(x, target, None, label_smoothing=0.0, **options)
        np.testing.assert_equal(float(loss), expected)
        nll, total_weight = cpu.nll_forward(x, target, None, **options)
        np.testing.assert_equal(float(nll), expected)
        dloss = np.ones((), dtype)
        dx = cpu.cross_entropy_backward(dloss, x, cache, target, None, label_smoothing=0.0, **options)
        assert dx.shape == x.shape
        assert not cpu.nll_backward(dloss, total_weight, target, None, shape=x.shape, **options).any()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (500, 500)])
def test_mse(cpu, close, normal, dtype, reduction, shape):
    x, y = np.asarray(normal(*shape), dtype), np.asarray(normal(*shape), dtype)
    if reduction == "mean" and x.size == 0:
        assert np.isnan(cpu.mse_forward(x, y, reduction=reduction))
        return
    difference = x.astype(np.float64) - y
    expected = {"none": difference**2, "mean": (difference**2).sum() / max(x.size, 1), "sum": (difference**2).sum()}
    loss = cpu.mse_forward(x, y, reduction=reduction)
    close(loss, expected[reduction], 10)
    dloss = np.asarray(normal(*loss.shape), dtype)
    dx = 2 * difference * dloss / (x.size if reduction == "mean" else 1)
    close(cpu.mse_backward(dloss, x, y, reduction=reduction), dx)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(3, 5), (200, 200)])
def test_bce_with_logits(cpu, close, normal, dtype, reduction, weighted, shape):
    rng = np.random.default_rng(0)
    x, y = 20 * normal(*shape), rng.random(shape).astype(dtype)
    w, q = (rng.random(shape).astype(dtype), 3 * rng.random(shape).astype(dtype)) if weighted else (None, None)
    loss = cpu.bce_with_logits_forward(x, y, w, q, reduction=reduction)
    wide, target = x.astype(np.float64), y.astype(np.float64)
    wide_w, wide_q = (w.astype(np.float64), q.astype(np.float64)) if weighted else (1.0, 1.0)
    positive, negative = np.logaddexp(0, -wide), np.logaddexp(0, wide)
    each = wide_w * (wide_q * target * positive + (1 - target) * negative)
    close(loss, {"none": each, "mean": each.mean(), "sum": each.sum()}[reduction], 10)
    dloss = np.asarray(normal(*loss.shape), dtype)
    dx = cpu.bce_with_logits_backward(dloss, x, y, w, q, reduction=reduction)
    dy = cpu.bce_with_logits_grad_target(dloss, x, w, q, reduction=reduction)
    g = wide_w * dloss / (x.size if reduction == "mean" else 1)
    sigmoid = np.exp(-positive)
    close(dx, g * ((1 - target) * sigmoid - wide_q * target * (1 - sigmoid)), 10)
    close(dy, g * (wide_q * positive - negative), 10)


def test_bce_with_logits_at_the_ends(cpu, dtype):
    x = np.array([-1e4, 1e4, -1e4, 1e4, np.nan], dtype)
    y = np.array([0, 1, 1, 0, 0], dtype)
    loss = cpu.bce_with_logits_forward(x, y, None, None, reduction="none")
    np.testing.assert_array_equal(loss, np.array([0, 0, 1e4, 1e4, np.nan], dtype))
