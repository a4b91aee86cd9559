"""The progress bar: on a terminal; elsewhere nothing."""

from __future__ import annotations

import sys
from typing import Any, TextIO


class Progress:
    """One bar for a whole training run: where it is, how it goes; tqdm adds units a second and the time left."""

    def __init__(
        self,
        total: int,
        done: int = 0,
        stream: TextIO | None = None,
        shown: bool | None = None,
        unit: str = "samples",
    ) -> None:
        from tqdm import tqdm

        stream = stream or sys.stderr
        shown = stream.isatty() if shown is None else shown
        self.bar: Any = tqdm(
            total=total,
            initial=done,
            unit=f" {unit}",
            unit_scale=True,
            file=stream,
            disable=not shown,
            dynamic_ncols=True,
            smoothing=0.05,
        )

    def advance(self, n: int, place: str, figures: str) -> None:
        """`n` more units are done."""
        self.bar.set_description(place, refresh=False)
        self.bar.set_postfix_str(figures, refresh=False)
        self.bar.update(n)

    def line(self, text: str) -> None:
        """A line above the bar."""
        if not self.bar.disable:
            self.bar.write(text, file=self.bar.fp)

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()
