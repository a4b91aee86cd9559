"""docs/api.md lists every module that has public names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinynet

DOCS = Path(__file__).parents[2] / "docs"
LISTED = re.findall(r"^```\{names\} (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
PACKAGES = {
    *(
        "autograd",
        "data",
        "data.text",
        "distributions",
        "amp",
        "errors",
        "linalg",
        "models",
        "nn",
        "nn.functional",
        "nn.init",
        "optim",
        "testing",
    ),
    "training",
}


def test_every_module_is_listed():
    wanted = {f"tinynet.{module}" for module in {*tinynet.TABLE, *PACKAGES}}
    assert wanted - set(LISTED) == set()
    assert len(LISTED) == len(set(LISTED))


@pytest.fixture
def names(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    return pytest.importorskip("names")


@pytest.mark.parametrize("module", LISTED)
def test_every_name_has_a_summary(names, module):
    found = names.public_names(module)
    assert found
    assert [name for name, value in found.items() if not names.summary(value)] == []
