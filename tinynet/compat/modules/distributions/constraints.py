"""What parameters and values of a distribution must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinynet import Tensor


class Constraint:
    """A set of tensors. `check(value)` tells for each event whether it lies within."""

    def __init__(self, name: str, inside: Callable[[Any], Any], event_dim: int = 0, is_discrete: bool = False) -> None:
        self.name, self.inside, self.event_dim, self.is_discrete = name, inside, event_dim, is_discrete

    def check(self, value: Tensor) -> Tensor:
        """A boolean tensor, of the shape of `value` without its last `event_dim` dimensions."""
        return self.inside(value)

    def __repr__(self) -> str:
        return self.name


def interval(low: Any, high: Any) -> Constraint:
    """Numbers from `low` to `high`, both included."""
    return Constraint(f"Interval(lower_bound: {low}, upper_bound: {high})", lambda x: (x >= low) & (x <= high))


def integer_interval(low: Any, high: Any) -> Constraint:
    """Whole numbers from `low` to `high`, both included."""
    name = f"IntegerInterval(lower_bound: {low}, upper_bound: {high})"
    return Constraint(name, lambda x: (x % 1 == 0) & (x >= low) & (x <= high), is_discrete=True)


def _symmetric(x: Any) -> Any:
    return (abs(x - x.mT) <= 1e-6 * abs(x).amax((-2, -1), keepdim=True)).all(-1).all(-1)


def _definite(x: Any) -> Any:
    import numpy as np

    import tinynet as tn

    least = np.linalg.eigvalsh(x.detach().double().numpy()).min(-1)
    return tn.from_numpy(np.asarray(least > 0)) & _symmetric(x)


real = Constraint("Real()", lambda x: x == x)
real_vector = Constraint("IndependentConstraint(Real(), 1)", lambda x: (x == x).all(-1), 1)
positive = Constraint("GreaterThan(lower_bound: 0.0)", lambda x: x > 0)
nonnegative = Constraint("GreaterThanEq(lower_bound: 0.0)", lambda x: x >= 0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint(
    "IntegerGreaterThan(lower_bound: 0)", lambda x: (x % 1 == 0) & (x >= 0), is_discrete=True
)
simplex = Constraint("Simplex()", lambda x: (x >= 0).all(-1) & (abs(x.sum(-1) - 1) < 1e-6), 1)
positive_vector = Constraint("IndependentConstraint(GreaterThan(lower_bound: 0.0), 1)", lambda x: (x > 0).all(-1), 1)
one_hot = Constraint("OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1, True)
lower_cholesky = Constraint(
    "LowerCholesky()", lambda x: (x.tril() == x).all(-1).all(-1) & (x.diagonal(0, -2, -1) > 0).all(-1), 2
)
positive_definite = Constraint("PositiveDefinite()", _definite, 2)
