"""The same right and wrong reverse rules through every gradient checker that is installed, interleaved in one run.

python benchmarks/checkers.py [--seeds 20] [--json FILE]

A miss is a wrong rule that a checker accepts, a false alarm a right one that it does not. Every checker runs with its
documented defaults, in float32 too: PyTorch's documentation asks for float64 inputs and names no other tolerances,
JAX's defaults depend on the dtype, autograd's do not. Each gets the NumPy rule in the wrapper that its engine documents
for custom operations; a rule that raises, or gives the wrong shape, counts as rejected. Times are of the check alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from checkers_problems import PROBLEMS, Function, Problem
from threadpoolctl import threadpool_limits

from tinynet.testing import check_vjp

Check = Callable[[], str]
"""One check, ready to be timed: "pass", "fail" or "unresolved"."""
Prepare = Callable[[Function, Function, list[Any], int], Check]
"""Wraps (f, vjp, args, seed) for an engine, outside of the time."""

SLOW, FAST, JAX, HIPS, SAMPLED, OURS = "torch slow", "torch fast", "JAX", "autograd", "sampled", "tinynet"


def several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def raises(check: Callable[[], Any]) -> str:
    try:
        check()
    except Exception:  # whatever a peer says of a rule, or a rule of its arguments
        return "fail"
    return "pass"


def arrays(values: Any) -> tuple[Any, ...]:
    """Copies, which no engine's later addition into them can change."""
    return tuple(np.array(v) for v in several(values))


def torch_checker(fast: bool) -> Prepare:
    torch = import_module("torch")
    gradcheck = import_module("torch.autograd.gradcheck").gradcheck
    torch.set_num_threads(1)

    def prepare(f: Function, vjp: Function, args: list[Any], seed: int) -> Check:
        torch.manual_seed(seed)

        class Rule(torch.autograd.Function):  # type: ignore[misc, name-defined]
            @staticmethod
            def forward(ctx: Any, *tensors: Any) -> Any:
                ctx.save_for_backward(*tensors)
                result = f(*arrays([t.detach() for t in tensors]))
                outputs = tuple(torch.from_numpy(y) for y in arrays(result))
                return outputs if isinstance(result, tuple) else outputs[0]

            @staticmethod
            def backward(ctx: Any, *cotangents: Any) -> Any:
                dys = arrays([u.detach() for u in cotangents])
                xs = arrays([t.detach() for t in ctx.saved_tensors])
                return tuple(torch.from_numpy(g) for g in arrays(vjp(*xs, dys if len(dys) > 1 else dys[0])))

        tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in args]
        return lambda: raises(lambda: gradcheck(Rule.apply, tensors, fast_mode=fast))

    return prepare


def jax_checker() -> Prepare:
    jax = import_module("jax")
    check_grads = import_module("jax.test_util").check_grads
    x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64

    def like(values: Any) -> tuple[Any, ...]:
        return tuple(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in several(values))

    def prepare(f: Function, vjp: Function, args: list[Any], seed: int) -> Check:
        result = f(*args)
        outputs = like(tuple(np.asarray(y) for y in several(result)))

        def forward(*xs: Any) -> Any:
            ys = jax.pure_callback(lambda *xs: arrays(f(*arrays(xs))), outputs, *xs)
            return tuple(ys) if isinstance(result, tuple) else ys[0]

        def backward(xs: Any, dy: Any) -> Any:
            def rule(xs: Any, dy: Any) -> Any:
                return arrays(vjp(*arrays(xs), arrays(dy) if isinstance(dy, tuple) else np.array(dy)))

            return tuple(jax.pure_callback(rule, like(tuple(xs)), xs, dy))

        rule = jax.custom_vjp(forward)
        rule.defvjp(lambda *xs: (forward(*xs), xs), backward)

        def check() -> str:
            with x64(True):
                return raises(lambda: check_grads(rule, tuple(args), order=1, modes=["rev"]))

        return check

    return prepare


