"""Vector code: every length of tail, on arrays that end at a protected page."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import settings

from .guard import ends_at_guard, guarded

THOROUGH = settings.get_current_profile_name() == "thorough"

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def ops(cpu):
    from numba import njit

    from tinynet_kernels.cpu import simd

    @njit
    def move(x, xo, y, yo, count):
        simd.move(x, xo, y, yo, count)

    @njit
    def move_even(x, xo, y, yo, count):
        simd.move_even(x, xo, y, yo, count)

    @njit
    def put(t, to, add, y, yo, count):
        simd.put(t, to, add, y, yo, count)

    @njit
    def transpose(x, xo, ldx, rows, count, y, yo, ldy):
        simd.transpose(x, xo, ldx, rows, count, y, yo, ldy)

    @njit
    def split(x, xo, count, y, places, low, high):
        simd.split(x, xo, count, y, places, low, high)

    return {"move": move, "move_even": move_even, "put": put, "transpose": transpose, "split": split}


def lanes(dtype):
    from tinynet_kernels.cpu import simd

    return simd.lanes(dtype)


def test_guard_kills(cpu):
    program = (
        "import numpy as np\nfrom tests.kernels.guard import guarded\n"
        "x = guarded((5,), np.float32)\n"
        "import ctypes\nprint(ctypes.c_float.from_address(x.ctypes.data + 16).value is not None, flush=True)\n"
        "ctypes.c_float.from_address(x.ctypes.data + 20).value"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ)
    assert done.stdout.strip() == "True"
    assert done.returncode < 0


def test_move(ops, dtype, normal):
    for count in range(2 * lanes(dtype) + 3):
        x, y = ends_at_guard(normal(count + 1)), guarded((count,), dtype)
        y[:] = 7
        ops["move"](x, 1, y, 0, count)
        np.testing.assert_array_equal(y, x[1:])


def test_move_even(ops, dtype, normal):
    for count in range(2 * lanes(dtype) + 3):
        x, y = ends_at_guard(normal(max(0, 2 * count - 1))), guarded((count,), dtype)
        ops["move_even"](x, 0, y, 0, count)
        np.testing.assert_array_equal(y, x[::2])


def test_put(ops, dtype, normal):
    n = lanes(dtype)
    for count in range(n + 1):
        t, y = ends_at_guard(normal(n + 2)), guarded((count + 1,), dtype)
        y[0] = 7
        ops["put"](t, 2, dtype(0.5), y, 1, count)
        np.testing.assert_array_equal(y, np.concatenate([[7], t[2 : 2 + count] + dtype(0.5)]).astype(dtype))


def test_transpose(ops, dtype, normal):
    n = lanes(dtype)
    for rows in range(1, n + 1):
        for count in (1, 2, n // 2, n - 1, n):
            x, y = ends_at_guard(normal(rows, count + 3)), guarded((count, n), dtype)
            ops["transpose"](x.reshape(-1), 3, count + 3, rows, count, y.reshape(-1), 0, n)
            np.testing.assert_array_equal(y[:, :rows], x[:, 3:].T)
            assert not y[:, rows:].any()


def test_split(ops, dtype, normal):
    for count in range(1, 4 * lanes(dtype) + 3):
        x = ends_at_guard(normal(count))
        even, odd = (count + 1) // 2, count // 2
        y = np.full(2 * even + 2 * odd + 3, 7, dtype)
        places = (0, even, even + odd - 1, 2 * even + odd + 1)
        ops["split"](x, 0, count, y, places, (0, 0, 1, 0), (even, odd, even, max(odd - 1, 0)))
        expected = np.full_like(y, 7)
        expected[:even], expected[even : even + odd] = x[::2], x[1::2]
        expected[even + odd : 2 * even + odd - 1] = x[2::2]
        expected[2 * even + odd + 1 : 2 * even + odd + 1 + max(odd - 1, 0)] = x[1::2][: max(odd - 1, 0)]
        np.testing.assert_array_equal(y, expected)


NARROW = """
import numpy as np
import tinynet_kernels
from tests.kernels import naive
from tinynet_kernels.cpu import simd
k = tinynet_kernels.kernels_for()
print(simd.width())
rng = np.random.default_rng(0)
for channels, filters in ((3, 5), (17, 20)):
    for stride in (1, 2, 3):
        o = dict(stride=(stride, 1), padding=(1, 2), dilation=(1, 1), groups=1)
        x, w = rng.standard_normal((3, channels, 13, 19)), rng.standard_normal((filters, channels, 3, 3))
        for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-11)):
            a, b = x.astype(dtype), w.astype(dtype)
            y = naive.conv(a.astype(float), b.astype(float), None, **o)
            dy = rng.standard_normal(y.shape)
            product = (y * dy).sum()
            assert abs(k.conv_forward(a, b, None, **o) - y).max() < tolerance * abs(y).max()
            dx = k.conv_grad_input(dy.astype(dtype), b, input_size=(13, 19), **o)
            dw = k.conv_grad_weight(dy.astype(dtype), a, kernel_size=(3, 3), **o)
            scale = tolerance * abs(y * dy).sum()
            assert abs((dx * x).sum() - product) < scale and abs((dw * w).sum() - product) < scale
"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [4, 8] if THOROUGH else [8])  # each compiles anew
def test_narrower_vectors(cpu, width):
    from tinynet_kernels.cpu import simd

    environment = {**os.environ, "TINYNET_VECTOR_LANES": str(width)}
    done = subprocess.run([sys.executable, "-c", NARROW], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == min(width, simd.width())


def test_lanes_that_do_not_exist(cpu):
    environment = {**os.environ, "TINYNET_VECTOR_LANES": "12"}
    program = "from tinynet_kernels.cpu import simd"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "TINYNET_VECTOR_LANES must be 4, 8 or 16, got '12'" in done.stderr


def test_pairs(cpu, dtype):
    """The largest of 2 × 2, and its transpose, at every width; ties, NaN, and rows that end at a protected page."""
    rng = np.random.default_rng(0)
    options = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)}
    for height in (2, 3, 4):
        for width in range(2, 4 * lanes(dtype) + 4):
            x = ends_at_guard(rng.integers(-3, 3, (1, 2, height, width)).astype(dtype))
            x[rng.random(x.shape) < 0.1] = np.nan
            out = (height // 2, width // 2)
            y, taps = cpu.max_pool_forward(x, output_size=out, **options)
            squares = x[..., : 2 * out[0], : 2 * out[1]].reshape(1, 2, out[0], 2, out[1], 2).swapaxes(3, 4)
            squares = squares.reshape(*y.shape, 4)
            np.testing.assert_array_equal(y, squares.max(axis=-1))
            lost = np.isnan(y)
            first = (squares == y[..., None]).argmax(axis=-1)
            last = 3 - np.isnan(squares)[..., ::-1].argmax(axis=-1)
            np.testing.assert_array_equal(taps, np.where(lost, last, first))
            dy = ends_at_guard(rng.standard_normal(y.shape).astype(dtype))
            dx = cpu.max_pool_backward(dy, ends_at_guard(taps), input_size=(height, width), **options)
            expected = np.zeros_like(squares)
            np.put_along_axis(expected, taps[..., None].astype(np.int64), dy[..., None], axis=-1)
            whole = np.zeros_like(x)
            shape = (1, 2, out[0], out[1], 2, 2)
            whole[..., : 2 * out[0], : 2 * out[1]] = (
                expected.reshape(shape).swapaxes(3, 4).reshape(1, 2, 2 * out[0], 2 * out[1])
            )
            np.testing.assert_array_equal(dx, whole)
