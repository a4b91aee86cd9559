"""A run's folder: made once, with the configuration and the versions in config.json."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError

Settings = TypeVar("Settings")


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it. Raises OSError naming it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the run's folder {folder}: {error.strerror}") from None


def describe(config: Any) -> dict[str, Any]:
    """The configuration and the versions, for config.json."""
    import platform

    import numba
    import numpy

    from .. import __version__

    versions = {
        "tinynet": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
    }
    return {**dataclasses.asdict(config), "versions": versions}


def read_content(folder: str | Path) -> dict[str, Any]:
    """What config.json says, versions left out. Raises DataError if there is none or it is damaged."""
    path = Path(folder) / "config.json"
    if not Path(folder).is_dir():
        raise DataError(f"{folder} is not a folder")
    if not path.exists():
        raise DataError(f"{folder} holds no run: {path.name} is missing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged: expected an object")
    content.pop("versions", None)
    return content


def read_settings(folder: str | Path, kind: type[Settings]) -> Settings:
    """The configuration of a run, of a dataclass. Raises DataError if there is none or it is damaged."""
    path, content = Path(folder) / "config.json", read_content(folder)
    unknown = set(content) - {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise DataError(f"{path} is damaged: unknown settings {', '.join(sorted(unknown))}")
    try:
        return kind(**content)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
