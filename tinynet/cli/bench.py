"""What `tinynet bench` does: runs the benchmarks of a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click


def checkout() -> Path:
    """The checkout that this package lies in. Raises UsageError where it lies in none."""
    import tinynet

    root = Path(tinynet.__file__).resolve().parents[1]
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise click.UsageError("the benchmarks are in a checkout of tinynet, which an installed package has not")
    return root


def run(arguments: Sequence[str]) -> int:
    """`python -m benchmarks` with these arguments, in the current folder; its exit code."""
    root = checkout()
    paths = [str(root), str(root / "kernels"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run([sys.executable, "-m", "benchmarks", *arguments], env=environment, check=False).returncode