def autograd_checker() -> Prepare:
    extend = import_module("autograd.extend")
    check_grads = import_module("autograd.test_util").check_grads

    def prepare(f: Function, vjp: Function, args: list[Any], seed: int) -> Check:
        @extend.primitive
        def rule(*xs: Any) -> Any:
            return f(*xs)

        def pull(argnums: Sequence[int], ans: Any, xs: Any, kwargs: Any) -> Any:
            def of(dy: Any) -> list[Any]:
                gradients = several(vjp(*xs, dy))
                return [np.array(gradients[i]) for i in argnums]

            return of

        extend.defvjp_argnums(rule, pull)
        which = 0 if len(args) == 1 else tuple(range(len(args)))

        def check() -> str:
            np.random.seed(seed)  # noqa: NPY002  (from which autograd draws)
            return raises(lambda: check_grads(rule, which, modes=["rev"], order=1)(*args))

        return check

    return prepare


def sampled_checker() -> Prepare:
    """A stand-in for the check of minitorch and many courses: Σ f, three random entries an argument, 1 %."""

    def prepare(f: Function, vjp: Function, args: list[Any], seed: int) -> Check:
        def check() -> None:
            rng = np.random.default_rng(seed)
            ones = tuple(np.ones_like(np.asarray(y)) for y in several(f(*args)))
            gradients = several(vjp(*args, ones if len(ones) > 1 else ones[0]))
            for i, (x, g) in enumerate(zip(args, gradients, strict=True)):
                assert np.shape(g) == x.shape
                for flat in rng.choice(x.size, min(3, x.size), replace=False):
                    index = np.unravel_index(flat, x.shape)
                    sides = []
                    for step in (1e-6, -1e-6):
                        moved = [a.copy() for a in args]
                        moved[i][index] += step
                        sides.append(sum(float(np.sum(y)) for y in several(f(*moved))))
                    np.testing.assert_allclose(g[index], (sides[0] - sides[1]) / 2e-6, rtol=1e-2, atol=1e-2)

        return lambda: raises(check)

    return prepare


def our_checker() -> Prepare:
    return lambda f, vjp, args, seed: lambda: check_vjp(f, args, vjp=vjp, seed=seed, shrink=False).verdict


MAKERS: dict[str, tuple[str, Callable[[], Prepare]]] = {
    SLOW: ("torch", lambda: torch_checker(fast=False)),
    FAST: ("torch", lambda: torch_checker(fast=True)),
    JAX: ("jax", jax_checker),
    HIPS: ("autograd", autograd_checker),
    SAMPLED: ("numpy", sampled_checker),
    OURS: ("numpy", our_checker),
}


@dataclass
class Result:
    """A checker's verdicts and seconds on one problem, one per seed."""

    verdicts: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def errors(self, right: bool) -> int:
        """How often the verdict was wrong; for a right rule, "unresolved" is too."""
        return sum(v != "pass" if right else v == "pass" for v in self.verdicts)


Results = dict[str, dict[str, Result]]
"""Problem -> checker -> result."""


def run(problems: Sequence[Problem], checkers: dict[str, Prepare], seeds: int) -> Results:
    """Every problem and seed through every checker in turn."""
    results: Results = {p.name: {name: Result() for name in checkers} for p in problems}
    for problem in problems:
        for seed in range(seeds):
            for name, prepare in checkers.items():
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")  # PyTorch's of float32 inputs
                    check = prepare(*problem.make(), problem.arguments(seed), seed)
                    start = time.perf_counter()
                    verdict = check()
                    seconds = time.perf_counter() - start
                results[problem.name][name].verdicts.append(verdict)
                results[problem.name][name].seconds.append(seconds)
        if sys.stderr.isatty():
            print(f"\r{problem.name:<70}", end="", file=sys.stderr)
    return results


