"""The chat client against a local server of fixed latency, and the request cache.

Requests a second at several concurrencies, beside the ideal, which is concurrency / latency; the
server is a process of its own on the same machine, whose time is in the figures. Then the cache:
replies kept, a folder opened, and replies found, a second.

Usage: python -m tests.perf.bench_chat [--latency 0.05] [--seconds 3] [--replies 100000]
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from artsound.models.chat.cache import RequestCache, request_key
from artsound.models.chat.client import ChatClient, ChatRequest
from artsound.models.chat.parts import text_part, user_message
from artsound.models.chat.replies import Reply
from tests.chat_server import ChatServer

_CAPTION = "A calm landscape with a river, painted in soft greens and blues. " * 14


def _serve(pipe: Connection, latency_s: float) -> None:
    with ChatServer(["tiny"], latency_s=latency_s, reply=lambda _: _CAPTION) as server:
        pipe.send(server.url)
        pipe.recv()


@contextlib.contextmanager
def _server(latency_s: float) -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, latency_s))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def _requests(count: int, size: int) -> list[ChatRequest]:
    payload = {"messages": user_message([text_part("x" * size)]), "max_tokens": 512}
    return [ChatRequest(str(number), 1, payload) for number in range(count)]


def _client(latency_s: float, seconds: float) -> None:
    print(f"{'requests of':12} {'at a time':>9} {'requests/s':>11} {'ideal':>8} {'over, each':>14}")
    for size in (1_000, 300_000):
        for concurrency in (1, 8, 64):
            with _server(latency_s) as url:
                client = ChatClient(url, "tiny", concurrency=concurrency)
                client.complete(_requests(concurrency, size))  # opens the connections
                count = max(concurrency, round(seconds * concurrency / latency_s / 2))
                requests = _requests(count, size)
                began = time.perf_counter()
                replies = client.complete(requests)
                took = time.perf_counter() - began
                client.close()
            assert all(isinstance(reply, Reply) for reply in replies)
            over_ms = (took * concurrency / count - latency_s) * 1e3 / concurrency
            print(
                f"{size / 1e3:9.0f} kB {concurrency:9} {count / took:11.0f}"
                f" {concurrency / latency_s:8.0f} {over_ms:11.2f} ms",
                flush=True,
            )


def _cache(replies: int) -> None:
    keys = [request_key(str(number), 1, b"{}") for number in range(replies)]
    with tempfile.TemporaryDirectory() as folder:
        writer = RequestCache(Path(folder))
        began = time.perf_counter()
        for number, key in enumerate(keys):
            writer.put(key, str(number), 1, Reply(_CAPTION))
        kept = replies / (time.perf_counter() - began)
        writer.close()
        began = time.perf_counter()
        reader = RequestCache(Path(folder))
        opened = replies / (time.perf_counter() - began)
        began = time.perf_counter()
        assert all(reader.get(key) for key in keys)
        found = replies / (time.perf_counter() - began)
        tracemalloc.start()
        reader = RequestCache(Path(folder))
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    print(f"cache, {replies} replies: {kept:.0f} kept/s, {opened:.0f} opened/s, {found:.0f} hits/s")
    print(f"memory of the index: {held / replies:.1f} bytes a reply")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.05, help="of a reply, in seconds")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a measurement, about")
    parser.add_argument("--replies", type=int, default=100_000, help="in the cache")
    given = parser.parse_args()
    _client(given.latency, given.seconds)
    _cache(given.replies)


if __name__ == "__main__":
    main()
