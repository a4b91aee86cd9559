"""Laws between results: tinynet's operations keep them, and what breaks one is named."""

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.examples import examples
from tinynet import testing as tt
from tinynet.testing import strategies as ts
from tinynet.testing import tinynet_adapter as engine


def data(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def attention(mask: Any) -> Any:
    """Scaled dot-product attention as a composite, with an additive mask of (T, S)."""

    def f(q: Any, k: Any, v: Any) -> Any:
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        return tn.softmax(scores + tn.from_numpy(mask(q.shape[-2], k.shape[-2])), dim=-1) @ v

    return f


def causal(t: int, s: int, offset: int = 0) -> Any:
    return np.where(np.tril(np.ones((t, s), bool), offset), 0.0, -np.inf)


def selected(q: Any, k: Any, v: Any) -> Any:
    """Causal attention, one query after another: keys after it are not read at all."""
    rows = [
        tn.softmax(q[:, t : t + 1] @ k[:, : t + 1].transpose(-2, -1), dim=-1) @ v[:, : t + 1] for t in range(q.shape[1])
    ]
    return tn.cat(rows, dim=1)


def normalised(x: Any) -> Any:
    """Layer normalisation, of the last axis."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()


CONVS = {1: (F.conv1d, F.conv_transpose1d), 2: (F.conv2d, F.conv_transpose2d), 3: (F.conv3d, F.conv_transpose3d)}
SMALL = {"max_output": 2, "max_kernel": 2}


# batch independence

PER_ITEM = {
    "softmax": lambda x: tn.softmax(x, dim=1),
    "linear": lambda x: F.linear(x.reshape(x.shape[0], -1), WEIGHT),
    "conv1d": lambda x: F.conv1d(x, KERNEL, padding=1),
    "max_pool1d": lambda x: F.max_pool1d(x, 2),
    "avg_pool1d": lambda x: F.avg_pool1d(x, 3, padding=1),
    "layer normalisation": lambda x: normalised(x),
    "batch_norm in eval mode": lambda x: F.batch_norm(x, MEAN, MEAN.exp(), training=False),
    "gelu": F.gelu,
    "sum": lambda x: x.sum((1, 2)),
}
WEIGHT, KERNEL, MEAN = (tn.from_numpy(data(*shape, seed=9)) for shape in ((5, 18), (2, 3, 3), (3,)))


@pytest.mark.parametrize("name", PER_ITEM)
def test_items_are_independent(name: str) -> None:
    tt.check_batch_independence(PER_ITEM[name], [data(4, 3, 6)], adapter=engine).raise_if_failed()


def test_attention_is_independent_of_other_items() -> None:
    args = [data(3, 4, 2, seed=i) for i in range(3)]
    tt.check_batch_independence(attention(causal), args, adapter=engine).raise_if_failed()


def test_batch_norm_in_training_is_not_independent() -> None:
    report = tt.check_batch_independence(
        lambda x: F.batch_norm(x, None, None, training=True), [data(4, 3, 6)], adapter=engine
    )
    assert report.verdict == "fail"
    assert "items 0 to 0 alone" in report.message
    with pytest.raises(AssertionError, match=r"batch independence: fail .* got .*, expected .* \(tolerance "):
        report.raise_if_failed()


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x - x.mean(0), "alone"),
        (lambda x: x + x[:1], "alone"),
        (lambda x: x.sum(0), "expected size 4"),
        (lambda x: x[::-1], "items 0 to 0 alone"),
        (lambda x: np.where(np.arange(len(x))[:, None] == 2, x[(np.arange(len(x)) + 1) % len(x)], x), "item"),
    ],
)
def test_dependence_between_items_is_found(f: Any, message: str) -> None:
    report = tt.check_batch_independence(f, [data(4, 3)])
    assert not report.passed
    assert message in report.message


def test_which_arguments_have_a_batch() -> None:
    args = [data(4, 3), data(5, 3)]
    tt.check_batch_independence(lambda x, w: x @ w.T, args, which=[0]).raise_if_failed()
    tt.check_batch_independence(lambda x, w: w @ x.T, args, which=[0], out_axis=1).raise_if_failed()


# permutations


def test_permutations() -> None:
    x = data(5, 4)
    tt.check_permutation_equivariance(F.relu, [x], axis=1, adapter=engine).raise_if_failed()
    tt.check_permutation_equivariance(lambda a: tn.softmax(a, 0), [x], axis=0, adapter=engine).raise_if_failed()
    tt.check_permutation_equivariance(lambda a: a.sum(0), [x], axis=0, invariant=True, adapter=engine).raise_if_failed()
    tt.check_permutation_equivariance(
        lambda a: a.amax(0), [x], axis=0, invariant=True, adapter=engine
    ).raise_if_failed()
    keys = [data(2, 3, 4, seed=i) for i in range(3)]
    free = attention(lambda t, s: np.zeros((t, s)))
    tt.check_permutation_equivariance(free, keys, axis=1, adapter=engine).raise_if_failed()
    tt.check_permutation_equivariance(
        free, keys, axis=1, which=[1, 2], invariant=True, adapter=engine
    ).raise_if_failed()


@pytest.mark.parametrize(
    ("f", "invariant"),
    [
        (lambda x: np.take_along_axis(x, np.argsort(x, 0), 0), False),
        (lambda x: np.argsort(x, 0), False),
        (lambda x: np.cumsum(x, 0), False),
        (lambda x: x[0], True),
        (lambda x: np.concatenate([x, x]), False),
        (lambda x: x, True),
    ],
)
def test_order_that_matters_is_found(f: Any, invariant: bool) -> None:
    assert not tt.check_permutation_equivariance(f, [data(5, 2)], axis=0, invariant=invariant).passed


# shifts


def circular(x: Any, w: Any, stride: int = 1) -> Any:
    k = w.shape[-1]
    return F.conv1d(tn.cat([x, x[..., : k - 1]], -1), w, stride=stride)


def test_shifts() -> None:
    x = data(2, 3, 12)
    tt.check_shift_equivariance(lambda a: circular(a, KERNEL), [x], axis=2, adapter=engine).raise_if_failed()
    tt.check_shift_equivariance(
        lambda a: circular(a, KERNEL, 2), [x], axis=2, stride=2, adapter=engine
    ).raise_if_failed()
    tt.check_shift_equivariance(
        lambda a: F.conv1d(a, KERNEL), [x], axis=2, circular=False, adapter=engine
    ).raise_if_failed()
    padded = {"axis": 2, "circular": False, "adapter": engine}
    zero_padded = [lambda a: F.conv1d(a, KERNEL, padding=1), lambda a: F.avg_pool1d(a, 3, 1, padding=1)]
    for f in zero_padded:
        tt.check_shift_equivariance(f, [x], margin=1, **padded).raise_if_failed()
        assert not tt.check_shift_equivariance(f, [x], **padded).passed
        assert not tt.check_shift_equivariance(f, [x], axis=2, adapter=engine).passed
    strided = tt.check_shift_equivariance(lambda a: circular(a, KERNEL, 2), [x], axis=2, adapter=engine)
    assert not strided.passed
    position = tt.check_shift_equivariance(lambda a: a * np.arange(12), [x], axis=2)
    assert "shift 1" in position.message


def test_invariance_to_a_constant() -> None:
    x = data(3, 5)
    for dtype in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16):
        for f in (lambda a: tn.softmax(a, 1), lambda a: tn.log_softmax(a, 1)):
            tt.check_shift_invariance(f, [x.astype(dtype)], axis=1, adapter=engine).raise_if_failed()
    tt.check_shift_invariance(normalised, [x], axis=1, adapter=engine).raise_if_failed()
    assert not tt.check_shift_invariance(lambda a: np.exp(a) / (1 + np.exp(a).sum(1, keepdims=True)), [x]).passed
    assert tt.check_shift_invariance(lambda a: a - a.mean(), [x]).passed
    assert not tt.check_shift_invariance(lambda a: a - a.mean(), [x], axis=1).passed
    with pytest.raises(TypeError, match="int64"):
        tt.check_shift_invariance(lambda a: a, [np.arange(3)])


# causality


def test_causal_attention_by_selection_is_causal() -> None:
    args = [data(2, 4, 3, seed=i) for i in range(3)]
    tt.check_causality(selected, args, axis=1, adapter=engine).raise_if_failed()


def test_a_causal_mask_is_causal_for_finite_numbers() -> None:
    args = [data(2, 4, 3, seed=i) for i in range(3)]
    tt.check_causality(attention(causal), args, axis=1, poison=False, adapter=engine).raise_if_failed()
    leaking = tt.check_causality(attention(causal), args, axis=1, adapter=engine)
    assert "inf" in leaking.message or "largest" in leaking.message or "nan" in leaking.message  # 0 · NaN of the values


def test_a_mask_off_by_one_is_found() -> None:
    args = [data(2, 4, 3, seed=i) for i in range(3)]
    report = tt.check_causality(attention(lambda t, s: causal(t, s, 1)), args, axis=1, poison=False, adapter=engine)
    assert "the results up to 0 with other numbers after it" in report.message


CAUSAL = np.tril(np.ones((4, 4)))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: CAUSAL @ x, "inf"),  # 0 · inf
        (lambda x: np.cumsum(x[::-1], 0)[::-1], "other numbers"),
        (lambda x: x - x.mean(0), "other numbers"),
        (lambda x: np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, 0)[:-1]]), "does not depend"),
        (lambda x: np.zeros_like(x), "does not depend"),
        (lambda x: x[:2], "expected size 4"),
    ],
)
def test_leaks_and_trivial_functions_are_found(f: Any, message: str) -> None:
    report = tt.check_causality(f, [data(4, 2)], axis=0)
    assert not report.passed
    assert message in report.message
    assert tt.check_causality(lambda x: np.cumsum(x, 0), [data(4, 2)], axis=0).passed


def test_gradients_are_held_to_causality() -> None:
    def reverse(x: Any, dy: Any) -> Any:
        return (np.cumsum(dy[::-1], 0)[::-1],)

    args = [data(4, 2)]
    assert tt.check_causality(lambda x: np.cumsum(x, 0), args, axis=0, vjp=reverse).passed
    wrong = tt.check_causality(lambda x: np.cumsum(x, 0), args, axis=0, vjp=lambda x, dy: (np.cumsum(dy, 0),))
    assert "the gradient of argument 0 after 0" in wrong.message
    none = tt.check_causality(lambda x: np.cumsum(x, 0), args, axis=0, vjp=lambda x, dy: (0 * dy,))
    assert "gradient at 0 is zero" in none.message
    tt.check_causality(lambda x: x.cumsum(0), args, axis=0, adapter=engine).raise_if_failed()
    cut = tt.check_causality(lambda x: x.detach().cumsum(0) + 0 * x.sum(), args, axis=0, adapter=engine, poison=False)
    assert "is zero" in cut.message
    with pytest.raises(ValueError, match="not both"):
        tt.check_causality(lambda x: x, args, axis=0, vjp=reverse, adapter=engine)


def test_a_causal_convolution() -> None:
    x = data(2, 3, 6)
    tt.check_causality(lambda a: F.conv1d(F.pad(a, (2, 0)), KERNEL), [x], axis=2, adapter=engine).raise_if_failed()
    assert not tt.check_causality(lambda a: F.conv1d(a, KERNEL, padding=1), [x], axis=2, adapter=engine).passed


# linear functions and their transposes


@pytest.mark.parametrize("ndim", [1, 2, 3])
@examples(8)
@given(draw=st.data())
def test_transposed_convolution_is_the_adjoint(ndim: int, draw: st.DataObject) -> None:
    g = draw.draw(ts.conv_geometries(ndim, **SMALL, min_batch=1))
    conv, transpose = CONVS[ndim]
    w = tn.from_numpy(data(*g.weight_shape))
    options = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}
    reached = [
        (o - 1) * s - 2 * p + d * (k - 1) + 1
        for o, s, p, d, k in zip(g.output_shape[2:], g.stride, g.padding, g.dilation, g.weight_shape[2:], strict=True)
    ]
    extra = tuple(n - r for n, r in zip(g.input_shape[2:], reached, strict=True))
    tt.check_adjoint(
        lambda x: conv(x, w, **options),
        lambda y: transpose(y, w, output_padding=extra, **options),
        g.input_shape,
        g.output_shape,
        adapter=engine,
    ).raise_if_failed()
    tt.check_linearity(
        lambda x, v: conv(x, v, **options), [data(*g.input_shape), data(*g.weight_shape)], adapter=engine
    )


@pytest.mark.parametrize("ndim", [1, 2, 3])
@examples(8)
@given(draw=st.data())
def test_convolution_is_the_adjoint_of_a_transposed_one(ndim: int, draw: st.DataObject) -> None:
    g = draw.draw(ts.conv_transpose_geometries(ndim, max_kernel=2, max_input=2, min_batch=1))
    conv, transpose = CONVS[ndim]
    w = tn.from_numpy(data(*g.weight_shape))
    options = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}

    def back(y: Any) -> Any:  # places that only output_padding adds beyond the last stride make more windows
        full = conv(y, w, **options)
        return full[(..., *(slice(0, n) for n in g.input_shape[2:]))]

    tt.check_adjoint(
        lambda x: transpose(x, w, output_padding=g.output_padding, **options),
        back,
        g.input_shape,
        g.output_shape,
        adapter=engine,
    ).raise_if_failed()


def test_wrong_adjoints_are_found() -> None:
    w = tn.from_numpy(data(3, 2, 3))
    shapes = (1, 2, 8), (1, 3, 3)
    right = tt.check_adjoint(
        lambda x: F.conv1d(x, w, stride=2),
        lambda y: F.conv_transpose1d(y, w, stride=2, output_padding=1),
        *shapes,
        adapter=engine,
    )
    assert right.passed
    short = tt.check_adjoint(
        lambda x: F.conv1d(x, w, stride=2), lambda y: F.conv_transpose1d(y, w, stride=2), *shapes, adapter=engine
    )
    assert "expected (1, 2, 8)" in short.message
    flipped = tt.check_adjoint(
        lambda x: F.conv1d(x, w, stride=2),
        lambda y: F.conv_transpose1d(y, w.flip(2), stride=2, output_padding=1),
        *shapes,
        adapter=engine,
    )
    assert "draw 0" in flipped.message
    m = data(3, 4)
    assert tt.check_adjoint(lambda x: m @ x, lambda y: m.T @ y, (4,), (3,)).passed
    assert tt.check_adjoint(lambda x: m @ x, lambda y: m.T @ y, data(4), data(3)).passed
    assert not tt.check_adjoint(lambda x: m @ x, lambda y: 1.0001 * m.T @ y, (4,), (3,)).passed
    assert tt.check_adjoint(lambda x: 1e30 * m @ x, lambda y: 1e30 * m.T @ y, (4,), (3,)).passed
    single = m.astype(np.float32)
    x, y = data(4, dtype=np.float32), data(3, dtype=np.float32)
    assert tt.check_adjoint(lambda a: single @ a, lambda b: single.T @ b, x, y).passed
    with pytest.raises(TypeError, match="int64"):
        tt.check_adjoint(lambda a: a, lambda b: b, np.arange(3), (3,))


def test_linearity() -> None:
    x, w = data(2, 6), data(4, 6, seed=1)
    tt.check_linearity(F.linear, [x, w], adapter=engine).raise_if_failed()
    tt.check_linearity(lambda a: F.avg_pool1d(a[None], 3), [x], adapter=engine).raise_if_failed()
    for f, message in [(lambda a: a + 1, "at 0"), (np.abs, "a·x + b·x'"), (lambda a: a * a, "a·x"), (np.cos, "at 0")]:
        assert message in tt.check_linearity(f, [x]).message
    assert not tt.check_linearity(lambda a, b: a @ a.T @ b.T[:2], [x, w], which=[0]).passed
    with pytest.raises(TypeError, match="int64"):
        tt.check_linearity(lambda a: a, [np.arange(3)])


# reports and arguments


def test_reports() -> None:
    report = tt.check_batch_independence(lambda x: x, [data(3)], seed=5)
    assert report == tt.LawReport("batch independence", "pass", "", 5)
    assert str(report) == "batch independence: pass (seed 5)"
    wrong = tt.check_batch_independence(lambda x: x - x.mean(), [data(3)])
    assert wrong == tt.check_batch_independence(lambda x: x - x.mean(), [data(3)])
    assert "1 of 1 elements differ, first at (0,)" in wrong.message


def test_infinities_of_other_signs_differ() -> None:
    signs = tt.check_permutation_equivariance(
        lambda x: np.where(x[0] > 0, np.inf, -np.inf)[None], [np.array([1.0, -1.0])], axis=0, invariant=True
    )
    assert not signs.passed


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tt.check_batch_independence(3, [data(2)]), TypeError, "expected a function"),
        (lambda: tt.check_batch_independence(np.sin, data(2)), TypeError, "put it in a list"),
        (lambda: tt.check_batch_independence(np.sin, [1.0]), ValueError, "no argument is an array"),
        (lambda: tt.check_batch_independence(np.sin, [data(1, 2)]), ValueError, "size 1 along axis 0"),
        (lambda: tt.check_batch_independence(np.add, [data(2), data(3)]), ValueError, r"sizes \[2, 3\]"),
        (lambda: tt.check_batch_independence(np.sin, [data(2)], axis=1), IndexError, "axis 1 is out of range"),
        (lambda: tt.check_batch_independence(np.sin, [data(2)], which=[1]), IndexError, "which names argument 1"),
        (lambda: tt.check_batch_independence(np.sin, [data(2)], rtol=-1), ValueError, "rtol"),
        (lambda: tt.check_batch_independence(np.modf, [data(2)]), TypeError, "one array or tensor"),
        (lambda: tt.check_shift_equivariance(np.sin, [data(4)], axis=0, stride=0), ValueError, "stride"),
        (lambda: tt.check_shift_equivariance(np.sin, [data(4)], axis=0, shifts=[0]), ValueError, "no shift but 0"),
        (
            lambda: tt.check_shift_equivariance(np.sin, [data(4)], axis=0, shifts=[4], circular=False),
            ValueError,
            "leaves nothing",
        ),
        (
            lambda: tt.check_shift_equivariance(np.sin, [data(4)], axis=0, margin=2, circular=False),
            ValueError,
            "leaves nothing",
        ),
        (lambda: tt.check_adjoint(np.sin, np.sin, (2,), (2,), draws=0), ValueError, "draws"),
        (lambda: tt.check_adjoint(np.sin, 3, (2,), (2,)), TypeError, "expected a function"),
    ],
)
def test_wrong_arguments_raise(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
