"""Anomaly mode: each node remembers the user's line, and the first NaN in a gradient raises, naming both."""

from __future__ import annotations

from typing import Any, Self

from .node import anomaly


class set_detect_anomaly:
    """Switch anomaly mode on or off at once; as a context manager it restores what was before."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = (anomaly.detect, anomaly.check_nan)
        anomaly.detect, anomaly.check_nan = bool(mode), bool(check_nan)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        anomaly.detect, anomaly.check_nan = self.before


class detect_anomaly(set_detect_anomaly):
    """Within it, a backward that makes NaN raises GraphError with the operation, the line that called it, the index."""

    def __init__(self, check_nan: bool = True) -> None:
        self.wanted = bool(check_nan)

    def __enter__(self) -> Self:
        super().__init__(True, self.wanted)
        return self
