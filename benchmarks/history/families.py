"""A class for each family, its cases as parameters. asv measures tinynet alone; `python -m benchmarks` has the peers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.append(
    str(Path(__file__).resolve().parents[2])
)  # last: asv installs the tinynet of a commit, not its benchmarks

from benchmarks.cases import FAMILIES, Maker, load


def _suite(family: str) -> type:
    """The family as asv wants it."""

    class Suite:
        params: ClassVar[list[str]] = list(load(family))
        param_names = ("case",)
        timeout = 300.0

        def setup(self, name: str) -> None:
            import tinynet

            tinynet.set_num_threads(1)
            self.program = load(family)[name].build(Maker(tinynet))
            self.program.run()  # compiles

        def time_run(self, name: str) -> Any:
            return self.program.run()

    Suite.__name__ = Suite.__qualname__ = family.capitalize()
    return Suite


for _family in FAMILIES:
    globals()[_family.capitalize()] = _suite(_family)
