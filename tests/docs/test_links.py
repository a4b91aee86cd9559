"""docs/equations.md points at code and tests that exist, and the docstrings point back at equations that it has."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
IN_REACH = {f"E{i}" for i in (*range(1, 12), 14, 15, 16, *range(19, 25))}
ALL = {f"E{i}" for i in range(1, 25)}

LINK = re.compile(r"\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^## (E\d+(?:, E\d+)*): ", re.MULTILINE)
CITED = re.compile(r"\bE(\d{1,2})\b")


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """The functions, classes and variables that a Python file defines at its top level."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {t.id for t in targets if isinstance(t, ast.Name)}
    return frozenset(found)


def sections(text: str) -> dict[str, str]:
    """The text of each equation, by its id."""
    out = {}
    for piece in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        heading = HEADING.match(piece)
        for name in heading[1].split(", ") if heading else ():
            assert name not in out, f"{name} has two sections"
            out[name] = piece
    return out


def dangling(page: Path, text: str) -> list[str]:
    """What is wrong with the links of a page: files that do not exist, and names that are not in them."""
    wrong = []
    for link in LINK.finditer(text):
        target = link["target"].split("#")[0]
        if "://" in target or not target:
            continue
        path = (page.parent / target).resolve()
        if not path.exists():
            wrong.append(f"{target} does not exist")
        elif path.suffix == ".py" and link["text"].startswith("`") and not link["text"].endswith(".py`"):
            name = link["text"].strip("`")
            if name not in names_in(path):
                wrong.append(f"{target} does not define {name}")
    return wrong


EQUATIONS = (DOCS / "equations.md").read_text(encoding="utf-8")
SECTIONS = sections(EQUATIONS)


@pytest.mark.parametrize("page", [*sorted(DOCS.glob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_no_link_dangles(page):
    assert dangling(page, page.read_text(encoding="utf-8")) == []


def test_a_dangling_link_is_found():
    text = "[`linear`](../tinynet/ops/linear.py) [`liner`](../tinynet/ops/linear.py) [x](../tinynet/ops/liner.py)"
    assert dangling(DOCS / "equations.md", text) == [
        "../tinynet/ops/linear.py does not define liner",
        "../tinynet/ops/liner.py does not exist",
    ]


def test_every_equation_in_reach_has_a_section():
    assert set(SECTIONS) == IN_REACH


def test_every_other_equation_is_named_as_missing():
    later = EQUATIONS.split("## Not yet")[1]
    assert {f"E{i}" for i in CITED.findall(later)} == ALL - IN_REACH


@pytest.mark.parametrize("equation", sorted(IN_REACH, key=lambda e: int(e[1:])))
def test_section_is_complete(equation):
    text = SECTIONS[equation]
    for part in ("As printed (D", "Meant", "$$", "- **Code:**", "- **Proof:**"):
        assert part in text, f"{equation} lacks {part!r}"
    code, proof = text.split("- **Code:**")[1].split("- **Proof:**")
    assert re.search(r"\]\(\.\./(tinynet|kernels)/", code)
    proofs = {link["text"].strip("`") for link in LINK.finditer(proof)}
    number = equation[1:].lower()
    tests = names_in(ROOT / "tests/docs/test_equations.py") | names_in(ROOT / "tests/docs/test_sequence_equations.py")
    mine = {n for n in tests if re.match(rf"test_(e\d+_)*e{number}_", n)}
    assert mine, f"no test proves {equation}"
    assert mine <= proofs, f"{equation} does not name {mine - proofs}"


@pytest.mark.parametrize("folder", ["ops", "nn", "optim", "models"])
def test_docstrings_cite_equations_that_exist(folder):
    for path in sorted((ROOT / "tinynet" / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                cited = {f"E{i}" for i in CITED.findall(ast.get_docstring(node) or "")}
                where = f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}"
                assert cited <= set(SECTIONS), f"{where} cites {cited - set(SECTIONS)}"
