"""Who may import whom, read from the sources; and what importing the package loads."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinynet
import tinynet_kernels

PACKAGE = Path(tinynet.__file__).parent
KERNELS = Path(tinynet_kernels.__file__).parent
BASE = [
    "_device",
    "_layout",
    "_tensor",
    "dtypes",
    "errors",
    "files",
    "printing",
    "quiet",
    "random",
    "strict",
    "threads",
    "memory",
    "methods",
    "serialization",
]

# What each part may import of tinynet, beside itself. `core` is the tensor with the modules under it (dtypes, errors, …)
CORE = {"core", "autograd"}
ALLOWED: dict[str, set[str]] = {
    "core": CORE,
    "autograd": CORE | {"kernels"},
    "ops": CORE | {"kernels"},
    "methods": CORE | {"ops"},
    "linalg": CORE | {"ops"},
    "nn": CORE | {"ops", "methods"},
    "optim": CORE | {"kernels"},
    "data": CORE | {"ops"},
    "utils": CORE | {"ops", "data", "nn"},
    "models": CORE | {"ops", "methods", "nn", "data"},
    "training": CORE | {"ops", "methods", "nn", "optim", "data"},
    "testing": {"errors"},
    "cli": CORE | {"ops", "methods", "nn", "optim", "data", "models", "training", "testing", "utils"},
    "compat": {"*"},
    "__main__": {"cli"},
    "__init__": set(),
}
# (module, what it imports): why
EXCEPTIONS = {
    ("_tensor", "ops"): "Tensor(…) makes a tensor of data, which creation does; imported on that call",
    ("autograd.functional", "ops"): "jacobian and hessian stack their rows; imported on that call",
    ("ops", "methods"): "whoever reaches an operation has a Tensor with its methods",
    ("serialization", "compat"): "PyTorch's file format; imported when a file has it",
    ("random", "kernels"): "the stream's definition is here, its kernel is there; imported on the first draw",
    ("threads", "kernels"): "the number of threads is the kernels'",
    ("memory", "kernels"): "the pool is the kernels'",
    ("optim.swa_utils", "nn"): "the averaged model is a Module",
    ("training.run", "models"): "the commands' experiments name their models",
    ("training.text.classification", "models"): "what is trained on text is chosen by name",
    ("training.text.language", "models"): "what is trained on text is chosen by name",
    ("training.text.run", "models"): "what is trained on text is chosen by name",
    ("training.text.translation", "models"): "what is trained on text is chosen by name",
    ("training.run_folder", "root"): "the version, for the record of a run",
    ("cli.commands", "root"): "the version and the public switches",
    ("cli.info", "root"): "the version and the public switches",
    ("cli.info", "kernels"): "reports the kernels' cache and threads",
    ("cli.check", "root"): "where the package lies, to find a checkout's records",
    ("cli.bench", "root"): "where the package lies, to find a checkout's benchmarks",
    ("cli.warmup", "root"): "the public names, as users have them",
    ("testing.jacobian", "core"): "a picture is written as every file is, whole or not at all",
    ("testing.adapters", "root"): "an adapter imports its engine when first used",
    ("testing.stateful", "root"): "the engine that a machine tests if none is named; imported on that call",
}


def part_of(parts: tuple[str, ...]) -> str:
    """The part of the house that a module of tinynet belongs to."""
    if not parts:
        return "root"
    if parts[0] in ("methods", "methods_old"):
        return "methods"
    return "core" if parts[0] in BASE else parts[0]


def imports_of(path: Path, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The modules that a file imports, anywhere in it, as tuples of names from the root."""
    found: list[tuple[str, ...]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            found += [(*module, alias.name) for alias in node.names]
    return found


def modules(root: Path) -> list[tuple[str, Path]]:
    return [(".".join(path.relative_to(root).with_suffix("").parts), path) for path in sorted(root.rglob("*.py"))]


def edges() -> list[tuple[str, str, str]]:
    """(module, its part, the part it imports), within the project."""
    out = []
    for name, path in modules(PACKAGE):
        parts = tuple(name.split("."))
        package = ("tinynet", *parts[:-1])
        own = part_of(parts) if parts != ("__init__",) else "__init__"
        for target in imports_of(path, package):
            if target[0] == "tinynet_kernels":
                out.append((name, own, "kernels"))
            elif target[0] == "tinynet":
                rest = target[1:]
                # `from tinynet import x` and `from .. import x` name a module of the root, or the lazy root itself
                known = rest and ((PACKAGE / rest[0]).is_dir() or (PACKAGE / f"{rest[0]}.py").exists())
                out.append((name, own, ("errors" if rest[0] == "errors" else part_of(rest)) if known else "root"))
    return out


def test_layers() -> None:
    wrong = []
    for module, own, target in edges():
        allowed = ALLOWED[own] | {own}
        name = module.removesuffix(".__init__")
        if target == "errors":
            target = "errors" if own == "testing" else "core"
        if "*" in allowed or target in allowed or (name, target) in EXCEPTIONS:
            continue
        wrong.append(f"{module} ({own}) imports {target}")
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_exceptions_are_needed() -> None:
    found = {(module.removesuffix(".__init__"), target) for module, _, target in edges()}
    assert set(EXCEPTIONS) <= found


def test_kernels_import_nothing_of_tinynet() -> None:
    for name, path in modules(KERNELS):
        package = ("tinynet_kernels", *name.split(".")[:-1])
        targets = imports_of(path, package)
        assert not [t for t in targets if t[0] == "tinynet"], name
        families = {"cpu": "gpu", "gpu": "cpu"}
        own = name.split(".")[0]
        if own in families:
            assert not [t for t in targets if t[:2] == ("tinynet_kernels", families[own])], name


def loaded_by(code: str) -> dict[str, list[str]]:
    """The modules that a fresh interpreter has loaded after `code`, and the environment variables it changed."""
    script = (
        f"import os, sys, json; before = dict(os.environ)\n{code}\n"
        "changed = [k for k in {*before, *os.environ} if before.get(k) != os.environ.get(k)]\n"
        "print(json.dumps({'modules': sorted(sys.modules), 'environment': changed}))"
    )
    roots = {str(PACKAGE.parent), str(KERNELS.parent)}
    path = os.pathsep.join([*roots, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import tinynet", "numba cupy matplotlib torch scipy tinynet._tensor tinynet_kernels"),
        ("import tinynet.testing", "numba cupy matplotlib torch scipy hypothesis tinynet._tensor tinynet_kernels"),
        ("import tinynet; tinynet.tensor([1.0])", "cupy matplotlib torch hypothesis"),
        ("import tinynet; tinynet.nn; tinynet.optim", "cupy matplotlib torch hypothesis"),
    ],
)
def test_importing_is_light(code: str, absent: str) -> None:
    found = loaded_by(code)
    assert not set(absent.split()) & set(found["modules"])
    assert found["environment"] == []
