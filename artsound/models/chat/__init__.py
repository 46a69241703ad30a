"""Chat models, reached through the OpenAI-compatible HTTP API.

`captioners` plays the roles, `client` asks, `cache` keeps the replies, and `serving` starts the
server where the recipe gives no endpoint.
"""

from artsound.models.chat.captioners import ChatArtworkCaptioner, ChatFuser, ChatSegmentCaptioner
from artsound.models.chat.client import ChatClient, ChatRequest

__all__ = [
    "ChatArtworkCaptioner",
    "ChatClient",
    "ChatFuser",
    "ChatRequest",
    "ChatSegmentCaptioner",
]
