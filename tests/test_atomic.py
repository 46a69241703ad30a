from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artsound.atomic import sweep, write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "sub/a", b"old")
    write_atomically(tmp_path / "sub/a", b"new")
    assert [path.read_bytes() for path in (tmp_path / "sub").iterdir()] == [b"new"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="a"):
        write_atomically(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_only_what_nobody_writes_any_more_is_swept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = tmp_path / f".tmp-{os.getpid()}-a"
    for path in (mine, tmp_path / f".tmp-{dead.pid}-a", tmp_path / ".tmp-notes"):
        path.write_bytes(b"")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, ".tmp-notes"])
