"""From what a chat model replied to a caption."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from artsound.models.chat.errors import ReplyError

_THOUGHT: Final = re.compile(r"<think>.*?</think>", re.DOTALL)
_SENTENCE_END: Final = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*(?=\s|$)")


@dataclass(frozen=True)
class Reply:
    """One choice of a chat completion.

    Attributes:
        text: the message as the model wrote it, thoughts included.
        finish: why it ended: `stop`, `length` (max_tokens ran out) or whatever the endpoint says.
        prompt_tokens: length of the prompt in tokens, media included; None where the endpoint does
            not tell, and for a reply out of the cache.
    """

    text: str
    finish: str = "stop"
    prompt_tokens: int | None = None


def read_reply(data: object) -> Reply:
    """Return the first choice of a chat completion (OpenAI's API reference, "chat completion").

    Args:
        data: the parsed body.

    Raises:
        ValueError: it is no chat completion.
    """
    try:
        choice: Any = data["choices"][0]  # type: ignore[index]
        text = _text(choice["message"]["content"])
        finish = choice.get("finish_reason") or "stop"
        usage = data.get("usage") or {}  # type: ignore[attr-defined]
        tokens = usage.get("prompt_tokens")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("it is no chat completion") from error
    return Reply(text, str(finish), tokens if isinstance(tokens, int) and tokens > 0 else None)


def _text(content: object) -> str:
    """Return a message's content: a string, parts of text, or nothing."""
    if content is None:
        return ""  # all of it was reasoning, which some servers return apart
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str):
        raise TypeError(type(content).__name__)
    return content


def caption_of(reply: Reply) -> str:
    """Return the caption in a reply: without thoughts, and in whole sentences.

    A reply that max_tokens cut off loses its unfinished sentence.

    Returns:
        The caption; empty if the model said nothing.

    Raises:
        ReplyError: max_tokens ran out before a first sentence was whole, or the endpoint withheld
            the reply.
    """
    text = without_thoughts(reply.text)
    if reply.finish == "content_filter":
        raise ReplyError("the endpoint's content filter withheld the reply")
    if reply.finish != "length":
        return text
    if not text:
        raise ReplyError(
            "max_tokens ran out before the reply proper began: raise max_tokens, or turn thinking"
            " off with chat_template_kwargs = { enable_thinking = false }"
        )
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if not ends:
        raise ReplyError("max_tokens ran out before a first sentence was whole: raise max_tokens")
    return text[: ends[-1]]


def without_thoughts(text: str) -> str:
    """Return a text without what reasoning models think aloud.

    Besides whole `<think>` blocks this is what comes before a lone `</think>`, since templates may
    open the block in the prompt, and what follows a `<think>` that is never closed.
    """
    text = _THOUGHT.sub("", text)
    text = text.rpartition("</think>")[2]
    return text.partition("<think>")[0].strip()
