from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from artsound.errors import UsageError
from artsound.models.chat.cache import RequestCache
from artsound.models.chat.client import ChatClient, ChatRequest, Outcome
from artsound.models.chat.errors import EndpointError, RefusedError, ReplyError
from artsound.models.chat.parts import text_part, user_message
from artsound.models.chat.replies import Reply
from tests.chat_server import KEY, ChatServer, Fault


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(["tiny"], reply=_echo) as running:
        yield running


def _echo(body: dict[str, Any]) -> str:
    return f"You said: {body['messages'][0]['content']}."


def ask(text: str, attempt: int = 1) -> ChatRequest:
    payload = {"messages": user_message([text_part(text)]), "max_tokens": 50}
    return ChatRequest(text, attempt, payload)


def client(server: ChatServer, **options: Any) -> ChatClient:
    wanted = {"timeout_s": 2.0, "retries": 3, "concurrency": 8, "backoff_s": 0.02, **options}
    return ChatClient(server.url, "tiny", **wanted)


def texts(outcomes: Sequence[Outcome]) -> list[str]:
    return [found.text if isinstance(found, Reply) else type(found).__name__ for found in outcomes]


def said(*names: str) -> list[str]:
    return [f"You said: {name}." for name in names]


def test_replies_come_in_order_however_long_they_take(server: ChatServer) -> None:
    def slow_first(body: dict[str, Any]) -> str:
        time.sleep(0.1 if body["messages"][0]["content"] == "a" else 0)
        return _echo(body)

    server.reply = slow_first
    assert texts(client(server).complete([ask("a"), ask("b"), ask("c")])) == said("a", "b", "c")


def test_requests_are_under_way_together_but_not_too_many(server: ChatServer) -> None:
    server.latency_s = 0.05
    names = [f"n{number}" for number in range(24)]
    began = time.monotonic()
    assert texts(client(server, concurrency=6).complete([ask(n) for n in names])) == said(*names)
    assert server.most_at_once == 6
    assert time.monotonic() - began < 24 * 0.05


@pytest.mark.parametrize(
    "kind",
    ["500", "503", "429", "408", "reset", "cut", "garbage", "shape", "huge"],
)
def test_faults_that_pass_cost_a_retry(server: ChatServer, kind: str) -> None:
    server.faults = [Fault(kind, 2, "unlucky")]
    found = client(server).complete([ask("lucky"), ask("unlucky")])
    assert texts(found) == said("lucky", "unlucky")
    assert len(server.questions) == 4


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_answers_that_take_too_long_are_asked_for_again(server: ChatServer, kind: str) -> None:
    server.faults = [Fault(kind, 1, "slow")]
    assert texts(client(server, timeout_s=0.4).complete([ask("slow")])) == said("slow")


def test_a_pause_that_is_asked_for_is_kept_by_all(server: ChatServer) -> None:
    server.faults = [Fault("429", 1, "first", {"Retry-After": "1"})]
    chat = client(server, concurrency=1)
    began = time.monotonic()
    assert texts(chat.complete([ask("first"), ask("second")])) == said("first", "second")
    assert 1.0 <= time.monotonic() - began < 2.0
    after = [asked.at for asked in server.asked[1:]]
    assert min(after) - server.asked[0].at >= 0.95


def test_a_pause_of_hours_stops_the_build(server: ChatServer) -> None:
    server.faults = [Fault("503", 1, "", {"Retry-After": "7200"})]
    with pytest.raises(EndpointError, match=r"7200 s.*run the same command again"):
        client(server).complete([ask("a")])


@pytest.mark.parametrize("kind", ["500", "garbage", "reset"])
def test_an_item_that_always_fails_costs_only_itself(server: ChatServer, kind: str) -> None:
    server.faults = [Fault(kind, -1, "bad")]
    found = client(server, retries=1).complete([ask("good"), ask("bad"), ask("fine")])
    assert texts(found) == ["You said: good.", "ReplyError", "You said: fine."]
    assert "after 2 tries" in str(found[1])


def test_a_refused_request_is_not_sent_again(server: ChatServer) -> None:
    server.max_text = 20
    found = client(server).complete([ask("short"), ask("l" + "o" * 40 + "ng")])
    assert isinstance(found[1], RefusedError)
    assert "maximum context length is 20" in str(found[1])
    assert len(server.questions) == 2


def test_an_endpoint_that_is_gone_stops_the_build_in_one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(EndpointError, match=r"is down .*2 tries.*run the same command") as caught:
        ChatClient(url, "tiny", retries=1, backoff_s=0.01).complete([ask("a")])
    assert "\n" not in str(caught.value)


