import numpy as np
import pytest

from tinynet_kernels.cpu import threads
from tinynet_kernels.cpu.product import serves

from .guard import ends_at_guard

SHAPES = [(3, 4, 5), (1, 7, 1), (130, 33, 20), (20, 33, 300), (0, 3, 4), (3, 0, 4), (3, 4, 0), (200, 100, 90)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [None, 0, 3, 17])
def test_matmul(cpu, normal, close, shape, batch):
    m, k, n = shape
    lead = () if batch is None else (batch,)
    a, b = normal(*lead, m, k), normal(*lead, k, n)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    for left in (a, _transposed_storage(a)):
        for right in (b, _transposed_storage(b)):
            close(cpu.matmul(left, right), expected, 10)


def _transposed_storage(x):
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


def test_matmul_takes_any_layout(cpu, normal, close):
    a, b = normal(8, 6), normal(9, 12)
    expected = a[::-2, ::2].astype(np.float64) @ b[::3, ::-1].astype(np.float64)
    close(cpu.matmul(a[::-2, ::2], b[::3, ::-1]), expected)
    a.flags.writeable = False
    close(cpu.matmul(a, b[:6]), a.astype(np.float64) @ b[:6].astype(np.float64))
    row = np.broadcast_to(normal(1, 9), (6, 9))
    close(cpu.matmul(row, b), row.astype(np.float64) @ b.astype(np.float64))


@pytest.mark.parametrize("lead", [(), (0,), (1,), (5,), (2, 3), (300,), (2, 0, 3)])
@pytest.mark.parametrize("features", [(4, 3), (70, 90), (0, 3), (4, 0)])
def test_linear(cpu, normal, close, lead, features):
    inputs, outputs = features
    x, w, b, dy = normal(*lead, inputs), normal(outputs, inputs), normal(outputs), normal(*lead, outputs)
    wide = [v.astype(np.float64) for v in (x, w, b, dy)]
    close(cpu.linear_forward(x, w, None), wide[0] @ wide[1].T, 10)
    close(cpu.linear_forward(x, w, b), wide[0] @ wide[1].T + wide[2], 10)
    close(cpu.linear_grad_input(dy, w), wide[3] @ wide[1], 10)
    rows_dy, rows_x = wide[3].reshape(int(np.prod(lead)), outputs), wide[0].reshape(int(np.prod(lead)), inputs)
    close(cpu.linear_grad_weight(dy, x), rows_dy.T @ rows_x, 10)
    close(cpu.linear_grad_bias(dy), rows_dy.sum(0), 10)


def _ends_at_guard(x):
    """A copy in the same storage whose last number is the last one before a protected page."""
    turned = not x.flags.c_contiguous
    copy = ends_at_guard(x.swapaxes(-1, -2) if turned else x)
    return copy.swapaxes(-1, -2) if turned else copy


LARGE = [(1, 1030, 256, 64), (1, 64, 1030, 256), (1, 300, 190, 304), (3, 270, 260, 272), (1, 261, 530, 1200)]


@pytest.mark.parametrize(("batch", "m", "k", "n"), LARGE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_products_by_tiles(cpu, dtype, batch, m, k, n):
    """In every storage, with arrays that end at a protected page; the same bits for any number of threads."""
    assert serves(m, n, k, np.dtype(dtype).itemsize)
    rng = np.random.default_rng(m + n)
    a, b = (rng.standard_normal((batch, *shape)).astype(dtype) for shape in ((m, k), (k, n)))
    expected = a.astype(np.longdouble if dtype == "float64" and m * n * k < 2**25 else np.float64) @ b
    tolerance = 20 * np.finfo(dtype).eps * np.sqrt(k)
    found = []
    for left in (a, _transposed_storage(a)):
        for right in (b, _transposed_storage(b)):
            found.append(cpu.matmul(_ends_at_guard(left), _ends_at_guard(right)))
            assert np.abs(found[-1] - expected).max() <= tolerance * np.abs(expected).max()
    assert all(same.tobytes() == found[0].tobytes() for same in found)
    before = threads.get_num_threads()
    try:
        for count in (1, 2, 4):
            threads.set_num_threads(count)
            assert cpu.matmul(a, b).tobytes() == found[0].tobytes()
    finally:
        threads.set_num_threads(before)


def test_nan_and_inf_propagate(cpu, normal):
    a, b = normal(3, 4), normal(4, 5)
    a[0, 0], b[1, 1] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_array_equal(np.isnan(cpu.matmul(a, b)), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(cpu.matmul(a, b)), np.isinf(expected))
