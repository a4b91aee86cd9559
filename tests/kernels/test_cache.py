"""Where compiled code is kept, and when it is used again."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tinynet_kernels

SOURCES = Path(tinynet_kernels.__file__).parent

PROGRAM = """
import warnings
import numpy as np
import tinynet_kernels
k = tinynet_kernels.kernels_for()
from tinynet_kernels.cpu import dropout
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    y = k.dropout_forward(np.ones(4, np.float32), np.ones(4, bool), p=0.5)
    k.embedding_forward(np.ones((2, 3)), np.zeros(1, np.int64))
compiled = sum(dropout._apply.serial.stats.cache_misses.values())
loaded = sum(dropout._apply.serial.stats.cache_hits.values())
print(compiled, loaded, float(y[0]), [str(w.message) for w in seen])
"""


def run(cache, sources=None, program=PROGRAM, **environment):
    paths = [str(sources.parent)] if sources else []
    env = {**os.environ, "TINYNET_CACHE_DIR": str(cache), **environment}
    env["PYTHONPATH"] = os.pathsep.join([*paths, str(SOURCES.parent), env.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_code_is_compiled_once_and_kept_private(cpu, tmp_path):
    cache = tmp_path / "made" / "here"
    assert run(cache) == "1 0 2.0 []"
    assert run(cache) == "0 1 2.0 []"
    for folder in (cache, cache / "kernels", *(cache / "kernels").iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_edited_helper_is_compiled_anew(cpu, tmp_path):
    sources = tmp_path / "tinynet_kernels"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__"))
    assert run(tmp_path / "cache", sources) == "1 0 2.0 []"
    helper = sources / "cpu" / "arrays.py"  # not even the file that holds the kernel
    helper.write_text(helper.read_text() + "\n# edited\n")
    assert run(tmp_path / "cache", sources) == "1 0 2.0 []"
    assert len(list((tmp_path / "cache" / "kernels").iterdir())) == 2


def test_bounds_checks_have_their_own_code(cpu, tmp_path):
    for switch in ("0", "1"):
        run(tmp_path, NUMBA_BOUNDSCHECK=switch)
    assert len(list((tmp_path / "kernels").iterdir())) == 2


def test_without_a_folder_kernels_work_and_warn_once(cpu, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    result = run(blocked / "cache")
    assert result.startswith("1 0 2.0 [")
    assert result.count("compiled kernels are not cached") == 1


def test_a_folder_that_others_may_write_is_refused(cpu, tmp_path):
    cache = tmp_path / "open"
    cache.mkdir()
    cache.chmod(0o777)
    assert "writable by other users" in run(cache)


def test_a_damaged_file_is_replaced(cpu, tmp_path):
    run(tmp_path)
    (file,) = tmp_path.glob("kernels/*/dropout._apply-serial-*.code")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert run(tmp_path) == "1 0 2.0 []"
    assert run(tmp_path) == "0 1 2.0 []"


def test_folders_unused_for_a_month_go(cpu, tmp_path):
    run(tmp_path)
    (used,) = (tmp_path / "kernels").iterdir()
    for name, days in (("old", 31), ("recent", 29)):
        folder = tmp_path / "kernels" / name
        folder.mkdir()
        (folder / "x.code").write_bytes(b"")
        then = time.time() - days * 24 * 3600
        os.utime(folder, (then, then))
    os.utime(used, (0, 0))  # this version's folder stays, whatever its age
    run(tmp_path)
    assert sorted(f.name for f in (tmp_path / "kernels").iterdir()) == sorted([used.name, "recent"])


def test_processes_that_compile_at_once(cpu, tmp_path):
    env = {**os.environ, "TINYNET_CACHE_DIR": str(tmp_path)}
    env["PYTHONPATH"] = os.pathsep.join([str(SOURCES.parent), env.get("PYTHONPATH", "")])
    both = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    found = sorted(process.communicate()[0].strip() for process in both)
    assert found == ["0 1 2.0 []", "1 0 2.0 []"]  # the other one waited for the file
    assert run(tmp_path) == "0 1 2.0 []"
    assert not list(tmp_path.rglob("*.tmp")) + list(tmp_path.rglob("*.lock"))


def test_a_lock_that_nobody_holds_stops_nobody(cpu, tmp_path):
    assert run(tmp_path) == "1 0 2.0 []"
    for path in tmp_path.rglob("*.code"):
        path.rename(path.with_suffix(".lock"))
    assert run(tmp_path) == "1 0 2.0 []"
    assert not list(tmp_path.rglob("*.lock"))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TINYNET_CACHE_DIR": "/a/b"}, "/a/b"),
        ({"TINYNET_CACHE_DIR": "", "XDG_CACHE_HOME": "/c"}, "/c/tinynet"),
        ({"TINYNET_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/tinynet"),
    ],
)
def test_where_the_folder_is(cpu, monkeypatch, environment, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cpu.cache_dir() == Path(expected)
