"""What can go wrong with a chat model: an item's fault, or the endpoint's."""

from __future__ import annotations

from artsound.errors import ArtsoundError


class ReplyError(Exception):
    """One request has no usable reply; the others may have theirs."""


class RefusedError(ReplyError):
    """The endpoint finds fault with one request and would again: it is too long, for example."""


class EndpointError(ArtsoundError):
    """The endpoint is down, refuses the key, or has no such model or route."""
