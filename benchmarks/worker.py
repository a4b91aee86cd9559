"""One engine in a process of its own, that answers questions over a pipe and is blocked on a read between them.

python -m benchmarks.worker ENGINE THREADS        (the parent starts it; questions and answers are lines of JSON)

Two thread pools in one process stall each other, so each engine has its own; the parent asks one at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from .cases import Case, Maker, Program, load
from .engines import ENGINES


class Worker:
    """The questions are its methods; one program is held at a time."""

    def __init__(self, engine: str, threads: int) -> None:
        self.engine, self.threads = ENGINES[engine], threads
        self._build = self.engine.start(threads)
        self._case: Case | None = None
        self._program: Program | None = None

    def prepare(self, family: str, name: str) -> bool:
        """Build the case's program; False where this engine has none."""
        self.drop()
        self._case = load(family)[name]
        self._program = self._build(self._case)
        return self._program is not None

    def drop(self) -> None:
        """Forget the program, and give its memory back."""
        self._case = self._program = None
        gc.collect()
        self.engine.clear()

    def values(self) -> str:
        """Run once; the name of a file with the results."""
        return _saved(self._held().values())

    def oracle(self, family: str, name: str) -> str:
        """The case by tinynet's definitions in float64; the name of a file with the results."""
        import tinynet

        with tinynet.use_definitions():
            return _saved(load(family)[name].build(Maker(tinynet, "float64")).values())

    def time(self, repetitions: int) -> float:
        """Seconds a run, over one block of runs, after one that brings the caches back."""
        run = self._held().run
        if repetitions > 1:
            run()
        start = time.perf_counter()
        for _ in range(repetitions):
            run()
        return (time.perf_counter() - start) / repetitions

    def memory(self, runs: int) -> float | None:
        """The most MiB that building the program and running it took, beyond what the process had before.

        A first round has loaded all code. None where the system does not tell a process's high-water mark.
        """
        case = self._case
        if case is None or not Path("/proc/self/clear_refs").exists():
            return None
        self.drop()
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
        before = _status("VmRSS")
        self._case, self._program = case, self._build(case)
        for _ in range(runs):
            self._held().run()
        return (_status("VmHWM") - before) / 1024

    def cold(self, family: str, name: str) -> float:
        """Seconds that a first run takes beyond a second one (in a fresh process with an empty cache: compilation)."""
        self.prepare(family, name)
        times = [self.time(1) for _ in range(3)]
        return times[0] - min(times[1:])

    def roofline(self) -> dict[str, float]:
        """What this machine can do: see roofline.py."""
        from .roofline import measured

        return measured(self.threads)

    def blas(self) -> list[str]:
        """The BLAS libraries of the process, with the core each has chosen."""
        if "torch" in sys.modules:  # linked into it, where no list of libraries shows it
            import torch

            found = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
            return [found[1] if found else "unknown", "oneDNN" if torch.backends.mkldnn.is_available() else "no oneDNN"]
        import scipy.linalg.blas  # noqa: F401  (loads SciPy's own library)
        import threadpoolctl

        return [
            f"{b['internal_api']} {b.get('version')} ({b.get('architecture', '?')} core)"
            for b in threadpoolctl.threadpool_info()
            if b["user_api"] == "blas"
        ]

    def _held(self) -> Program:
        if self._program is None:
            raise RuntimeError("no program is prepared")
        return self._program


def _saved(values: dict[str, Any]) -> str:
    handle, name = tempfile.mkstemp(suffix=".npz", prefix="tinynet-benchmark-")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, **{k: np.asarray(v) for k, v in values.items()})
    return name


def _status(field: str) -> int:
    """KiB, from the system's table of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {field}")


def main(engine: str, threads: str) -> None:
    """Answer until the pipe closes. What libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(engine, int(threads))
    with worker.engine.context():
        for line in sys.stdin:
            question = json.loads(line)
            try:
                result = getattr(worker, question["ask"])(*question["arguments"])
                answer: dict[str, Any] = {"result": result}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
