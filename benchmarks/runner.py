"""The parent: starts a worker for each engine, validates a case in all of them, then times them in turn."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_kernels import available

from .cases import Case, disagreement
from .engines import ENGINES, environment, installed, version

ROOT = Path(__file__).resolve().parents[1]


class WorkerError(Exception):
    """What went wrong in a worker: its exception, in a line."""


class Peer:
    """A worker process, asked one question at a time."""

    def __init__(self, engine: str, threads: int, lanes: int | None = None, **variables: str) -> None:
        self.name = engine
        paths = [str(ROOT), str(ROOT / "kernels"), *filter(None, sys.path)]
        env = environment(engine, threads, lanes) | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))} | variables
        command = [sys.executable, "-m", "benchmarks.worker", engine, str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, question: str, *arguments: Any) -> Any:
        """The worker's answer. Raises WorkerError with its exception."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"ask": question, "arguments": arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"{self.name}: the worker ended (exit code {self.process.wait()})")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer["result"]

    def arrays(self, question: str, *arguments: Any) -> dict[str, np.ndarray[Any, Any]]:
        """An answer that is a file of arrays."""
        path = self.ask(question, *arguments)
        try:
            with np.load(path) as data:
                return dict(data)
        finally:
            os.unlink(path)

    def close(self) -> None:
        """End the worker."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@dataclass(frozen=True)
class Settings:
    """How to measure. block: seconds of runs that are timed together; rounds: blocks of each engine."""

    threads: int = 1
    peers: tuple[str, ...] = ("tinynet", "torch", "torch-tuned")
    lanes: int | None = None
    quick: bool = False
    cold: bool = False
    block: float = 0.04
    rounds: int = 15


@dataclass
class Row:
    """A case's results; `error` says why there are no times."""

    family: str
    case: str
    seconds: dict[str, float] = field(default_factory=dict)
    iqr: dict[str, float] = field(default_factory=dict)
    ratio: dict[str, float] = field(default_factory=dict)
    gflops: float | None = None
    gbs: float | None = None
    floor_seconds: float | None = None
    roofline_share: float | None = None
    memory_mib: dict[str, float] = field(default_factory=dict)
    cold_seconds: float | None = None
    samples: int = 1
    error: str | None = None


class Session:
    """Workers for the engines that are installed, one more for the definitions, and the machine's roofline."""

    def __init__(self, settings: Settings) -> None:
        unknown = [p for p in settings.peers if p not in ENGINES]
        if unknown:
            raise SystemExit(f"--peers: unknown {', '.join(unknown)}; there are {', '.join(ENGINES)}")
        self.settings = settings
        self.missing = [p for p in settings.peers if not installed(p)]
        names = dict.fromkeys(["tinynet", *(p for p in settings.peers if p not in self.missing)])
        threads = settings.threads
        if not available("float32"):
            raise SystemExit("benchmarks time kernels, which there are none of while NUMBA_DISABLE_JIT is set")
        self.oracle = Peer("definition", threads)
        self.peers: list[Peer] = []
        try:
            self.roofline: dict[str, float] = self.oracle.ask("roofline")
            self.peers += [Peer(name, threads, settings.lanes) for name in names]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        for peer in (self.oracle, *self.peers):
            peer.close()

    def header(self) -> dict[str, Any]:
        """What every table begins with."""
        packages = {"tinynet": "tinynet", "numpy": "numpy", "numba": "numba"}
        packages |= {p.name: ENGINES[p.name].package for p in self.peers}
        return {
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": self.settings.threads,
            "vector_lanes": self.settings.lanes or int(self.roofline["lanes"]),
            "blas": {p.name: p.ask("blas") for p in self.peers if p.name in ("tinynet", "torch", "numpy")},
            "versions": {
                "python": platform.python_version(),
                **{p: version(p) for p in dict.fromkeys(packages.values())},
            },
            "roofline": self.roofline,
            "quick": self.settings.quick,
            "missing": self.missing,
        }

    def row(self, family: str, case: Case) -> Row:
        """Validate, then time; a case that fails has its reason in `error`."""
        row = Row(family, case.name, samples=case.samples)
        try:
            ready = [p for p in self.peers if p.ask("prepare", family, case.name)]
            self._validate(family, case, ready)
            self._time(case, ready, row)
            for peer in ready:
                found = peer.ask("memory", 2)
                if found is not None:
                    row.memory_mib[peer.name] = found
            if self.settings.cold:
                row.cold_seconds = self._cold(family, case)
        except WorkerError as error:
            row.error = str(error)
        finally:
            for peer in (self.oracle, *self.peers):
                if peer.process.poll() is None:
                    peer.ask("drop")
        return row

    def _validate(self, family: str, case: Case, ready: list[Peer]) -> None:
        expected = self.oracle.arrays("oracle", family, case.name)
        for peer in ready:
            allowed = case.tolerance if peer.name == "tinynet" else case.of_peers or case.tolerance
            wrong = disagreement(peer.arrays("values"), expected, allowed)
            if wrong is not None:
                raise WorkerError(f"{peer.name} disagrees with the definition in float64: {wrong}")

    def _time(self, case: Case, ready: list[Peer], row: Row) -> None:
        block, rounds = (0.004, 3) if self.settings.quick else (self.settings.block, self.settings.rounds)
        repetitions = {}
        for peer in ready:
            once = min(peer.ask("time", 1) for _ in range(3))
            repetitions[peer.name] = max(1, min(10_000, round(block / max(once, 1e-7))))
            peer.ask("time", repetitions[peer.name])
        times: dict[str, list[float]] = {p.name: [] for p in ready}
        for i in range(rounds):
            k = i % len(ready)  # each engine comes after each other one as often
            for peer in ready[k:] + ready[:k]:
                times[peer.name].append(peer.ask("time", repetitions[peer.name]))
        own = times["tinynet"]
        for name, found in times.items():
            row.seconds[name] = statistics.median(found)
            low, _, high = statistics.quantiles(found, n=4)
            row.iqr[name] = high - low
            if name != "tinynet":
                row.ratio[name] = statistics.median(b / a for a, b in zip(own, found, strict=True))
        self._against_roofline(case, row)

    def _against_roofline(self, case: Case, row: Row) -> None:
        seconds = row.seconds["tinynet"]
        if case.flops:
            row.gflops = case.flops / seconds / 1e9
        if case.bytes:
            row.gbs = case.bytes / seconds / 1e9
        if case.flops or case.bytes:
            arithmetic = case.flops / (self.roofline["peak_gflops"] * 1e9)
            row.floor_seconds = max(arithmetic, case.bytes / (self.roofline["triad_gbs"] * 1e9))
            row.roofline_share = row.floor_seconds / seconds

    def _cold(self, family: str, case: Case) -> float:
        with tempfile.TemporaryDirectory(prefix="tinynet-cold-") as folder:
            peer = Peer("tinynet", self.settings.threads, self.settings.lanes, TINYNET_CACHE_DIR=folder)
            try:
                return float(peer.ask("cold", family, case.name))
            finally:
                peer.close()


def run(session: Session, families: Mapping[str, Mapping[str, Case]]) -> Iterator[Row]:
    """A row for each case, as it is measured."""
    for family, cases in families.items():
        for case in cases.values():
            if case.quick or not session.settings.quick:
                yield session.row(family, case)


def processor() -> str:
    """The processor's name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
