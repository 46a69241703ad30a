from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.errors import ArtsoundError
from artsound.models.chat.cache import RequestCache, request_key
from artsound.models.chat.replies import Reply

_WRITER = """
import sys
from pathlib import Path
from artsound.models.chat.cache import RequestCache, request_key
from artsound.models.chat.replies import Reply
cache = RequestCache(Path(sys.argv[1]))
number = 0
while number < int(sys.argv[3]) or sys.argv[3] == "-1":
    item = f"{sys.argv[2]}/{number}"
    cache.put(request_key(item, 1, b"{}"), item, 1, Reply(f"caption of {item}, " * 50))
    number += 1
    if number == 20:
        print("going", flush=True)
"""


def _key(item: str, attempt: int = 1, body: bytes = b"{}") -> str:
    return request_key(item, attempt, body)


def _writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


@given(st.tuples(st.text(), st.integers(1, 9), st.binary()), st.data())
def test_keys_differ_where_requests_do(asked: tuple[str, int, bytes], data: st.DataObject) -> None:
    other = data.draw(st.tuples(st.text(), st.integers(1, 9), st.binary()))
    assert (_key(*asked) == _key(*other)) == (asked == other)


def test_what_is_put_is_found_now_and_later(tmp_path: Path) -> None:
    texts = {"a": "A lion.", "b": 'two\nlines, "quotes", \U0001f3b5 and \ud800', "c": ""}
    cache = RequestCache(tmp_path / "not" / "yet")
    for item, text in texts.items():
        cache.put(_key(item), item, 1, Reply(text, "length"))
    for found in (cache, RequestCache(cache.folder)):
        assert len(found) == 3
        for item, text in texts.items():
            assert found.get(_key(item)) == Reply(text, "length")
        assert found.get(_key("a", 2)) is None
        assert found.get(_key("a", 1, b"[]")) is None


def test_reading_alone_writes_nothing(tmp_path: Path) -> None:
    assert RequestCache(tmp_path / "none").get(_key("a")) is None
    assert not (tmp_path / "none").exists()


@given(cut=st.integers(0, 400), junk=st.sampled_from([b"", b"\x00" * 40, b"{}\n", b'{"key":"zz']))
def test_damaged_lines_cost_only_themselves(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = RequestCache(folder)
    for item in "abc":
        cache.put(_key(item), item, 1, Reply(f"caption of {item}"))
    (path,) = folder.glob("*.jsonl")
    data = path.read_bytes()
    size = len(data) // 3
    path.write_bytes(data[: max(len(data) - cut, 0)] + junk)
    found = RequestCache(folder)
    for number, item in enumerate("abc"):
        whole = len(data) - cut >= (number + 1) * size
        assert (found.get(_key(item)) == Reply(f"caption of {item}")) == whole


def test_a_flipped_byte_is_not_taken_for_a_reply(tmp_path: Path) -> None:
    cache = RequestCache(tmp_path)
    cache.put(_key("a"), "a", 1, Reply("x"))
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"finish"', b'"finjsh"'))
    assert RequestCache(tmp_path).get(_key("a")) is None


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, name, 200) for name in "pqr"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(list(tmp_path.glob("*.jsonl"))) == 3
    cache = RequestCache(tmp_path)
    assert len(cache) == 600
    for name in "pqr":
        reply = cache.get(_key(f"{name}/199"))
        assert reply is not None
        assert reply.text.startswith(f"caption of {name}/199, ")


def test_a_killed_process_leaves_what_it_had_written(tmp_path: Path) -> None:
    writer = _writer(tmp_path, "p", -1)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "going\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    cache = RequestCache(tmp_path)
    assert len(cache) >= 20
    for number in range(len(cache)):
        assert cache.get(_key(f"p/{number}")) is not None


def test_threads_may_share_a_cache(tmp_path: Path) -> None:
    cache = RequestCache(tmp_path)

    def use(number: int) -> bool:
        item = str(number % 20)
        cache.put(_key(item), item, 1, Reply(item))
        return cache.get(_key(item)) == Reply(item)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(400)))
    assert RequestCache(tmp_path).get(_key("7")) == Reply("7")


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = RequestCache(tmp_path / "file" / "cache")
    with pytest.raises(ArtsoundError, match=r"request cache .*file/cache .*permissions") as caught:
        cache.put(_key("a"), "a", 1, Reply("x"))
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_named() -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("no /dev/full here")
    cache = RequestCache(Path("/dev"))
    cache._path = Path("/dev/full")
    cache._writer = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(ArtsoundError, match=r"cannot write .*No space left.*run the same command"):
        cache.put(_key("a"), "a", 1, Reply("x"))
