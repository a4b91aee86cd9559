"""Functions of several operations, which reach what no single call does: changes in place, views, mixed dtypes, and
results that are used twice. Their gradients are tested like those of the records; they name nothing public.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import SUMMED, Call, OpRecord
from tinynet.testing.strategies import arrays


def copied(x: Any, y: Any) -> Any:
    """What is overwritten counts no more, what was read before does."""
    z = x.clone()
    before = z * 2.0
    z.copy_(y)
    return before + z


def part_overwritten(x: Any, y: Any) -> Any:
    z = x.clone()
    z.t()[1:].copy_(y)
    return z * z


def part_scaled(x: Any, y: Any) -> Any:
    z = x * 1.5
    z[:, 1].mul_(y[1:, 0])
    z[0].add_(y.sum())
    return z.exp()


def view_of_a_change(x: Any, y: Any) -> Any:
    """A view taken before its base is changed follows it."""
    z = x * 1.0
    v = z.t()[1]
    z.mul_(y.t()[0, 0])
    return v * v


def flat_part(x: Any, y: Any) -> Any:
    """A transposed result, whose own transpose made flat is a view; of a plain copy it would be none."""
    z = x.t() * 1.0
    z.t().reshape(-1)[1:4].mul_(y[0, 0])
    return z * z


def used_again(x: Any, y: Any) -> Any:
    """One result reaches the output by several ways, of which one is a sum of both arguments' gradients."""
    z = x + x
    w = z + y.t()[0, 0]
    return z * w + w + z, w.sum() + z.sum()


def shared(x: Any, y: Any) -> Any:
    """Gradients that are one array where they begin, and are added into where they meet."""
    z = x.reshape(-1)
    w = x.reshape(-1) + z
    return (z + w).reshape(x.shape) + x, w + w


def nested(x: Any, y: Any) -> Any:
    """An output that is an input of another: the cotangent that the caller gave must not be added into."""
    z = x * x
    return z, z.exp(), y * z.sum()


def broadcast(x: Any, y: Any) -> Any:
    return (
        (x.unsqueeze(1) * x.unsqueeze(0)).sum(0) + x[:1] * x + x[:, :1] * y[0, 0] + (x.unsqueeze(1) * y[:1, :1]).sum(1)
    )


@st.composite
def matrices(draw: Any, dtypes: tuple[type, type] = (np.float64, np.float64)) -> Call:
    """x (n, m) and y (m − 1, n), as `part_overwritten` wants them."""
    n, m = draw(st.integers(2, 3)), draw(st.integers(2, 3))
    x, y = draw(arrays((n, m), low=0.25, high=2)), draw(arrays((m - 1, n), low=0.25, high=2))
    return Call((x.astype(dtypes[0]), y.astype(dtypes[1])))


@st.composite
def columns(draw: Any) -> Call:
    n = draw(st.integers(2, 3))
    return Call((draw(arrays((n, 2), low=0.25, high=1)), draw(arrays((n + 1, 1), low=0.25, high=1))))


def of_values(f: Any) -> Any:
    """The function is its own reference: its values are those of its parts, which have records."""
    return lambda *a: f(*map(tn.tensor, a))


def use(f: Any, inputs: Any, y: tuple[int, int] = (1, 2), dtype: type = np.float64) -> OpRecord:
    edge = Call((d.numbers(2, 2).astype(dtype), d.numbers(*y)))
    return OpRecord((f.__name__,), f, of_values(f), inputs, "composite", (0, 1), edges=(edge,), tolerance=SUMMED)


def promoted(x: Any, y: Any) -> Any:
    """Each argument's gradient comes back in its own dtype."""
    return x.t()[1:] * y + y


OF_MATRICES = (part_overwritten, view_of_a_change, flat_part, used_again, shared, nested, broadcast)
GROWN = d.pairs("any", min_side=1).map(lambda c: Call((c.args[0] + np.zeros_like(c.args[1]), c.args[1])))
USES = [
    *(use(f, matrices()) for f in OF_MATRICES),
    use(copied, GROWN),
    use(part_scaled, columns(), (3, 1)),
    use(promoted, matrices((np.float32, np.float64)), dtype=np.float32),
]
