"""L-BFGS, with a line search for the strong Wolfe conditions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._tensor import Tensor, changed, new_tensor
from ..autograd.modes import enable_grad
from ..errors import DtypeError, OptionError
from .batch import Array
from .optimizer import Optimizer, Params, check


class LBFGS(Optimizer):
    """W ← W + t·d, d = −H·g, H the inverse Hessian as the last `history_size` steps and changes of g describe it.

    max_iter          iterations in a `step`
    max_eval          evaluations in a `step`; max_iter·5/4 by default
    tolerance_grad    stop at a gradient with no element above it
    tolerance_change  stop at a step, or a change of the loss, below it
    line_search_fn    None: t = lr; "strong_wolfe": a search along d that starts there

    `step` needs a closure, which it calls several times. There is one parameter group, and a vector for all parameters.
    Source: Nocedal and Wright, Numerical Optimization, 2006: algorithms 7.4 and 7.5; line search: 3.5 and 3.6.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check("LBFGS", "lr", lr >= 0, lr, "≥ 0")
        check(
            "LBFGS",
            "line_search_fn",
            line_search_fn in (None, "strong_wolfe"),
            line_search_fn,
            "None or 'strong_wolfe'",
        )
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise OptionError(f"LBFGS: there can be one parameter group only, got {len(self.param_groups)}")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to max_iter iterations; returns the closure's first loss."""
        if closure is None:
            raise DtypeError("LBFGS.step: expected a closure that computes the loss and its gradients, got None")
        self._check_memory(self._params, ())
        group, memory = self.param_groups[0], self.state[self._params[0]]
        memory.setdefault("func_evals", 0)
        memory.setdefault("n_iter", 0)
        with enable_grad():
            first = closure()
        memory["func_evals"] += 1
        point = _Point(0.0, float(first), self._gradient())
        if np.abs(point.grad).max() <= group["tolerance_grad"]:
            return first
        with np.errstate(all="ignore"):
            self._iterate(closure, point, group, memory)
        return first

    def _iterate(
        self, closure: Callable[[], Any], point: _Point, group: dict[str, Any], memory: dict[str, Any]
    ) -> None:
        evaluations, smallest = 1, group["tolerance_change"]
        for iteration in range(1, group["max_iter"] + 1):
            memory["n_iter"] += 1
            first = memory["n_iter"] == 1
            d = -point.grad if first else _direction(point.grad, memory, group["history_size"])
            if first:
                memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            t: Any = min(1.0, 1.0 / np.abs(point.grad).sum()) * float(group["lr"]) if first else float(group["lr"])
            before, before_grad = point.loss, point.grad
            memory.update(d=new_tensor(d), t=t, prev_flat_grad=new_tensor(before_grad), prev_loss=before)
            point = _Point(0.0, before, before_grad, before_grad.dot(d))
            if point.slope > -smallest:
                return
            count = 0
            if group["line_search_fn"] is not None:
                start = [p.array.copy() for p in self._params]
                point, count = strong_wolfe(
                    lambda t, d=d, start=start: self._evaluate(closure, start, t, d),  # type: ignore[misc]
                    point,
                    t,
                    np.abs(d).max(),
                    smallest,
                    group["max_eval"] - evaluations,
                )
                memory["t"] = t = point.t
                self._move(t, d)
            else:
                self._move(t, d)
                if iteration != group["max_iter"]:  # nobody would read another evaluation
                    with enable_grad():
                        point = _Point(0.0, float(closure()), self._gradient())
                    count = 1
            evaluations += count
            memory["func_evals"] += count
            if (
                evaluations >= group["max_eval"]
                or np.abs(point.grad).max() <= group["tolerance_grad"]
                or np.abs(d * t).max() <= smallest
                or abs(point.loss - before) < smallest
            ):
                return

    def _gradient(self) -> Array:
        """All gradients as one vector; zeros where there is none."""
        parts = [
            np.zeros(p.array.size, p.array.dtype) if p.grad is None else p.grad.array.ravel() for p in self._params
        ]
        return np.concatenate(parts)

    def _move(self, t: Any, d: Array) -> None:
        ends = itertools.accumulate(p.array.size for p in self._params)
        for p, end in zip(self._params, ends, strict=True):
            p.array[...] += (d[end - p.array.size : end] * t).reshape(p.array.shape).astype(p.array.dtype)
            changed(p)

    def _evaluate(self, closure: Callable[[], Any], start: list[Array], t: Any, d: Array) -> _Point:
        """The point at start + t·d; the parameters return to the start."""
        self._move(t, d)
        with enable_grad():
            loss = float(closure())
        grad = self._gradient()
        for p, a in zip(self._params, start, strict=True):
            p.array[...] = a
            changed(p)
        return _Point(t, loss, grad, grad.dot(d))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state_dict of an optimizer with the same parameters."""
        super().load_state_dict({**state_dict, "state": {}})
        for values in state_dict["state"].values():
            self.state[self._params[0]] = {name: _copied(v) for name, v in values.items()}


@dataclass
class _Point:
    """A place on the line: its distance along d, loss, gradient, and slope gradient·d."""

    t: Any
    loss: float
    grad: Array
    slope: Any = 0.0


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(v) for v in value]
    return new_tensor(value.array.copy()) if isinstance(value, Tensor) else value


def _direction(grad: Array, memory: dict[str, Any], history_size: int) -> Array:
    """−H·g by the two loops over the remembered steps s and changes y of the gradient, after remembering the last ones."""
    steps, changes, rho = memory["old_stps"], memory["old_dirs"], memory["ro"]
    y, s = grad - memory["prev_flat_grad"].array, memory["d"].array * memory["t"]
    ys = y.dot(s)
    if ys > 1e-10:
        if len(changes) == history_size:
            for old in (steps, changes, rho):
                old.pop(0)
        changes.append(new_tensor(y))
        steps.append(new_tensor(s))
        rho.append(float(1.0 / ys))
        memory["H_diag"] = float(ys / y.dot(y))
    q, alpha = -grad, [0.0] * len(changes)
    for i in reversed(range(len(changes))):
        alpha[i] = steps[i].array.dot(q) * rho[i]
        q = q - changes[i].array * alpha[i]
    d = q * memory["H_diag"]
    for i in range(len(changes)):
        d = d + steps[i].array * (alpha[i] - changes[i].array.dot(d) * rho[i])
    return d


def strong_wolfe(
    evaluate: Callable[[Any], _Point], start: _Point, t: Any, longest: Any, tolerance_change: float, max_ls: int
) -> tuple[_Point, int]:
    """A point with f(t) ≤ f(0) + c₁·t·f′(0) and |f′(t)| ≤ −c₂·f′(0), c₁ = 10⁻⁴, c₂ = 0.9, or the best one found.

    longest  the largest |element| of the direction
    Returns the point and the number of evaluations.
    """
    c1, c2 = 1e-4, 0.9
    previous, new, n = start, evaluate(t), 0
    bracket = [start, new]
    while n < max_ls:  # until two points hold one between them
        bracket = [previous, new]
        if new.loss > start.loss + c1 * new.t * start.slope or (n > 1 and new.loss >= previous.loss):
            break
        if abs(new.slope) <= -c2 * start.slope:
            return new, n + 1
        if new.slope >= 0:
            break
        t = _cubic(previous, new, new.t + 0.01 * (new.t - previous.t), new.t * 10)
        previous, new, n = new, evaluate(t), n + 1
    else:
        bracket = [start, new]
    low, stuck = _lower(bracket), False
    while n < max_ls and abs(bracket[1].t - bracket[0].t) * longest >= tolerance_change:
        ends = [p.t for p in bracket]
        left, right = min(ends), max(ends)
        t, margin = _cubic(bracket[0], bracket[1], left, right), 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or t >= right or t <= left):  # too little progress: at least a tenth from the end
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        stuck = near
        new, n = evaluate(t), n + 1
        if new.loss > start.loss + c1 * new.t * start.slope or new.loss >= bracket[low].loss:
            bracket[1 - low] = new
            low = _lower(bracket)
            continue
        done = abs(new.slope) <= -c2 * start.slope
        if not done and new.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = new
        if done:
            break
    return bracket[low], n + 1


def _lower(bracket: list[_Point]) -> int:
    return 0 if bracket[0].loss <= bracket[1].loss else 1


def _cubic(a: _Point, b: _Point, low: Any, high: Any) -> Any:
    """The minimum of the cubic through two points with their slopes, between `low` and `high`; the middle without one."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = np.sqrt(square)
    if a.t > b.t:
        a, b = b, a
    place = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(place, low), high)