def summary(problems: Sequence[Problem], results: Results, checkers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The counts and the time ratios of each checker."""
    base = SLOW if SLOW in checkers else OURS
    table: dict[str, dict[str, Any]] = {}
    for name in checkers:
        wrong = [results[p.name][name] for p in problems if not p.right]
        rights = {
            dtype: [results[p.name][name] for p in problems if p.right and p.dtype == dtype]
            for dtype in ("float64", "float32")
        }
        median = {p.name: statistics.median(results[p.name][name].seconds) for p in problems}
        ratios = [median[p.name] / statistics.median(results[p.name][base].seconds) for p in problems]
        table[name] = {
            "missed": sum(r.errors(False) for r in wrong),
            "missed rules": sum(r.errors(False) > 0 for r in wrong),
            **{f"false alarms {dtype}": sum(r.errors(True) for r in rs) for dtype, rs in rights.items()},
            "alarmed rules": sum(r.errors(True) > 0 for rs in rights.values() for r in rs),
            "unresolved": sum(r.verdicts.count("unresolved") for rs in rights.values() for r in rs),
            "unresolved wrong": sum(r.verdicts.count("unresolved") for r in wrong),
            "time": statistics.median(ratios),
            "least time": min(ratios),
            "most time": max(ratios),
        }
    return table


def show(problems: Sequence[Problem], results: Results, checkers: Sequence[str], seeds: int) -> None:
    """The summary, the problems that some checker gets wrong, and the time ratios."""
    table = summary(problems, results, checkers)
    wrong = sum(not p.right for p in problems)
    f32 = sum(p.right and p.dtype == "float32" for p in problems)
    f64 = len(problems) - wrong - f32
    print(
        f"{wrong} wrong rules, {f64} right ones in float64 and {f32} in float32, {seeds} seeds each; shares of checks"
    )
    print("a right rule on which the verdict is 'unresolved' counts among the false alarms, and is shown again\n")
    head = ("missed", "rules", "alarms f64", "alarms f32", "rules", "unresolved")
    print(f"{'':<12}" + "".join(f"{h:>14}" for h in head))
    for name in checkers:
        row = table[name]
        cells = (
            f"{row['missed'] / (wrong * seeds):.1%}",
            f"{row['missed rules']}/{wrong}",
            f"{row['false alarms float64'] / (f64 * seeds):.1%}",
            f"{row['false alarms float32'] / (f32 * seeds):.1%}",
            f"{row['alarmed rules']}/{f64 + f32}",
            f"{row['unresolved'] / ((f64 + f32) * seeds):.1%}" if name == OURS else "",
        )
        print(f"{name:<12}" + "".join(f"{c:>14}" for c in cells))
    for right, title in ((False, "wrong rules accepted"), (True, "right rules not accepted")):
        print(f"\n{f'{title}, of {seeds} seeds':<54}" + "".join(f"{name:>12}" for name in checkers))
        for p in problems:
            counts = [results[p.name][name].errors(right) for name in checkers]
            if p.right == right and any(counts):
                print(f"{p.name:<54}" + "".join(f"{c or '':>12}" for c in counts))
    print(f"\ntime over that of {SLOW if SLOW in checkers else OURS}: median of the problems' medians, least, most")
    for name in checkers:
        print(
            f"{name:<12}{table[name]['time']:>10.2f}{table[name]['least time']:>10.2f}{table[name]['most time']:>10.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Gradient checkers on the same right and wrong rules")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write every verdict and the summary to this file")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}, expected at least 1")
    checkers: dict[str, Prepare] = {}
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for name, (package, make) in MAKERS.items():
        try:
            checkers[name] = make()
            versions[package] = metadata.version(package)
        except ImportError:
            print(f"{name} is left out: {package} is not installed")
    print(", ".join(f"{package} {version}" for package, version in versions.items()))
    with threadpool_limits(1):
        run(PROBLEMS, checkers, 1)  # what loads or compiles on first use
        results = run(PROBLEMS, checkers, options.seeds)
    show(PROBLEMS, results, list(checkers), options.seeds)
    if options.json:
        base = SLOW if SLOW in checkers else OURS
        document = {
            "versions": versions,
            "seeds": options.seeds,
            "time base": base,
            "summary": summary(PROBLEMS, results, list(checkers)),
            "problems": {
                p.name: {
                    "right": p.right,
                    "dtype": p.dtype,
                    "verdicts": {name: results[p.name][name].verdicts for name in checkers},
                    "time": {
                        name: statistics.median(results[p.name][name].seconds)
                        / statistics.median(results[p.name][base].seconds)
                        for name in checkers
                    },
                }
                for p in PROBLEMS
            },
        }
        options.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
