"""The same bits for any number of threads; Python threads, and children after a fork."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

EVERY_KERNEL = """
import hashlib, sys
import numpy as np
import tinynet_kernels
k = tinynet_kernels.kernels_for()
k.set_num_threads(int(sys.argv[1]))
assert k.get_num_threads() == int(sys.argv[1])
digest = hashlib.sha256()

def see(*results):
    for r in results:
        digest.update(np.ascontiguousarray(r).tobytes())

for dtype in map(np.dtype, sys.argv[2:]):
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.standard_normal(shape).astype(dtype)
    a, b = normal(333, 257), normal(257, 190)
    see(k.matmul(a, b), k.matmul(normal(5, 70, 90), normal(5, 90, 80)))
    dy = normal(333, 190)
    see(k.linear_grad_weight(dy, a), k.linear_grad_input(dy, b.T), k.linear_grad_bias(normal(3333, 190)))
    o = dict(stride=(1, 1), padding=(1, 1), dilation=(1, 1))
    full = normal(9, 8, 30, 30), normal(20, 8, 3, 3), 1
    few = normal(9, 2, 30, 30), normal(4, 2, 3, 3), 1
    winograd = normal(9, 20, 30, 30), normal(18, 20, 3, 3), 1
    depthwise = normal(9, 16, 30, 30), normal(16, 1, 3, 3), 16
    for x, w, groups in (full, few, winograd, depthwise):
        y = k.conv_forward(x, w, None, groups=groups, **o)
        dy = normal(*y.shape)
        see(y, k.conv_grad_input(dy, w, input_size=(30, 30), groups=groups, **o), k.conv_grad_bias(dy))
        see(k.conv_grad_weight(dy, x, kernel_size=(3, 3), groups=groups, **o))
    for x, w in ((normal(9, 8, 30, 30), normal(300, 8, 1, 1)), (normal(9, 8, 12, 12), normal(20, 8, 5, 5))):
        y = k.conv_forward(x, w, None, groups=1, **(o | dict(padding=(0, 0))))
        dy = normal(*y.shape)
        see(y, k.conv_grad_input(dy, w, input_size=x.shape[2:], groups=1, **(o | dict(padding=(0, 0)))))
        see(k.conv_grad_weight(dy, x, kernel_size=w.shape[2:], groups=1, **(o | dict(padding=(0, 0)))))
    x, w = full[:2]
    p = dict(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    y, i = k.max_pool_forward(x, output_size=(15, 15), dilation=(1, 1), **p)
    see(y, i, k.max_pool_backward(y, i, input_size=(30, 30), dilation=(1, 1), **p))
    p |= dict(count_include_pad=True, divisor_override=None)
    y = k.avg_pool_forward(x, output_size=(15, 15), **p)
    see(y, k.avg_pool_backward(y, input_size=(30, 30), **p))
    x, dy = normal(20, 7, 41, 43), normal(20, 7, 41, 43)
    y, mean, rstd = k.batch_norm_forward(x, None, None, eps=1e-5)
    see(y, mean, rstd, *k.batch_norm_backward(dy, x, None, mean, rstd))
    y, mean, rstd = k.group_norm_forward(x, None, None, groups=7, eps=1e-5)
    see(y, mean, rstd, *k.group_norm_backward(dy, x, None, mean, rstd, groups=7))
    a, b = normal(1003, 301), normal(1003, 301)
    y, mean, rstd = k.layer_norm_forward(a, None, None, eps=1e-5)
    see(y, mean, rstd, *k.layer_norm_backward(b, a, None, mean, rstd))
    y, mean, rstd = k.batch_norm_forward(a, None, None, eps=1e-5)
    see(y, mean, rstd, *k.batch_norm_backward(b, a, None, mean, rstd))
    see(*k.batch_norm_backward(b, a, None, mean, rstd, training=False), *k.moments_last(x, axes=4))
    see(k.sum_last(x, axes=2), *k.moments_last(x, axes=2), *k.adaptive_max_pool_forward(x, output_size=(7, 9)))
    x, t = normal(301, 203, 1), rng.integers(0, 203, (301, 1))
    c = dict(ignore_index=-100, label_smoothing=0.1, reduction="mean")
    loss, lse = k.cross_entropy_forward(x, t, None, **c)
    see(loss, *lse, k.cross_entropy_backward(np.ones((), dtype), x, lse, t, None, **c))
    x, t = normal(30, 21, 1003), rng.integers(0, 21, (30, 1003))
    loss, cache = k.cross_entropy_forward(x, t, None, **c)
    see(loss, *cache, k.cross_entropy_backward(np.ones((), dtype), x, cache, t, None, **c))
    for axis in (1, 2):
        y, z = k.softmax_forward(x, axis=axis), k.log_softmax_forward(x, axis=axis)
        see(y, z, k.softmax_backward(x, y, axis=axis), k.log_softmax_backward(x, z, axis=axis))
    see(k.relu_forward(x), k.gelu_forward(x, approximate="none"), k.gelu_backward(x, x, approximate="tanh"))
    x, y = normal(301, 1003), normal(301, 1003)
    see(k.mse_forward(x, y, reduction="mean"), k.bce_with_logits_forward(x, y, None, None, reduction="mean"))
    for heads in (1, 9):
        q, key, value, dy = (normal(heads, 150, 32) for _ in "qkvd")
        o = dict(scale=0.2, causal=heads == 1, dropout=(5, 1, 2**31, 0.5))
        out, lse = k.attention_forward(q, key, value, None, **o)
        see(out, lse, *k.attention_backward(dy, q, key, value, None, out, lse, **o)[:3])
    see(k.embedding_backward(normal(3000, 200), rng.integers(0, 50, 3000), num_embeddings=50, padding_idx=None,
        scale_grad_by_freq=False))
    r = dict(sizes=(40,) * 9 + (17,) * 4, reverse=True)
    for gates, kind in ((4, "lstm"), (3, "gru"), (1, "rnn")):
        states = [normal(40, 30) for _ in range(1 + (kind == "lstm"))]
        inputs = [normal(428, 25), *states, normal(30 * gates, 25), normal(30 * gates, 30), normal(30 * gates), None]
        inputs, o = inputs + [None] * (kind == "lstm"), r | (dict(relu=False) if kind == "rnn" else {})
        outputs, cache = getattr(k, kind + "_forward")(*inputs, **o)
        needs = [i is not None for i in inputs]
        back = getattr(k, kind + "_backward")(*outputs, *inputs, cache, needs=needs, **o)
        see(*outputs, *(g for g in back if g is not None))
    v = normal(301, 1003) ** 2
    more = [normal(1003) ** 2 for _ in "pmv"]
    table = k.Table([[x, more[0]], [normal(301, 1003), more[1]], [v, more[2]]], [np.zeros((), np.float32) for _ in "ab"])
    k.adam_step_(table, [y, normal(1003)], lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.1,
        decoupled=False, maximize=False)
    see(x, v, *more, k.philox_u32(1, 2, 100_003))
print(digest.hexdigest())
"""


def run(program, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "NUMBA_NUM_THREADS": "4", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_same_bits_for_any_number_of_threads(cpu):
    results = {run(EVERY_KERNEL, n, "float32", "float64") for n in ("1", "2", "4")}
    assert len(results) == 1


def test_set_num_threads(cpu):
    before = cpu.get_num_threads()
    try:
        cpu.set_num_threads(1)
        assert cpu.get_num_threads() == 1
        cpu.set_num_threads(10_000)
        assert 1 <= cpu.get_num_threads() < 10_000
        for bad in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                cpu.set_num_threads(bad)
        for bad in (1.0, "2", True, None):
            with pytest.raises(TypeError, match="must be an int"):
                cpu.set_num_threads(bad)
    finally:
        cpu.set_num_threads(before)


def test_several_python_threads_at_once(cpu):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((400, 200)), rng.standard_normal((200, 300))
    x, w = rng.standard_normal((8, 4, 24, 24)), rng.standard_normal((8, 4, 3, 3))
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}

    def work(_):
        return cpu.matmul(a, b).tobytes() + cpu.conv_forward(x, w, None, **options).tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(work, range(40)))) == 1


FORK = """
import os, sys
import numpy as np
import tinynet_kernels
k = tinynet_kernels.kernels_for()
a = np.ones((400, 400))
assert (k.matmul(a, a) == 400).all()
child = os.fork()
if child == 0:
    good = (k.matmul(a, a) == 400).all() and k.get_num_threads() == 1
    os._exit(0 if good else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert (k.matmul(a, a) == 400).all()
print(k.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_works(cpu):
    assert int(run(FORK)) == 4


def test_blas_of_scipy_at_one_thread_and_numpys_untouched(cpu):
    program = (
        "import numpy as np, tinynet_kernels, threadpoolctl\n"
        "info = threadpoolctl.threadpool_info()\n"
        "before = {i['filepath']: i['num_threads'] for i in info if i['user_api'] == 'blas'}\n"
        "tinynet_kernels.kernels_for().matmul(np.ones((4, 4)), np.ones((4, 4)))\n"
        "for i in threadpoolctl.threadpool_info():\n"
        "    if i['user_api'] == 'blas':\n"
        "        print(i['filepath'] in before and i['num_threads'] == before[i['filepath']], i['num_threads'])\n"
    )
    lines = run(program).splitlines()
    if len(lines) < 2:
        pytest.skip("NumPy and SciPy share one BLAS here")
    assert all(line.startswith("True") or line.endswith(" 1") for line in lines)
