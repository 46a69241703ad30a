"""Faults of an endpoint: which may pass, which are the item's, and how long to wait."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from artsound.models.chat.errors import EndpointError, RefusedError
from artsound.models.chat.replies import Reply, read_reply
from artsound.retry_after import retry_after

LONGEST_WAIT_S: Final = 600.0
_LONGEST_BACKOFF_S: Final = 60.0
_PASSING: Final = frozenset({408, 409, 425, 429})
_SHOWN: Final = 200  # characters of what an endpoint says


@dataclass(frozen=True)
class Fault:
    """Something that may be gone when the same request is sent again.

    Attributes:
        said: what happened, for people.
        status: the HTTP status, or None where there was no answer.
        wait_s: how long the endpoint asks to be left alone, in seconds; None if it does not say.
        unreachable: whether no connection was made.
    """

    said: str
    status: int | None = None
    wait_s: float | None = None
    unreachable: bool = False


def judge(status: int, headers: Mapping[str, str], body: bytes, endpoint: str) -> Reply | Fault:
    """Return what an answer holds.

    Args:
        status: the HTTP status.
        headers: the answer's headers.
        body: its body.
        endpoint: base URL, for error texts.

    Raises:
        RefusedError: the request itself is at fault (400, 413, 415, 422 and the like).
        EndpointError: no request can succeed: the key, the model or the route is wrong.
    """
    if status == HTTPStatus.OK:
        try:
            return read_reply(json.loads(body))
        except ValueError as error:
            return Fault(f"the body cannot be used: {error}", status)
    said = error_text(body)
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Fault(f"status {status}: {said}", status, retry_after(headers.get("retry-after")))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise EndpointError(
            f"{endpoint} refuses the key ({status}: {said}): put a valid one into the environment"
            " variable that api_key_env names"
        )
    if status == HTTPStatus.PAYMENT_REQUIRED:
        raise EndpointError(f"{endpoint} wants to be paid ({said}): see to it, then run it again")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        raise EndpointError(
            f"{endpoint} has no such model or route ({status}: {said}): give the base URL, which"
            " mostly ends in /v1, and the model's name as GET /models lists it"
        )
    if status < HTTPStatus.BAD_REQUEST:
        where = headers.get("location", "elsewhere")
        raise EndpointError(f"{endpoint} redirects to {where}: give that endpoint's base URL")
    raise RefusedError(f"the endpoint refuses the request ({status}: {said})")


def error_text(body: bytes) -> str:
    """Return what an error's body says, in one short line."""
    text = body[:65536].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(key):
            found = found[key]
    line = " ".join(str(found).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def backoff(key: str, tries: int, base_s: float) -> float:
    """Return how long to wait after a fault, in seconds.

    Exponential with jitter, so that requests that failed together do not come back together: half
    to all of `base_s` times 2 to the power of tries - 1, at most a minute.

    Args:
        key: of the request; the jitter is a function of it and of `tries`.
        tries: how often the request has been sent, from 1.
        base_s: the longest wait after the first try.
    """
    longest = min(base_s * 2.0 ** (tries - 1), _LONGEST_BACKOFF_S)
    return longest * random.Random(f"{key}/{tries}").uniform(0.5, 1.0)
