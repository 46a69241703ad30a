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
    with pytest.raises(IsADirectoryError) as caught:
        write_atomically(tmp_path / "a", b"new")
    assert caught.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from artsound.atomic import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: write_atomically(Path(sys.argv[1]), bytes(101))\n"
        "except OSError as error: print(error.filename)\n"
    )
    path = tmp_path / "a"
    line = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}\n"
    assert list(tmp_path.iterdir()) == []


def test_only_what_nobody_writes_any_more_is_swept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = tmp_path / f".tmp-{os.getpid()}-a"
    for path in (mine, tmp_path / f".tmp-{dead.pid}-a", tmp_path / ".tmp-notes"):
        path.write_bytes(b"")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, ".tmp-notes"])
    sweep(tmp_path, running=True)
    assert list(tmp_path.iterdir()) == []
