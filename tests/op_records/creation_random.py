"""Making tensors: from data, from numbers, from the random stream. Values are checked, not gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import EXACT, Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays

SIZES = st.one_of(d.SMALL.map(lambda s: call(*s)), d.SMALL.map(lambda s: call(s)))
DTYPES = st.sampled_from([tn.float32, tn.float64, tn.float16, tn.int64, tn.bool])
NUMPY = {tn.float32: np.float32, tn.float64: np.float64, tn.float16: np.float16, tn.int64: np.int64, tn.bool: np.bool_}


def options(strategy: Any, *, floats: bool = False) -> Any:
    kinds = st.sampled_from([tn.float32, tn.float64]) if floats else DTYPES
    return st.builds(
        lambda c, o: Call(c.args, {**c.options, **o}),
        strategy,
        d.options(dtype=kinds, device=st.sampled_from(["cpu", None])),
    )


def wanted_dtype(c: Call, default: Any) -> Any:
    return c.options.get("dtype") or default


def shape_of(args: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], tuple | list) else tuple(args)


def check_of(expected: Any, default: Any = None) -> Any:
    """The result is `expected(*args)` cast to the dtype that was asked for (or the default one)."""

    def check(c: Call, y: Any) -> None:
        e = np.asarray(expected(*c.args))
        base = tn.from_numpy(np.zeros(1, e.dtype)).dtype if default is None else default
        dtype = wanted_dtype(c, base)
        assert y.dtype is dtype
        assert not y.requires_grad
        e = e.astype(NUMPY.get(dtype, e.dtype))
        np.testing.assert_array_equal(y.numpy(), e)
        assert y.shape == e.shape

    return check


def creation(names: str, inputs: Any, check: Any, *refusals: Any) -> OpRecord:
    names_ = tuple(names.split())
    return OpRecord(
        names_, getattr(tn, names_[0]), None, inputs, "creation", (), check=check, tolerance=EXACT, refusals=refusals
    )


def shape_only(c: Call, y: Any) -> None:
    assert y.shape == shape_of(c.args)
    assert y.dtype is wanted_dtype(c, tn.float32)


def shape_like(c: Call, y: Any) -> None:
    assert y.shape == c.args[0].shape
    assert y.dtype is wanted_dtype(c, tn.from_numpy(c.args[0]).dtype)


DATA = st.one_of(arrays(d.SMALL), d.integer_arrays(dtype="int64"), hnp.arrays(np.bool_, d.SMALL))


def of_data(c: Call, y: Any) -> None:
    """The values, in NumPy's dtype for arrays; Python floats become the default dtype."""
    data = c.args[0]
    data = data.value if isinstance(data, Plain) else data
    e = np.asarray(data)
    natural = (
        tn.float32
        if e.dtype == np.float64 and not isinstance(data, np.ndarray) or e.size == 0 and isinstance(data, list)
        else tn.from_numpy(np.zeros(1, e.dtype)).dtype
    )
    dtype = c.options.get("dtype") or natural
    assert y.dtype is dtype
    assert y.requires_grad is c.options.get("requires_grad", False)
    np.testing.assert_array_equal(y.detach().numpy(), e.astype(NUMPY.get(dtype, e.dtype)))


