"""Recurrent networks over sequences, packed or not, and their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused
from tinynet.testing.strategies import arrays

ONES = np.ones
STEPS = Tolerance(
    256, 1, "sums of a few terms in each of a few steps, of which each takes the errors of the one before"
)
States = tuple[Any, ...]


def sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def lstm_step(a: Any, v: Any, states: States, w_hr: Any = None) -> States:
    i, f, g, o = np.split(a + v, 4)
    c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (h if w_hr is None else w_hr @ h), c


def gru_step(a: Any, v: Any, states: States) -> States:
    (a_r, a_z, a_n), (v_r, v_z, v_n) = np.split(a, 3), np.split(v, 3)
    r, z = sigmoid(a_r + v_r), sigmoid(a_z + v_z)
    return ((1 - z) * np.tanh(a_n + r * v_n) + z * states[0],)


def tanh_step(a: Any, v: Any, states: States) -> States:
    return (np.tanh(a + v),)


def relu_step(a: Any, v: Any, states: States) -> States:
    return (np.maximum(a + v, 0),)


# (gates, states, step)
CELLS: dict[str, tuple[int, int, Callable[..., States]]] = {
    "lstm": (4, 2, lstm_step),
    "gru": (3, 1, gru_step),
    "rnn_tanh": (1, 1, tanh_step),
    "rnn_relu": (1, 1, relu_step),
}


def one_sequence(kind: str, x: Any, states: States, weights: Sequence[Any], biases: bool) -> tuple[list[Any], States]:
    """All h of one sequence (T, I), one number of the batch, one direction; the states after the last step."""
    w_ih, w_hh, *rest = weights
    b_ih, b_hh = (rest.pop(0), rest.pop(0)) if biases else (0.0, 0.0)
    ys = []
    for row in x:
        states = CELLS[kind][2](w_ih @ row + b_ih, w_hh @ states[0] + b_hh, states, *rest)
        ys.append(states[0])
    return ys, states


def reference_of(kind: str) -> Callable[..., Any]:
    def reference(x: Any, *args: Any, layers: int = 1, two: bool = False, biases: bool = True, first: bool = False,
                  lengths: Any = None) -> tuple[Any, ...]:  # fmt: skip
        """Each sequence alone, without padding: layer by layer, direction by direction."""
        count, directions = CELLS[kind][1], 2 if two else 1
        states, params = args[:count], args[count:]
        each = len(params) // (layers * directions)
        x = x.swapaxes(0, 1) if first else x
        out = params[1].shape[1]
        y = np.zeros((*x.shape[:2], directions * out))
        finals = [np.zeros(s.shape) for s in states]
        for b in range(x.shape[1]):
            n = x.shape[0] if lengths is None else lengths[b]
            rows = x[:n, b]
            for layer in range(layers):
                parts = []
                for k in range(layer * directions, (layer + 1) * directions):
                    back = k % directions == 1
                    weights = params[k * each : (k + 1) * each]
                    ys, last = one_sequence(
                        kind, rows[::-1] if back else rows, [s[k, b] for s in states], weights, biases
                    )
                    parts.append(np.stack(ys[::-1] if back else ys))
                    for f, s in zip(finals, last, strict=True):
                        f[k, b] = s
                rows = np.concatenate(parts, axis=1)
            y[:n, b] = rows
        return (y.swapaxes(0, 1) if first else y, *finals)

    return reference


def invoke(f: Any, x: Any, *args: Any, layers: int = 1, two: bool = False, biases: bool = True, first: bool = False,
           lengths: Any = None) -> Any:  # fmt: skip
    """The arguments as PyTorch takes them. With `lengths`, x is packed, and the output padded again."""
    count = 2 if f is tn.lstm else 1
    hx, params = args[:count], args[count:]
    options: Any = (tuple(hx) if count == 2 else hx[0], list(params), biases, layers, 0.0, True, two)
    if lengths is None or not isinstance(x, tn.Tensor):
        return f(x, *options, first)
    packing = tn.nn.utils.rnn
    packed = packing.pack_padded_sequence(x, lengths, first)
    y, *finals = f(packed.data, *options, batch_sizes=packed.batch_sizes)
    padded, _ = packing.pad_packed_sequence(
        packing.PackedSequence(y, packed.batch_sizes), first, total_length=x.shape[1 if first else 0]
    )
    return padded, *finals


def shapes_of(kind: str, t: int, b: int, i: int, h: int, p: int, layers: int, two: bool, biases: bool, first: bool
              ) -> Iterator[tuple[int, ...]]:  # fmt: skip
    """Of x, the states and the weights; p is 0 without a projection."""
    gates, states, _ = CELLS[kind]
    directions, out = 2 if two else 1, p or h
    yield (b, t, i) if first else (t, b, i)
    yield (layers * directions, b, out)
    if states == 2:
        yield (layers * directions, b, h)
    for layer in range(layers):
        for _ in range(directions):
            yield (gates * h, directions * out if layer else i)
            yield (gates * h, out)
            if biases:
                yield from [(gates * h,)] * 2
            if p:
                yield (p, h)


def fixed(kind: str, t: int, b: int, i: int, h: int, p: int = 0, lengths: Any = None, **options: Any) -> Call:
    """A call with given sizes, of numbers in [−1, 1] that are all different."""
    given = {"layers": 1, "two": False, "biases": True, "first": False, **options}
    args = [np.sin(1.7 * d.numbers(*s, start=0.3 + k)) for k, s in enumerate(shapes_of(kind, t, b, i, h, p, **given))]
    more = {} if lengths is None else {"lengths": lengths}
    return Call(tuple(args), {**given, **more})


@st.composite
def sequences(draw: Any, kind: str) -> Call:
    t, b, i, h = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    p = draw(st.integers(0, h - 1)) if kind == "lstm" else 0
    given = {"layers": draw(st.integers(1, 2)), "two": draw(st.booleans()), "biases": draw(st.booleans()),
             "first": draw(st.booleans())}  # fmt: skip
    args = [draw(arrays(s, values="distinct", low=-1.5, high=1.5)) for s in shapes_of(kind, t, b, i, h, p, **given)]
    if draw(st.booleans()):
        given["lengths"] = [t, *sorted(draw(st.lists(st.integers(1, t), min_size=b - 1, max_size=b - 1)), reverse=True)]
    return Call(tuple(args), given)


def away_from_kinks(strategy: Any) -> Any:
    """Of the network with max(·, 0): positive states and weights, and small negative biases, so that nothing is near 0."""
    return strategy.map(lambda c: c.map(lambda a: 0.25 + np.abs(a) / 4))


def record(kind: str) -> OpRecord:
    gates, states, _ = CELLS[kind]
    size, count = gates * 2, 1 + states
    good = [ONES((3, 2, 1)), *[ONES((1, 2, 2))] * states, ONES((size, 1)), ONES((size, 2)), ONES(size), ONES(size)]

    def but(k: int, value: Any) -> tuple[Any, ...]:
        return (*good[:k], value, *good[k + 1 :])

    drawn = sequences(kind)
    return OpRecord(
        (kind,),
        getattr(tn, kind),
        reference_of(kind),
        drawn,
        "fused",
        tuple(range(count + 16 + 4)),
        smooth=away_from_kinks(drawn) if kind == "rnn_relu" else None,
        edges=(
            fixed(kind, 1, 1, 1, 1),
            fixed(kind, 2, 0, 1, 2),
            fixed(kind, 3, 2, 1, 2, biases=False),
            fixed(kind, 4, 37, 1, 2, lengths=[4] * 20 + [2] * 17, two=True),  # of more than one block of sequences
            fixed(kind, 2, 3, 50, 17),  # of more columns than one vector, or panel, has
            *([fixed(kind, 3, 2, 3, 5, 2, layers=2, two=True)] if kind == "lstm" else []),
            fixed(kind, 3, 3, 2, 3, lengths=[3, 2, 1], layers=2, two=True, first=True),
        ),
        refusals=(
            refused(f"{kind}.*input", ValueError, *but(0, ONES((3, 2)))),
            refused(f"{kind}.*input.*1 step", ValueError, *but(0, ONES((0, 2, 1)))),
            refused(f"{kind}.*h_0.*\\(1, 2, 2\\).*\\(1, 3, 2\\)", ValueError, *but(1, ONES((1, 3, 2)))),
            refused(f"{kind}.*W_ih", ValueError, *but(count, ONES((size, 2)))),
            refused(f"{kind}.*h_0", ValueError, *but(count + 1, ONES((size, 3)))),
            refused(f"{kind}.*W_hh", ValueError, *but(count + 1, ONES(size))),
            refused(f"{kind}.*b_hh", ValueError, *but(count + 3, ONES(size + 1))),
            refused(f"{kind}.*params.*got 2", ValueError, *good[:-2]),
            refused(f"{kind}.*dtype", TypeError, *but(count, ONES((size, 1), np.float32))),
        ),
        tolerance=STEPS,
        result_of_integers=None,
        invoke=invoke,
    )


def cell_reference(kind: str) -> Callable[..., Any]:
    def reference(x: Any, *args: Any) -> Any:
        states, weights = args[: CELLS[kind][1]], [0.0 if w is None else w for w in args[CELLS[kind][1] :]]
        weights += [0.0] * (4 - len(weights))
        found = [np.zeros(s.shape) for s in states]
        for b in range(len(x)):
            _, last = one_sequence(kind, x[b : b + 1], [s[b] for s in states], weights, True)
            for f, s in zip(found, last, strict=True):
                f[b] = s
        return tuple(found)

    return reference


def cell_invoke(f: Any, x: Any, *args: Any) -> Any:
    return f(x, args[:2], *args[2:]) if f is tn.lstm_cell else f(x, *args)


@st.composite
def steps(draw: Any, kind: str) -> Call:
    gates, states, _ = CELLS[kind]
    b, i, h = (draw(st.integers(1, 3)) for _ in range(3))
    shapes = [(b, i), *[(b, h)] * states, (gates * h, i), (gates * h, h)]
    args: list[Any] = [draw(arrays(s, values="distinct", low=-1.5, high=1.5)) for s in shapes]
    args += [draw(arrays((gates * h,))) if draw(st.booleans()) else None for _ in range(2)]
    return Call(tuple(args))


def cell_record(kind: str) -> OpRecord:
    gates, states, _ = CELLS[kind]
    size, name = gates * 2, f"{kind}_cell"
    good = [ONES((3, 1)), *[ONES((3, 2))] * states, ONES((size, 1)), ONES((size, 2)), ONES(size), ONES(size)]

    def but(k: int, value: Any) -> tuple[Any, ...]:
        return (*good[:k], value, *good[k + 1 :])

    drawn = steps(kind)
    return OpRecord(
        (name,),
        getattr(tn, name),
        cell_reference(kind),
        drawn,
        "fused",
        tuple(range(states + 5)),
        smooth=away_from_kinks(drawn) if kind == "rnn_relu" else None,
        edges=(
            call(ONES((0, 2)), *[ONES((0, 1))] * states, ONES((gates, 2)), ONES((gates, 1))),
            call(ONES((1, 1)), *[ONES((1, 1))] * states, ONES((gates, 1)), ONES((gates, 1))),
            call(*(np.sin(1.7 * d.numbers(*v.shape, start=0.3 + k)) for k, v in enumerate(good))),
        ),
        refusals=(
            refused(f"{name}.*input", ValueError, *but(0, ONES(1))),
            refused(f"{name}.*w_ih", ValueError, *but(0, ONES((3, 2)))),
            refused(f"{name}.*hx", ValueError, *but(1, ONES((2, 2)))),
            refused(f"{name}.*w_hh", ValueError, *but(2 + states, ONES(size))),
            refused(f"{name}.*b_ih", ValueError, *but(3 + states, ONES(1))),
            refused(f"{name}.*dtype", TypeError, *but(1 + states, ONES((size, 1), np.float32))),
        ),
        tolerance=STEPS,
        result_of_integers=None,
        invoke=cell_invoke,
    )


RECORDS = [*map(record, CELLS), *map(cell_record, CELLS)]