def test_an_endpoint_that_stays_broken_stops_the_build(server: ChatServer) -> None:
    server.faults = [Fault("503", -1)]
    with pytest.raises(EndpointError, match="is down"):
        client(server, retries=1).complete([ask("a")])


def test_a_rate_limit_that_stays_stops_the_build(server: ChatServer) -> None:
    server.faults = [Fault("429", -1, "messages")]
    with pytest.raises(EndpointError, match="lower concurrency"):
        client(server, retries=1).complete([ask("a")])


def test_a_model_that_is_not_there_is_named(server: ChatServer) -> None:
    with pytest.raises(EndpointError, match=r"`other` does not exist.*GET /models"):
        ChatClient(server.url, "other").complete([ask("a")])


def test_a_url_without_its_path_is_explained(server: ChatServer) -> None:
    with pytest.raises(EndpointError, match=r"mostly ends in /v1"):
        ChatClient(server.url.removesuffix("/v1"), "tiny").models()


def test_the_models_are_listed(server: ChatServer) -> None:
    assert client(server).models() == ["tiny"]


def test_the_key_is_sent_and_appears_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ChatServer(["tiny"], key=KEY, reply=_echo) as server:
        chat = client(server, api_key=KEY, cache=RequestCache(tmp_path))
        assert texts(chat.complete([ask("a")])) == said("a")
        wrong = KEY + "Wrong"
        with pytest.raises(
            EndpointError, match=r"refuses the key .*\[key\].*api_key_env"
        ) as caught:
            client(server, api_key=wrong).complete([ask("a")])
        with pytest.raises(EndpointError, match=r"refuses the key"):
            client(server).models()
    assert KEY not in str(caught.value) + caplog.text + repr(caught.value.__cause__)
    assert all(KEY not in path.read_text() for path in tmp_path.iterdir())


def test_a_key_that_cannot_be_sent_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        ChatClient("http://127.0.0.1:1/v1", "tiny", api_key="sk-se\ncret")
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "somewhere", "ftp://a/v1", "http://", "http://user:pw@a/v1", "http://a/v1?key=pw"]
)
def test_urls_that_are_no_endpoints_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ChatClient(url, "tiny")
    assert "pw" not in str(caught.value)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert texts(client(server).complete([ask("a")])) == said("a")


def test_what_is_cached_is_not_asked_again(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [Fault("500", -1, "bad")]
    first = client(server, retries=0, cache=RequestCache(tmp_path))
    assert texts(first.complete([ask("a"), ask("bad"), ask("b")]))[1] == "ReplyError"
    server.faults = []
    again = client(server, cache=RequestCache(tmp_path))
    server.asked.clear()
    assert texts(again.complete([ask("a"), ask("bad"), ask("b")])) == said("a", "bad", "b")
    assert [body["messages"][0]["content"] for body in server.questions] == ["bad"]
    other = ChatRequest("a", 1, {**ask("a").payload, "max_tokens": 49})
    again.complete([ask("a", 2), other])
    assert len(server.questions) == 3


def test_what_came_before_a_fatal_error_is_kept(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [Fault("404", -1, "z")]
    chat = client(server, concurrency=1, cache=RequestCache(tmp_path))
    with pytest.raises(EndpointError):
        chat.complete([ask("a"), ask("b"), ask("z"), ask("c")])
    assert len(RequestCache(tmp_path)) == 2


def test_a_wait_that_is_interrupted_leaves_no_request_under_way(server: ChatServer) -> None:
    server.latency_s = 0.3
    chat = client(server, concurrency=1)

    class StopNow(BaseException):
        pass

    def handle(*_: object) -> None:
        raise StopNow

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(StopNow):
            chat.complete([ask(str(number)) for number in range(20)])
    finally:
        signal.signal(signal.SIGUSR1, before)
    time.sleep(0.8)
    assert len(server.asked) <= 2
    server.latency_s = 0
    assert texts(chat.complete([ask("later")])) == said("later")


def test_it_works_inside_a_running_event_loop(server: ChatServer) -> None:
    async def notebook() -> list[str]:
        return texts(client(server).complete([ask("a")]))

    assert asyncio.run(notebook()) == said("a")


def test_closing_is_not_the_end(server: ChatServer) -> None:
    chat = client(server)
    chat.complete([ask("a")])
    chat.close()
    chat.close()
    assert texts(chat.complete([ask("b")])) == said("b")


def test_errors_survive_the_way_between_processes() -> None:
    for error in (EndpointError("x"), ReplyError("x"), RefusedError("x")):
        assert repr(pickle.loads(pickle.dumps(error))) == repr(error)
