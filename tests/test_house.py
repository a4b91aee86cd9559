"""What the house promises of itself: a small core, files of one idea, stubs that show what is there."""

import ast
import importlib.util
import io
import tokenize
from pathlib import Path

import pytest

import tinynet

ROOT = Path(__file__).parent.parent
PACKAGE = Path(tinynet.__file__).parent


def code_lines(path: Path) -> int:
    """Lines that hold code: no comments, blank lines or docstrings."""
    text = path.read_text(encoding="utf-8")
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def sources(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def test_the_core_is_small():
    assert code_lines(PACKAGE / "autograd" / "engine.py") <= 250
    core = [PACKAGE / "_tensor.py", *sources(PACKAGE / "autograd"), *sources(PACKAGE / "ops" / "primitives")]
    assert sum(map(code_lines, core)) <= 2000


def test_files_are_one_idea_each():
    long = {
        str(p): n
        for folder in (PACKAGE, ROOT / "kernels", ROOT / "tests", ROOT / "tools")
        for p in sources(folder)
        if (n := code_lines(p)) > 400
    }
    assert not long


def test_the_stubs_are_what_their_tool_writes():
    spec = importlib.util.spec_from_file_location("make_stubs", ROOT / "tools" / "make_stubs.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for stub, make in tool.STUBS.items():
        assert stub.read_text(encoding="utf-8") == make(), f"run tools/make_stubs.py: {stub.name} is out of date"


def test_every_public_name_loads_and_has_a_docstring():
    for name in dir(tinynet):
        value = getattr(tinynet, name)
        if name[0] != "_" and callable(value) and getattr(value, "__module__", "").startswith("tinynet"):
            assert value.__doc__, name


def test_unknown_names_raise():
    with pytest.raises(AttributeError, match="has no attribute 'frobnicate'"):
        tinynet.frobnicate  # noqa: B018
