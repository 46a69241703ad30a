"""The workspace: what counts as committed, and what does not."""

import errno
import multiprocessing
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.workspace import Workspace

ROWS = pa.table({"id": [1, 2, 3], "reason": [None, "audio silent: peak -70 dBFS", "audio silent"]})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def test_a_committed_part_is_intact_and_counted(workspace: Workspace) -> None:
    workspace.commit("tracks", 0, ROWS, inputs="abc", seconds=1.5)
    assert workspace.intact("tracks", 0, "abc")
    marker = workspace.marker("tracks", 0)
    assert marker
    assert marker.rows == 3
    assert marker.failures == {"audio silent": 2}
    assert workspace.read("tracks").equals(ROWS)


def test_the_same_rows_are_the_same_bytes(workspace: Workspace) -> None:
    workspace.commit("a", 0, ROWS, inputs="x")
    workspace.commit("b", 0, ROWS, inputs="y")
    assert workspace.part("a", 0).read_bytes() == workspace.part("b", 0).read_bytes()


def test_other_inputs_make_a_part_stale(workspace: Workspace) -> None:
    workspace.commit("tracks", 0, ROWS, inputs="abc")
    assert not workspace.intact("tracks", 0, "abd")


@pytest.mark.parametrize("damage", ["altered", "truncated", "missing", "marker"])
def test_a_damaged_part_is_not_intact(workspace: Workspace, damage: str) -> None:
    workspace.commit("tracks", 0, ROWS, inputs="abc")
    part = workspace.part("tracks", 0)
    data = part.read_bytes()
    if damage == "altered":
        part.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    elif damage == "truncated":
        part.write_bytes(data[: len(data) // 2])
    elif damage == "missing":
        part.unlink()
    else:
        part.with_suffix(".json").write_text("{")
    assert not workspace.intact("tracks", 0, "abc")


def test_parts_are_read_in_order_and_by_number(workspace: Workspace) -> None:
    for shard in (2, 0, 1):
        workspace.commit("t", shard, pa.table({"id": [shard]}), inputs="x")
    assert workspace.read("t")["id"].to_pylist() == [0, 1, 2]
    assert workspace.read("t", shard=1)["id"].to_pylist() == [1]
    with pytest.raises(ArtsoundError, match="no table t, part 7"):
        workspace.read("t", shard=7)


def test_tables_may_be_nested(workspace: Workspace) -> None:
    workspace.commit("embeddings/e/image", 0, ROWS, inputs="x")
    workspace.commit("pairs/image_audio", 0, ROWS, inputs="x")
    assert workspace.tables() == ["embeddings/e/image", "pairs/image_audio"]


def test_dropping_keeps_the_first_parts(workspace: Workspace) -> None:
    for shard in range(4):
        workspace.commit("t", shard, ROWS, inputs="x")
    workspace.drop("t", keep=2)
    assert workspace.shards("t") == [0, 1]


def test_sweeping_deletes_what_a_killed_build_left(workspace: Workspace) -> None:
    workspace.commit("t", 0, ROWS, inputs="x")
    left = workspace.folder("t") / ".tmp-99-part-00001.parquet"
    left.write_bytes(b"half")
    workspace.sweep()
    assert not left.exists()
    assert workspace.intact("t", 0, "x")


def _hold(root: Path, seconds: float) -> None:
    with Workspace(root).locked():
        (root / "held").touch()
        time.sleep(seconds)


def test_one_build_at_a_time(workspace: Workspace) -> None:
    other = multiprocessing.get_context("spawn").Process(target=_hold, args=(workspace.root, 60))
    other.start()
    try:
        while not (workspace.root / "held").exists():
            time.sleep(0.05)
        with pytest.raises(ArtsoundError, match="another build is running"), workspace.locked():
            pass
    finally:
        other.kill()
        other.join()
    with workspace.locked():  # the lock went with the killed process
        pass


def test_a_folder_that_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a workspace"):
        Workspace(tmp_path).description()
    (tmp_path / "workspace.json").write_text('{"format": 99}')
    with pytest.raises(UsageError, match="format 99"):
        Workspace(tmp_path).description()
    for damaged in ("nonsense", "[]", "3", "null"):
        (tmp_path / "workspace.json").write_text(damaged)
        with pytest.raises(ArtsoundError, match="not readable JSON"):
            Workspace(tmp_path).description()


def test_a_file_system_without_locks_is_said_to_be_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", flock)
    with (
        pytest.raises(ArtsoundError, match=r"cannot be locked \(Function not implemented\).*flock"),
        workspace.locked(),
    ):
        pass
