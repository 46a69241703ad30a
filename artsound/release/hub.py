"""The Hub as `push` and `verify` meet it: when to ask again, and what an error means to its reader.

huggingface_hub asks again by itself for uploads and listings; its single requests (create, commit,
tag, info) it sends once. Those go through `patiently` here, under the same rules.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from artsound import __version__
from artsound.errors import ArtsoundError, UsageError
from artsound.retry_after import retry_after

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

ATTEMPTS: Final = 6
LONGEST_WAIT_S: Final = 300.0
TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_LOG_IN: Final = (
    "make one with write permission at https://huggingface.co/settings/tokens, then set HF_TOKEN"
    " or run `hf auth login`"
)
_LATER: Final = "run the same command again later; what has been sent stays sent"

Say = Callable[[str], None]
T = TypeVar("T")


def silent(_: str) -> None:
    """Say nothing: what callers get that want no progress."""


def hub_api() -> HfApi:
    """Return the Hub's client; the token is the environment's or the login's, never an argument."""
    from huggingface_hub import HfApi

    _token()
    return HfApi(library_name="artsound", library_version=__version__)


def has_token() -> bool:
    """Say whether there is a token, from HF_TOKEN or the usual login."""
    return _token() is not None


def _token() -> str | None:
    from huggingface_hub import get_token

    token = get_token()
    # An HTTP client that meets such a header would quote it, token and all, in its error.
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UsageError(f"the token holds characters that no token has: {_LOG_IN}")
    return token


def is_repo_id(name: str) -> bool:
    """Say whether a name has the form of a repository's: `NAMESPACE/NAME`."""
    return bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name))


def check_repo_id(name: str) -> None:
    """Raise UsageError unless a name can be that of a repository."""
    if not is_repo_id(name):
        raise UsageError(f"{name!r} is not a repository's name: write NAMESPACE/NAME")


def patiently(call: Callable[[], T], say: Say = silent) -> T:
    """Return what a request returns, asked again while the Hub is busy or the line breaks.

    It waits as long as `Retry-After` says (seconds or a date), else 1, 2, 4 ... seconds, and gives
    up after `ATTEMPTS` tries, or at once when it is told to wait longer than `LONGEST_WAIT_S`.
    """
    import httpx2

    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            wait = _wait(error, attempt)
            if wait is None or attempt == ATTEMPTS:
                raise
            say(
                f"the Hub {_reason(error)}: trying again in {wait:.0f} s"
                f" ({attempt} of {ATTEMPTS - 1})"
            )
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _wait(error: Exception, attempt: int) -> float | None:
    """Return how many seconds to wait before asking again; None: do not."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    backoff = min(2.0 ** (attempt - 1), 30.0)
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in TRANSIENT:
            return None
        told = retry_after(error.response.headers.get("Retry-After"))
        wait = backoff if told is None else told
        return wait if wait <= LONGEST_WAIT_S else None
    broken = httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError
    if isinstance(error, httpx2.ConnectError):  # there is no network: waiting seconds is no help
        return None
    return backoff if isinstance(error, (*broken, json.JSONDecodeError)) else None


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        code = error.response.status_code
        return f"asks for a pause ({code})" if code == 429 else f"is busy ({code})"
    return f"does not answer properly ({type(error).__name__})"


@contextlib.contextmanager
def explained(repo_id: str) -> Iterator[None]:
    """Turn what the Hub's client raises into one line with the remedy."""
    import httpx2
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    client = (httpx2.HTTPError, HFValidationError, OfflineModeIsEnabled, json.JSONDecodeError)
    try:
        yield
    except client as error:
        raise _explain(error, repo_id) from error
    except RuntimeError as error:  # how the client wraps what happened in an upload
        raise _explain(error.__cause__ or error, repo_id) from error


def _explain(error: BaseException, repo_id: str) -> ArtsoundError:
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, OfflineModeIsEnabled):
        return ArtsoundError("HF_HUB_OFFLINE is set: unset it to reach the Hub")
    if isinstance(error, HFValidationError):
        return UsageError(f"{_line(error)}: choose another name")
    if isinstance(error, RevisionNotFoundError):
        return UsageError(f"{repo_id} has no such revision: check its branches and tags on the Hub")
    if isinstance(error, RepositoryNotFoundError):
        seen = "your token may not see it" if has_token() else "there is no token"
        return ArtsoundError(
            f"{repo_id} is not on the Hub, or is private and {seen}: check the name; {_LOG_IN}"
        )
    if isinstance(error, HfHubHTTPError):
        return _explain_status(error, repo_id)
    if isinstance(error, httpx2.HTTPError):
        return ArtsoundError(
            f"{constants.ENDPOINT} cannot be reached ({type(error).__name__}): check the network"
            f" and HF_ENDPOINT, then {_LATER}"
        )
    return ArtsoundError(f"{repo_id}: {type(error).__name__}: {_line(error)}; {_LATER}")


def _explain_status(error: HfHubHTTPError, repo_id: str) -> ArtsoundError:
    code = error.response.status_code
    if code == 401 and has_token():
        return ArtsoundError(f"the Hub refuses the token, it is wrong or expired: {_LOG_IN}")
    if code == 401:
        return ArtsoundError(f"{repo_id}: the Hub wants a token: {_LOG_IN}")
    if code == 403:
        return ArtsoundError(f"the token lacks a permission that {repo_id} needs: {_LOG_IN}")
    if code == 412:
        return ArtsoundError(
            f"{repo_id} changed while it was written to: run the same command again"
        )
    if code in TRANSIENT:
        told = retry_after(error.response.headers.get("Retry-After"))
        wanted = f" and asks to wait {told:.0f} s" if told and told > LONGEST_WAIT_S else ""
        return ArtsoundError(f"the Hub is too busy for {repo_id} ({code}){wanted}: {_LATER}")
    said = " ".join((error.server_message or "no reason given").split())
    return ArtsoundError(f"the Hub refuses the request for {repo_id} ({code}): {said}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
