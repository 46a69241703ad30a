"""Array caches: what was added is there, wholly or not at all, whoever was killed or waited."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from art2mus.data.caches import ArrayCache
from artsound.errors import ArtsoundError

_WRITER = """
import sys
from pathlib import Path
import numpy as np
from art2mus.data.caches import ArrayCache
cache = ArrayCache(Path(sys.argv[1]), (64, 64), np.float16)
first, last = int(sys.argv[2]), int(sys.argv[3])
for begin in range(first, last, 3):
    keys = [f"k{n}" for n in range(begin, min(begin + 3, last))]
    rows = [np.full((64, 64), int(key[1:]), np.float16) for key in keys]
    if cache.missing(keys):
        cache.append(keys, np.stack(rows))
"""


def _some(*numbers: int) -> NDArray[np.float32]:
    return np.stack([np.full((2, 3), number, np.float32) for number in numbers])


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_rows_come_back_by_key(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path / "c", (2, 3), np.float32)
    assert cache.missing(["b", "a", "b"]) == ["b", "a"]
    assert ArrayCache.stored(tmp_path / "c") is None
    cache.append(["a", "b"], _some(1, 2))
    assert cache.missing(["c", "a"]) == ["c"]
    cache.append(["b", "c", "c"], _some(9, 3, 8))  # b keeps its row, c its first
    for again in (cache, ArrayCache(tmp_path / "c", (2, 3), np.float32)):
        rows = again.rows(["c", "a", "b", "a"])
        assert len(rows) == 4
        np.testing.assert_array_equal([row[0, 0] for row in rows], [3, 1, 2, 1])
        np.testing.assert_array_equal(rows[1:3], _some(1, 2))
        np.testing.assert_array_equal(rows[[0, 3]], _some(3, 1))
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows))[0], rows[0])
    assert ArrayCache.stored(tmp_path / "c") == ((2, 3), np.dtype(np.float32))
    with pytest.raises(KeyError):
        cache.rows(["d"])
    with pytest.raises(ValueError, match="read-only"):
        cache.rows(["a"])[0][0, 0] = 5


def test_a_view_is_small_to_send(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, (256, 256), np.float32)
    cache.append(["a"], np.ones((1, 256, 256), np.float32))
    view = cache.rows(["a"] * 10)
    assert view[3].shape == (256, 256)
    assert len(pickle.dumps(view)) < 2000


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=6), max_size=8))
def test_it_is_a_dictionary_that_keeps_what_came_first(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    wanted: dict[str, int] = {}
    for turn, batch in enumerate(batches):
        cache = ArrayCache(folder, (1,), np.int64)  # opened anew, as another process would
        values = [turn * 100 + place for place in range(len(batch))]
        cache.append([str(key) for key in batch], np.array(values)[:, None])
        for key, value in zip(batch, values, strict=True):
            wanted.setdefault(str(key), value)
    cache = ArrayCache(folder, (1,), np.int64)
    assert {key: int(cache.rows([key])[0][0]) for key in wanted} == wanted
    assert len(cache) == len(wanted)


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_what_a_killed_writer_left_does_not_count(tmp_path: Path, lost: int) -> None:
    cache = ArrayCache(tmp_path, (2, 3), np.float32)
    cache.append(["a", "b"], _some(1, 2))
    before = _files(tmp_path)
    cache.append(["c", "d"], _some(3, 4))
    whole = _files(tmp_path)
    # The rows are written, and a piece of their line.
    (tmp_path / "keys.txt").write_bytes(whole["keys.txt"][:-lost])
    torn = ArrayCache(tmp_path, (2, 3), np.float32)
    assert torn.missing(["a", "b", "c", "d"]) == ["c", "d"]
    torn.append(["c", "d"], _some(3, 4))
    assert _files(tmp_path) == whole
    # Or a piece of the rows, and no line.
    (tmp_path / "keys.txt").write_bytes(before["keys.txt"])
    (tmp_path / "rows.bin").write_bytes(whole["rows.bin"][:-lost])
    torn = ArrayCache(tmp_path, (2, 3), np.float32)
    np.testing.assert_array_equal(torn.rows(["b"])[0], _some(2)[0])
    torn.append(["c", "d"], _some(3, 4))
    assert _files(tmp_path) == whole


def _start(folder: Path, first: int, last: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _WRITER, str(folder), str(first), str(last)])


def test_a_killed_process_continues_to_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _start(whole, 0, 300).wait() == 0
    for rows in (9, 60):
        process = _start(killed, 0, 300)
        keys = killed / "keys.txt"
        while process.poll() is None and not (
            keys.is_file() and keys.read_bytes().count(b"k") >= rows
        ):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert 0 < len(ArrayCache(killed, (64, 64), np.float16)) < 300
    assert _start(killed, 0, 300).wait() == 0
    assert _files(killed) == _files(whole)


def test_several_writers_do_not_mix(tmp_path: Path) -> None:
    # Overlapping keys, all at once.
    spans = ((0, 40), (20, 60), (10, 90))
    assert [process.wait() for process in [_start(tmp_path, *span) for span in spans]] == [0, 0, 0]
    cache = ArrayCache(tmp_path, (64, 64), np.float16)
    assert len(cache) == 90
    keys = [f"k{number}" for number in range(90)]
    for number, row in enumerate(cache.rows(keys)):
        assert (row == number).all()
    assert sorted((tmp_path / "keys.txt").read_text().split()) == sorted(keys)


def test_a_reader_sees_what_was_added_since(tmp_path: Path) -> None:
    reader, writer = (ArrayCache(tmp_path, (2, 3), np.float32) for _ in range(2))
    writer.append(["a"], _some(1))
    assert reader.missing(["a"]) == ["a"]
    reader.refresh()
    assert reader.missing(["a"]) == []
    view = reader.rows(["a"])
    writer.append(["b"], _some(2))
    np.testing.assert_array_equal(view[0], _some(1)[0])


def test_a_large_and_a_small_cache_open_at_once(tmp_path: Path) -> None:
    """All of the paper's training clips, 12.5 GB; the file is sparse, and only its map is made."""
    count, shape = 95_295, (16, 256, 16)
    large = tmp_path / "large"
    first = ArrayCache(large, shape, np.float16)
    keys = [f"{number:064x}" for number in range(count)]
    first.append(keys[:1], np.ones((1, *shape), np.float16))
    with (large / "rows.bin").open("r+b") as stream:
        stream.truncate(count * 2 * int(np.prod(shape)))
    with (large / "keys.txt").open("a") as stream:
        stream.writelines(f"{key}\n" for key in keys[1:])
    small = ArrayCache(tmp_path / "small", (1024,), np.float32)
    small.append(keys[:3000], np.ones((3000, 1024), np.float32))
    began = time.perf_counter()
    moments = ArrayCache(large, shape, np.float16).rows(keys)
    embeddings = small.rows(keys[:3000])
    assert (moments[0] == 1).all()
    assert not moments[count - 1].any()
    assert embeddings[2999].sum() == 1024
    assert time.perf_counter() - began < 30
    assert (large / "rows.bin").stat().st_blocks * 512 < 1 << 30


def _refused(folder: Path, shape: tuple[int, ...], kind: type = np.float32) -> str:
    with pytest.raises(ArtsoundError) as caught:
        ArrayCache(folder, shape, kind)
    line = str(caught.value)
    assert "\n" not in line
    assert str(folder) in line
    return line


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, (2, 3), np.float32)
    cache.append(["a", "b"], _some(1, 2))
    assert "not of float32 (3, 2): delete it" in _refused(tmp_path, (3, 2))
    assert "float16" in _refused(tmp_path, (2, 3), np.float16)
    for wrong in (["a b"], [""], ["é"], ["a\n"]):
        with pytest.raises(ValueError, match="one word"):
            cache.append(wrong, _some(1))
    with pytest.raises(ValueError, match="2 keys"):
        cache.append(["x", "y"], _some(1))
    (tmp_path / "rows.bin").write_bytes(b"short")
    assert "less than 2 rows: delete" in _refused(tmp_path, (2, 3))
    (tmp_path / "cache.json").write_text('{"format": 99}')
    assert "another format" in _refused(tmp_path, (2, 3))
    (tmp_path / "cache.json").write_text("{")
    assert "is damaged" in _refused(tmp_path, (2, 3))
