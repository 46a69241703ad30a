"""The collector, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from art2mus.listening.documents import Answers
from art2mus.listening.serve import LIMIT, Collector
from art2mus.listening.store import AnswerStore, stored
from artsound.errors import UsageError
from tests.art2mus.listening.conftest import Made
from tests.art2mus.listening.listeners import at_random, text
from tests.art2mus.listening.programs import collector

JSON = {"Content-Type": "application/json"}


@contextlib.contextmanager
def running(started: Collector) -> Iterator[Collector]:
    """Run a collector in a thread."""
    with started:
        thread = Thread(target=started.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield started
        finally:
            started.shutdown()
            thread.join()


@pytest.fixture
def server(made: Made, tmp_path: Path) -> Iterator[Collector]:
    with running(Collector(made.page, tmp_path / "answers.sqlite", port=0)) as started:
        yield started


def ask(
    url: str,
    method: str,
    path: str,
    body: str | bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read(), reply.headers
    finally:
        connection.close()


def post(url: str, body: str | bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    status, data, _ = ask(url, "POST", "/answers", body, JSON if headers is None else headers)
    return status, json.loads(data)["status"]


def test_keeps_whole_answers_once(server: Collector, made: Made) -> None:
    one = at_random(made.key, 1)
    assert post(server.url, text(one)) == (201, "kept")
    one = dict(reversed(one.items()))  # the same, written otherwise
    assert post(server.url, text(one)) == (200, "kept already")
    other = at_random(made.key, 2) | {"rater": one["rater"]}
    assert post(server.url, text(other)) == (409, "this rater code has other answers already")
    bodies = stored(server.store.path)
    assert [json.loads(body) for body in bodies] == [one]
    with sqlite3.connect(server.store.path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        columns = [row[1] for row in connection.execute("PRAGMA table_info(answers)")]
    assert columns == ["test", "rater", "body"]


def test_refuses_the_rest_with_a_reason(server: Collector, made: Made) -> None:
    whole = text(at_random(made.key, 1))
    assert post(server.url, "{}")[0] == 422
    assert post(server.url, whole.replace(made.key.test, "0" * 16))[1].startswith("foreign")
    assert post(server.url, whole, {"Content-Type": "text/plain"})[0] == 415
    assert post(server.url, b" " * (LIMIT + 1))[0] == 413
    # Far more than fits into a socket's buffers: the reason arrives all the same.
    assert post(server.url, b" " * (100 * LIMIT)) == (413, f"answers are at most {LIMIT} bytes")
    assert post(server.url, b" " * (100 * LIMIT), {"Content-Type": "text/plain"})[0] == 415
    assert post(server.url, whole, {**JSON, "Content-Length": "-1"})[0] == 411
    assert post(server.url, whole, {**JSON, "Content-Length": "9" * 5000})[0] == 413
    assert ask(server.url, "POST", "/elsewhere", whole, JSON)[0] == 404
    assert server.store.count(made.key.test) == 0


def test_serves_the_page_and_nothing_else(server: Collector, made: Made) -> None:
    status, data, headers = ask(server.url, "GET", "/")
    assert (status, data) == (200, (made.page / "index.html").read_bytes())
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b'"answers"' in ask(server.url, "GET", "/collector.js")[1]
    assert b"null" in (made.page / "collector.js").read_bytes()
    for path in (
        f"/../{made.key_file.name}",
        f"/%2e%2e/{made.key_file.name}",
        f"/media/../../{made.key_file.name}",
        "/media",
        "/media/",
        "/answers",
        f"/{made.key_file.name}",
        "//etc/passwd",
    ):
        assert ask(server.url, "GET", path)[0] == 404, path
    assert ask(server.url, "GET", "/?page=1")[0] == 200
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as odd:
        odd.sendall(b"GET http://[ HTTP/1.1\r\n\r\n")
        assert odd.recv(100).startswith(b"HTTP/1.0 404")


def test_serves_only_what_was_built_and_says_what_is_gone(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page"
    shutil.copytree(made.page, page)
    shutil.copy(made.key_file, page / made.key_file.name)  # where it should not be
    item = made.test.items[0]
    with running(Collector(page, tmp_path / "answers.sqlite", port=0)) as server:
        assert ask(server.url, "GET", f"/{made.key_file.name}")[0] == 404
        assert ask(server.url, "GET", f"/{item.image}")[0] == 200
        (page / item.image).unlink()
        assert ask(server.url, "GET", f"/{item.image}")[0] == 404
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{item.image}: No such file or directory" in told
    with pytest.raises(UsageError, match=rf"lacks 1 of the page's 18 files, {item.image}"):
        Collector(page, tmp_path / "answers.sqlite", port=0)


def test_serves_parts_of_a_clip(server: Collector, made: Made) -> None:
    clip = next((made.page / "media").glob("*.flac"))
    whole, path = clip.read_bytes(), f"/media/{clip.name}"
    size = len(whole)
    assert ask(server.url, "GET", path)[:2] == (200, whole)
    assert ask(server.url, "HEAD", path)[2]["Content-Length"] == str(size)
    for asked, part in (
        ("bytes=0-1", whole[:2]),
        ("bytes=100-", whole[100:]),
        ("bytes=-10", whole[-10:]),
        (f"bytes=5-{size + 50}", whole[5:]),
    ):
        status, data, headers = ask(server.url, "GET", path, headers={"Range": asked})
        assert (status, data) == (206, part)
        assert headers["Content-Range"].endswith(f"/{size}")
        assert headers["Content-Type"] == "audio/flac"
    assert ask(server.url, "GET", path, headers={"Range": f"bytes={size}-"})[0] == 416
    assert ask(server.url, "GET", path, headers={"Range": "bytes=9-5"})[0] == 416
    assert ask(server.url, "GET", path, headers={"Range": "bytes=-"})[0] == 200
    assert ask(server.url, "GET", path, headers={"Range": "apples=1-2"})[0] == 200


def test_many_listeners_at_once(server: Collector, made: Made) -> None:
    bodies = [text(at_random(made.key, seed)) for seed in range(12)] * 2
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda body: post(server.url, body)[0], bodies))
    assert sorted(codes) == [200] * 12 + [201] * 12
    assert server.store.count(made.key.test) == 12


def test_goes_on_after_a_kill(made: Made, tmp_path: Path) -> None:
    answers = tmp_path / "answers.sqlite"
    with collector(made.page, answers) as (url, process):
        assert post(url, text(at_random(made.key, 1)))[0] == 201
        process.kill()
        process.wait()
    assert len(stored(answers)) == 1
    with collector(made.page, answers) as (url, process):
        assert post(url, text(at_random(made.key, 1)))[0] == 200
        assert post(url, text(at_random(made.key, 2)))[0] == 201
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert len(stored(answers)) == 2


def test_two_collectors_share_a_file_and_one_dies_in_the_middle(made: Made, tmp_path: Path) -> None:
    answers = tmp_path / "answers.sqlite"
    whole = [text(at_random(made.key, seed)) for seed in range(40)]
    half = text(at_random(made.key, 99))

    def send(url: str, body: str) -> int:
        try:
            return post(url, body)[0]
        except (OSError, http.client.HTTPException):
            return 0

    with (
        collector(made.page, answers) as (one, first),
        collector(made.page, answers) as (other, _),
        ThreadPoolExecutor(8) as pool,
    ):
        host, port = urlsplit(one).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as stuck:
            head = f"POST /answers HTTP/1.1\r\nContent-Length: {len(half)}\r\n"
            head += "Content-Type: application/json\r\n\r\n"
            stuck.sendall(f"{head}{half[: len(half) // 2]}".encode())
            jobs = [
                pool.submit(send, (one, other)[place % 2], body) for place, body in enumerate(whole)
            ]
            jobs[9].result()
            first.kill()
            first.wait()
        codes = [job.result() for job in jobs]
        assert codes[1::2] == [201] * 20
        assert set(codes[::2]) <= {201, 0}
        kept = {json.loads(body)["rater"] for body in stored(answers)}
        thanked = {f"{seed:016x}" for seed, code in enumerate(codes) if code == 201}
        assert thanked <= kept
        assert f"{99:016x}" not in kept  # it came in part
        again = [send(other, body) for body in [*whole, half]]
        assert set(again) == {200, 201}
    assert len(stored(answers)) == 41
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.sqlite"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_reads_from_a_folder_that_cannot_be_written(made: Made, tmp_path: Path) -> None:
    answers = tmp_path / "disc" / "answers.sqlite"
    AnswerStore(answers).add(Answers.model_validate(at_random(made.key, 1)))
    answers.parent.chmod(0o500)
    try:
        assert len(stored(answers)) == 1
    finally:
        answers.parent.chmod(0o700)


def test_leaves_other_databases_alone(tmp_path: Path) -> None:
    path = tmp_path / "bookmarks.sqlite"
    for made in ("CREATE TABLE places (url TEXT)", "CREATE TABLE answers (url TEXT)"):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(made)
        before = path.read_bytes()
        with pytest.raises(UsageError, match=r"cannot hold answers \(no such (table|column)"):
            AnswerStore(path)
        with pytest.raises(UsageError, match="holds no answers"):
            stored(path)
        if "places" in made:
            assert path.read_bytes() == before
        path.unlink()


def test_says_at_once_what_is_wrong(made: Made, server: Collector, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for all to read"):
        Collector(made.page, made.page / "answers.sqlite")
    with pytest.raises(UsageError, match="no page of a listening test"):
        Collector(tmp_path, tmp_path / "a.sqlite")
    with pytest.raises(UsageError, match=r"cannot listen at .* --port"):
        Collector(made.page, tmp_path / "b.sqlite", port=server.server_port)
    (tmp_path / "text.sqlite").write_text("this is no database, " * 100)
    with pytest.raises(UsageError, match="cannot hold answers"):
        AnswerStore(tmp_path / "text.sqlite")
    with pytest.raises(UsageError, match="holds no answers"):
        stored(tmp_path / "nothing.sqlite")
