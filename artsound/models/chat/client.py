"""A client of the OpenAI-compatible chat API: concurrent, patient with faults, and cached."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2

from artsound.models.chat.address import checked_key, checked_url, is_local
from artsound.models.chat.background import BackgroundLoop
from artsound.models.chat.cache import RequestCache, request_key
from artsound.models.chat.errors import EndpointError, ReplyError
from artsound.models.chat.faults import LONGEST_WAIT_S, Fault, backoff, error_text, judge
from artsound.models.chat.replies import Reply

Body = dict[str, Any]
Outcome = Reply | Exception

_MOST_BYTES: Final = 8 << 20  # of an answer; a caption has a few thousand
_CONNECT_S: Final = 10.0
# Servers close idle connections after 5 s and more; one that is reused must not be among those.
_KEEP_S: Final = 3.0
_AGAIN: Final = "what is done is kept: run the same command again to continue"


@dataclass(frozen=True)
class ChatRequest:
    """One question.

    Attributes:
        item: id of what is asked about.
        attempt: 1 for the first time that it is asked about.
        payload: the body without the model's name: `messages`, `max_tokens` and so on.
    """

    item: str
    attempt: int
    payload: Mapping[str, Any]


def as_is(body: Body) -> Body:
    """Return a body as it goes to servers that take all fields: vLLM and its like."""
    return body


class ChatClient:
    """Asks one model of one endpoint.

    Args:
        base_url: of the API, such as `http://127.0.0.1:8000/v1`.
        model: what the endpoint calls the model.
        api_key: sent as a bearer token; in no error text and no file.
        timeout_s: how long an answer may take in all, in seconds.
        retries: how often a request is sent again after a fault that may pass.
        concurrency: how many requests are under way at a time.
        cache: where replies are kept; None for nowhere.
        backoff_s: how long to wait after a first fault at most; it doubles with each.
        adapt: turns a body into what the endpoint takes; the cache does not depend on it.

    Raises:
        UsageError: the URL or the key cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 300.0,
        retries: int = 5,
        concurrency: int = 16,
        cache: RequestCache | None = None,
        backoff_s: float = 1.0,
        adapt: Callable[[Body], Body] = as_is,
    ) -> None:
        self.base_url = checked_url(base_url)
        self.model = model
        self.timeout_s = timeout_s
        self.retries = retries
        self.concurrency = concurrency
        self.cache = cache
        self.backoff_s = backoff_s
        self.adapt = adapt
        self._key = checked_key(api_key)
        self._pause_until = 0.0
        self._http: httpx2.AsyncClient | None = None
        self._loop: BackgroundLoop | None = None

    def complete(self, requests: Sequence[ChatRequest], *, cached: bool = True) -> list[Outcome]:
        """Ask, several questions at a time.

        Args:
            requests: the questions.
            cached: whether replies are looked up in the cache and kept there.

        Returns:
            One entry a question, in order: the reply, or the ReplyError that is its own fault.

        Raises:
            EndpointError: nothing can be asked: the endpoint stays down, refuses the key, or has no
                such model. Replies that came before are in the cache.
        """
        cache = self.cache if cached else None
        bodies = [self._body(request) for request in requests]
        keys = [
            request_key(request.item, request.attempt, body)
            for request, body in zip(requests, bodies, strict=True)
        ]
        outcomes: list[Outcome | None] = [None if cache is None else cache.get(key) for key in keys]
        missing = [number for number, outcome in enumerate(outcomes) if outcome is None]
        if missing:

            def keep(number: int, outcome: Outcome) -> None:
                outcomes[number] = outcome
                if cache is not None and isinstance(outcome, Reply):
                    request = requests[number]
                    cache.put(keys[number], request.item, request.attempt, outcome)

            wanted = [(number, keys[number], bodies[number]) for number in missing]
            self._running().run(self._all(wanted, keep))
        return [outcome for outcome in outcomes if outcome is not None]

    def key(self, request: ChatRequest) -> str:
        """Return the key under which the reply to a request is cached."""
        return request_key(request.item, request.attempt, self._body(request))

    def models(self) -> list[str]:
        """Return the names of the models that the endpoint serves.

        Raises:
            EndpointError: it cannot be reached, refuses the key, or is no such API.
        """
        return self._running().run(self._models())

    def close(self) -> None:
        """Close the connections."""
        if self._loop and self._http:
            self._loop.run(self._http.aclose())
            self._loop.close()
        self._loop = self._http = None

    def _running(self) -> BackgroundLoop:
        if self._loop is None:
            self._loop = BackgroundLoop()
        return self._loop

    def _body(self, request: ChatRequest) -> bytes:
        return json.dumps({"model": self.model, **request.payload}, sort_keys=True).encode()

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._http = httpx2.AsyncClient(
                headers={"Content-Type": "application/json", **headers},
                timeout=httpx2.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s)),
                limits=httpx2.Limits(
                    max_connections=self.concurrency,
                    max_keepalive_connections=self.concurrency,
                    keepalive_expiry=_KEEP_S,
                ),
                # A proxy set in the environment does not lead to this machine.
                trust_env=not is_local(self.base_url),
            )
        return self._http

    async def _all(
        self,
        wanted: Sequence[tuple[int, str, bytes]],
        keep: Callable[[int, Outcome], None],
    ) -> None:
        limit = asyncio.Semaphore(self.concurrency)

        async def one(number: int, key: str, body: bytes) -> None:
            async with limit:
                try:
                    outcome: Outcome = await self._ask(key, body)
                except ReplyError as error:
                    outcome = error
            keep(number, outcome)

        tasks = [asyncio.create_task(one(*each)) for each in wanted]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, key: str, body: bytes) -> Reply:
        """Send one request until it is answered, or there is no hope."""
        sent = body if self.adapt is as_is else json.dumps(self.adapt(json.loads(body))).encode()
        for tries in itertools.count(1):
            await self._pause()
            outcome = await self._send(sent)
            if isinstance(outcome, Reply):
                return outcome
            wait_s = outcome.wait_s or 0.0
            if wait_s > LONGEST_WAIT_S:
                raise EndpointError(
                    f"{self.base_url} asks to be left alone for {wait_s:.0f} s: {_AGAIN} then"
                )
            if tries > self.retries:
                raise await self._given_up(outcome)
            # What the endpoint asks of one request it means for all.
            self._pause_until = max(self._pause_until, time.monotonic() + wait_s)
            await asyncio.sleep(max(backoff(key, tries, self.backoff_s), wait_s))
        raise AssertionError("the last try returns or raises")

    async def _pause(self) -> None:
        while (left := self._pause_until - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def _send(self, body: bytes) -> Reply | Fault:
        try:
            async with asyncio.timeout(self.timeout_s):
                status, headers, data = await self._fetch("POST", "chat/completions", body)
        except TimeoutError:
            return Fault(f"no whole answer within {self.timeout_s:g} s")
        except httpx2.RequestError as error:
            return Fault(self._named(error), unreachable=isinstance(error, _UNREACHABLE))
        return judge(status, headers, self._without_key(data), self.base_url)

    async def _fetch(
        self, method: str, route: str, body: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        data = bytearray()
        url = f"{self.base_url}/{route}"
        async with self._client().stream(method, url, content=body) as answer:
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise httpx2.DecodingError(f"an answer of more than {_MOST_BYTES} bytes")
            return answer.status_code, answer.headers, bytes(data)

    async def _given_up(self, fault: Fault) -> Exception:
        """Return what a request that failed again and again comes to."""
        tries = f"{self.retries + 1} tries" if self.retries else "1 try"
        if fault.status == HTTPStatus.TOO_MANY_REQUESTS:
            return EndpointError(
                f"{self.base_url} still asks for a pause after {tries} ({fault.said}): lower"
                f" concurrency, or wait; {_AGAIN}"
            )
        if fault.unreachable or not await self._healthy():
            return EndpointError(
                f"{self.base_url} is down ({fault.said}; {tries}): see that it runs; {_AGAIN}"
            )
        return ReplyError(f"no usable answer after {tries}; the last: {fault.said}")

    async def _healthy(self) -> bool:
        try:
            async with asyncio.timeout(_CONNECT_S):
                status, _, _ = await self._fetch("GET", "models")
        except (TimeoutError, httpx2.RequestError):
            return False
        return status < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _models(self) -> list[str]:
        try:
            async with asyncio.timeout(_CONNECT_S * 3):
                status, headers, data = await self._fetch("GET", "models")
        except (TimeoutError, httpx2.RequestError) as error:
            raise EndpointError(
                f"{self.base_url} cannot be reached ({self._named(error)}): see that it runs, and"
                " that this is its address"
            ) from None
        data = self._without_key(data)
        if status != HTTPStatus.OK:
            judge(status, headers, data, self.base_url)  # raises for what cannot pass
            raise EndpointError(f"{self.base_url} is not ready ({status}: {error_text(data)})")
        try:
            return [str(model["id"]) for model in json.loads(data)["data"]]
        except (ValueError, KeyError, TypeError):
            raise EndpointError(
                f"{self.base_url}/models lists no models: is it the base URL of an"
                " OpenAI-compatible API? It mostly ends in /v1"
            ) from None

    def _without_key(self, data: bytes) -> bytes:
        """Return a body without the key, which servers may repeat in their complaints."""
        return data.replace(self._key.encode(), b"[key]") if self._key else data

    def _named(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        name = type(error).__name__
        return self._without_key((f"{name}: {text}" if text else name).encode()).decode()


_UNREACHABLE: Final = (httpx2.ConnectError, httpx2.ConnectTimeout)
