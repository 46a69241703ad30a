"""Where a chat model is reached, and with which key: checked before anything is sent."""

from __future__ import annotations

import ipaddress
import os

import httpx2

from artsound.errors import UsageError


def api_key(variable: str) -> str | None:
    """Return the key that an environment variable holds, or None."""
    return os.environ.get(variable, "").strip() or None


def checked_key(key: str | None) -> str | None:
    """Return a key that can be sent.

    Raises:
        UsageError: it cannot; the key is not repeated.
    """
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError("the API key holds characters that no key has: check the variable")
    return key


def checked_url(text: str) -> str:
    """Return the base URL of an endpoint, without a slash at its end.

    Raises:
        UsageError: it is none, or holds what belongs into an environment variable.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.userinfo or url.query:
        # It is not repeated: what is in there may be secret, and recipes are kept in workspaces.
        raise UsageError(
            f"the endpoint at {url.host or 'that URL'} holds a login or a query: put the key into"
            " the environment variable that api_key_env names"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{text!r} is no endpoint: write http://HOST:PORT/v1")
    return text.rstrip("/")


def is_local(url: str) -> bool:
    """Say whether a URL leads to this machine."""
    host = httpx2.URL(url).host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
