"""Every Python example of the docs and of the README runs, and prints what the page says that it prints.

```python                 executed, in order, all blocks of a page in one namespace
```text                   what the block before it prints; numbers may differ by 1e-3, or by the tolerance in
<!-- tolerance: 0.1 -->   a comment before it
<!-- needs: torch -->     a comment before an example that runs only where that package is installed
```{code-block} python    not executed: lines of the file in `:caption:`, in their order; `...` leaves lines out
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import tinynet
from tinynet.training import Config
from tinynet_kernels import available

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
FENCE = re.compile(r"^```(?P<kind>\S+)[ ]?(?P<rest>.*)\n(?P<body>(?:.*\n)*?)```$", re.MULTILINE)
TOLERANCE = re.compile(r"<!-- tolerance: (\S+) -->$")
NEEDS = re.compile(r"<!-- needs: (\S+) -->$")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


class Block(NamedTuple):
    kind: str
    body: str
    line: int
    tolerance: float
    kernels: bool
    needs: str | None


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(text):
        before, line = text[: fence.start()].rstrip(), text.count("\n", 0, fence.start()) + 2
        tolerance = TOLERANCE.search(before)
        tolerated = float(tolerance[1]) if tolerance else 1e-3
        needs, kernels = NEEDS.search(before), before.endswith("<!-- kernels -->")
        found.append(Block(fence["kind"], fence["body"], line, tolerated, kernels, needs[1] if needs else None))
    return found


def same(expected: str, printed: str, tolerance: float) -> bool:
    """The same text, but for the space at the ends of lines and for numbers that are close."""
    texts = ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in (expected, printed)]
    words = [NUMBER.sub("#", text) for text in texts]
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in texts]
    return words[0] == words[1] and all(
        math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance if tolerance > 1e-3 else 1e-4)
        for a, b in zip(*numbers, strict=True)
    )


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """A folder of its own, quick defaults, and the global switches put back afterwards."""
    monkeypatch.chdir(tmp_path)
    full = Config.__post_init__

    def shorter(self):  # the README's training run, which says nothing of epochs, does one
        self.epochs = self.epochs or 1
        full(self)

    monkeypatch.setattr(Config, "__post_init__", shorter)
    state, threads, strict = tinynet.get_rng_state(), tinynet.get_num_threads(), tinynet.is_strict()
    dtype = tinynet.get_default_dtype()
    yield
    tinynet.set_rng_state(state)
    tinynet.set_num_threads(threads)
    tinynet.set_strict(strict)
    tinynet.set_default_dtype(dtype)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("page", [p for p in PAGES if "```python" in p.read_text("utf-8")], ids=lambda p: p.name)
def test_examples_run_and_print_what_the_page_says(page):
    tinynet.manual_seed(0)
    namespace = {"__name__": "__main__"}
    printed, left_out = None, False
    for block in blocks_of(page):
        where = f"{page.name}, line {block.line}"
        if block.kind == "python":
            left_out = block.kernels and not available(np.float32)
            left_out |= block.needs is not None and importlib.util.find_spec(block.needs) is None
            if left_out:
                continue
            code = compile("\n" * (block.line - 1) + block.body, str(page), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, namespace)
            printed = out.getvalue()
        elif block.kind == "text" and not left_out:
            assert printed is not None, f"{where}: no example printed this"
            assert same(block.body, printed, block.tolerance), f"{where}:\n{block.body}\nprinted was:\n{printed}"
            printed = None


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_quoted_lines_stand_in_the_code(page):
    for block in blocks_of(page):
        if block.kind != "{code-block}":
            continue
        caption, _, quoted = block.body.partition("\n")
        path = ROOT / caption.removeprefix(":caption: ")
        where = f"{page.name}, line {block.line}"
        source = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        at = 0
        for piece in re.split(r"^\s*\.\.\.$", quoted, flags=re.MULTILINE):
            lines = [line.strip() for line in piece.strip().splitlines()]
            while source[at : at + len(lines)] != lines:
                at += 1
                assert at < len(source), f"{where}: {path.name} does not hold the lines {lines}"
            at += len(lines)


def test_comparison_sees_a_difference():
    assert same("a 1.000  \nb", "a 1.0001\nb\n", 1e-3)
    assert not same("a 1.0", "a 1.1", 1e-3)
    assert not same("a 1.0", "b 1.0", 1e-3)
    assert not same("a 1.0", "a 1.0 2.0", 1e-3)
    assert same("accuracy 0.95", "accuracy 0.93", 0.1)