class Plain:
    """Data that is to reach the function as it is: nested lists, or an array that must not become a tensor before."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


def unwrapped(f: Any, *args: Any, **options: Any) -> Any:
    return f(*(a.value if isinstance(a, Plain) else a for a in args), **options)


def shares_memory(c: Call, y: Any) -> None:
    of_data(c, y)
    assert np.shares_memory(y.numpy(), c.args[0].value) or not y.numpy().size


def as_is(c: Call, y: Any) -> None:
    of_data(c, y)
    data = c.args[0].value
    same = isinstance(data, np.ndarray) and y.numpy().dtype == data.dtype and data.size
    assert bool(same) == (isinstance(data, np.ndarray) and np.shares_memory(y.numpy(), data))


LISTS = st.one_of(
    st.floats(-4, 4).map(lambda v: v),
    st.integers(-9, 9),
    st.booleans(),
    arrays(d.SMALL).map(lambda a: a.tolist()),
    d.integer_arrays(dtype="int64").map(lambda a: a.tolist()),
)


def plain(strategy: Any) -> Any:
    return strategy.map(lambda v: call(Plain(v)))


def from_data(names: str, inputs: Any, check: Any, *refusals: Any) -> OpRecord:
    record = creation(names, inputs, check, *refusals)
    return OpRecord(**{**record.__dict__, "invoke": unwrapped})


@st.composite
def ranges(draw: Any) -> Call:
    whole = draw(st.booleans())
    number = st.integers(-6, 6) if whole else st.integers(-24, 24).map(lambda k: k / 4)
    start, n, step = draw(number), draw(st.integers(0, 6)), draw(number.filter(lambda v: v != 0))
    end = start + n * step
    form = draw(st.sampled_from(["three", "one"]))
    return call(start, end, step) if form == "three" else call(abs(end))


def arange(start: Any, end: Any = None, step: Any = 1) -> np.ndarray:
    if end is None:
        start, end = 0, start
    values = [start + step * i for i in range(max(0, math.ceil((end - start) / step)))]
    whole = all(isinstance(v, int) for v in (start, end, step))
    return np.array(values, np.int64 if whole else np.float32)


def spaced(c: Call, y: Any) -> None:
    start, end, steps = c.args
    assert y.shape == (steps,)
    e = [start + (end - start) * i / max(steps - 1, 1) for i in range(steps)]
    np.testing.assert_allclose(y.numpy(), e, rtol=1e-6, atol=1e-6)


def redrawn(draw_once: Any) -> bool:
    """Whether the same seed gives the same tensor, and the stream goes on."""
    tn.manual_seed(3)
    first, second = draw_once(), draw_once()
    tn.manual_seed(3)
    again = draw_once()
    assert np.array_equal(first.numpy(), again.numpy())
    return first.numpy().size < 8 or not np.array_equal(first.numpy(), second.numpy())


def random_check(function: Any, inside: Any, moments: Any) -> Any:
    """Shape and dtype; every draw inside; the same seed, the same draws; mean and variance within six standard errors."""

    def check(c: Call, y: Any) -> None:
        args = [tn.from_numpy(a) if isinstance(a, np.ndarray) else a for a in c.args]
        like = isinstance(c.args[0], np.ndarray) if c.args else False
        assert y.shape == (c.args[0].shape if like else shape_of(c.args))
        assert y.dtype is wanted_dtype(c, tn.float64 if like else tn.float32)
        assert inside(y.numpy())
        assert redrawn(lambda: function(*args, **c.options))
        tn.manual_seed(11)
        n = 4000
        many = function(tn.zeros(n) if like else n).numpy().astype(np.float64)
        mean, variance = moments
        assert abs(many.mean() - mean) < 6 * math.sqrt(variance / n)
        assert abs(many.var() / variance - 1) < 0.2

    return check


UNIFORM = (lambda y: ((y >= 0) & (y < 1)).all(), (0.5, 1 / 12))
NORMAL = (lambda y: np.isfinite(y).all(), (0.0, 1.0))


def integers_check(c: Call, y: Any) -> None:
    low, high, size = c.args if len(c.args) == 3 else (0, *c.args)
    assert y.shape == size
    assert y.dtype is tn.int64
    assert ((y.numpy() >= low) & (y.numpy() < high)).all()
    assert redrawn(lambda: tn.randint(0, 1000, (16,)))
    assert set(tn.randint(low, high, (64 * (high - low),)).tolist()) == set(range(low, high))


def permutation_check(c: Call, y: Any) -> None:
    assert y.dtype is tn.int64
    assert sorted(y.tolist()) == list(range(c.args[0]))
    assert redrawn(lambda: tn.randperm(16))


def bernoulli_check(c: Call, y: Any) -> None:
    x = c.args[0]
    p = np.broadcast_to(c.args[1] if len(c.args) > 1 else x, x.shape)
    assert y.shape == x.shape
    assert y.dtype is tn.from_numpy(x).dtype
    assert set(np.unique(y.numpy())) <= {0.0, 1.0}
    assert (y.numpy()[p == 0] == 0).all()
    assert (y.numpy()[p == 1] == 1).all()
    assert abs(tn.bernoulli(tn.full((4000,), 0.25)).numpy().mean() - 0.25) < 0.05


LIKE = options(d.calls(arrays(d.SMALL)))
LIKE_RANDOM = options(d.calls(arrays(d.SMALL)), floats=True)
NEGATIVE = "sizes.*≥ 0"

RECORDS = [
    from_data(
        "tensor",
        st.one_of(
            plain(st.one_of(LISTS, DATA)),
            options(plain(arrays(d.SMALL, low=0, high=4))),
            plain(arrays(d.SMALL)).map(lambda c: Call(c.args, {"requires_grad": True})),
        ),
        of_data,
        refused("tensor.*equal lengths", ValueError, Plain([[1.0], [1.0, 2.0]])),
        refused("tensor", TypeError, Plain("abc")),
        refused("tensor.*complex", TypeError, Plain([1j])),
        refused("tensor.*device|device", ValueError, Plain(1.0), device="cuda"),
    ),
    from_data("as_tensor asarray", plain(st.one_of(LISTS, DATA)), as_is, refused("as_tensor", TypeError, Plain("abc"))),
    from_data(
        "from_numpy",
        plain(DATA),
        shares_memory,
        refused("from_numpy.*list", TypeError, Plain([1.0])),
        refused("from_numpy.*complex", TypeError, Plain(np.ones(1, complex))),
    ),
    from_data("from_dlpack", plain(st.one_of(arrays(d.FULL), d.integer_arrays(d.FULL, dtype="int64"))), shares_memory),
    creation(
        "zeros",
        options(SIZES),
        check_of(lambda *s: np.zeros(shape_of(s)), tn.float32),
        refused("zeros.*" + NEGATIVE, ValueError, -1),
        refused("zeros.*integers", TypeError, 1.5),
    ),
    creation(
        "ones",
        options(SIZES),
        check_of(lambda *s: np.ones(shape_of(s)), tn.float32),
        refused("ones.*" + NEGATIVE, ValueError, 2, -1),
    ),
    creation("empty", options(SIZES), shape_only, refused("empty.*" + NEGATIVE, ValueError, -1)),
    creation(
        "full",
        options(st.builds(call, d.SMALL, st.sampled_from([0, 3, 2.5, True]))),
        lambda c, y: check_of(
            lambda s, v: np.full(s, v),
            tn.bool if c.args[1] is True else tn.int64 if isinstance(c.args[1], int) else tn.float32,
        )(c, y),
        refused("full.*" + NEGATIVE, ValueError, (-1,), 2.0),
    ),
    creation("zeros_like", LIKE, check_of(np.zeros_like), refused("zeros_like.*Tensor", TypeError, 3)),
    creation("ones_like", LIKE, check_of(np.ones_like), refused("ones_like.*Tensor", TypeError, 3)),
    creation("empty_like", LIKE, shape_like, refused("empty_like.*Tensor", TypeError, 3)),
    creation(
        "full_like",
        options(st.builds(call, arrays(d.SMALL), st.sampled_from([0, 3, 2.5]))),
        check_of(np.full_like),
        refused("full_like.*Tensor", TypeError, 3, 1.0),
    ),
    creation(
        "arange",
        ranges(),
        check_of(arange),
        refused("arange.*step 0", ValueError, 0, 3, 0),
        refused("arange.*step -1", ValueError, 0, 3, -1),
    ),
    creation(
        "linspace",
        st.builds(call, st.integers(-4, 4), st.integers(-4, 4), st.integers(0, 6)),
        spaced,
        refused("linspace.*steps.*-1", ValueError, 0, 1, -1),
    ),
    creation(
        "eye",
        options(st.one_of(st.builds(call, st.integers(0, 4)), st.builds(call, st.integers(0, 4), st.integers(0, 4)))),
        check_of(np.eye, tn.float32),
        refused("eye.*" + NEGATIVE, ValueError, -1),
    ),
    creation(
        "rand",
        options(SIZES, floats=True),
        random_check(tn.rand, *UNIFORM),
        refused("rand.*floating", TypeError, 2, dtype=tn.int64),
        refused("rand.*" + NEGATIVE, ValueError, -1),
    ),
    creation(
        "randn",
        options(SIZES, floats=True),
        random_check(tn.randn, *NORMAL),
        refused("randn.*floating", TypeError, 2, dtype=tn.int64),
    ),
    creation(
        "rand_like", LIKE_RANDOM, random_check(tn.rand_like, *UNIFORM), refused("rand_like.*Tensor", TypeError, 3)
    ),
    creation(
        "randn_like", LIKE_RANDOM, random_check(tn.randn_like, *NORMAL), refused("randn_like.*Tensor", TypeError, 3)
    ),
    creation(
        "randint",
        st.builds(
            lambda low, n, s, short: call(n, s) if short else call(low, low + n, s),
            st.integers(-3, 3),
            st.integers(1, 5),
            d.SMALL,
            st.booleans(),
        ),
        integers_check,
        refused("randint.*low 3 and high 3", ValueError, 3, 3, (2,)),
        refused("randint.*size", TypeError, 0, 3, 2),
    ),
    creation(
        "randperm", st.builds(call, st.integers(0, 12)), permutation_check, refused("randperm.*-1", ValueError, -1)
    ),
    creation(
        "bernoulli",
        st.one_of(
            d.calls(arrays(d.SMALL, low=0, high=1)), st.builds(call, arrays(d.SMALL), st.sampled_from([0.0, 0.5, 1.0]))
        ),
        bernoulli_check,
        refused(r"bernoulli.*\[0, 1\]", ValueError, np.array([1.5])),
        refused("bernoulli.*float", TypeError, np.array([1])),
        refused("bernoulli.*Tensor", TypeError, 0.5),
    ),
]
