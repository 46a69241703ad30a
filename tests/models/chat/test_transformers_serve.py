"""Against a real engine: `transformers serve` with a tiny model on the CPU."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from artsound.errors import ArtsoundError
from artsound.models.base import Feedback, FusionRequest
from artsound.models.chat import ChatClient, ChatFuser, ChatRequest
from artsound.models.chat.engines import for_transformers
from artsound.models.chat.replies import Reply
from artsound.models.chat.serving import check, start
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.models.setup import Setup
from tests.models.chat.tiny_chat import write_tiny_chat


def _setup(role: str, name: str, **settings: Any) -> Setup:
    given: dict[str, Any] = {
        "engine": "transformers",
        "device": "cpu",
        "dtype": "float32",
        "retries": 0,
    }
    return Models({name: ModelSettings(**given, **settings)}).setup(role, name)


def _quiet(line: str) -> None:
    """Hear nothing."""


needs_serving = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("fastapi", "uvicorn", "openai", "accelerate")),
    reason="needs transformers[serving]",
)


@needs_serving
def test_a_hub_cache_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file/hub"))
    setup = _setup("fuser", "qwen3-14b", checkpoint=str(write_tiny_chat(tmp_path / "tiny")))
    with (
        pytest.raises(ArtsoundError, match=r"file/hub.*set HF_HOME"),
        start(setup, tmp_path / "log", _quiet),
    ):
        pass


@pytest.mark.slow
@needs_serving
def test_transformers_serve_takes_what_we_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine that has downloaded nothing: here, and in the server, which inherits it.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf/hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf/hub"))
    weights = write_tiny_chat(tmp_path / "tiny")
    setup = _setup(
        "fuser",
        "qwen3-14b",
        checkpoint=str(weights),
        max_tokens=24,
        temperature=1.5,
        top_p=0.95,
        top_k=50,
        chat_template_kwargs={"enable_thinking": False},
    )
    check(setup)
    with start(setup, tmp_path / "log", _quiet) as server:
        here = dataclasses.replace(setup, served_at=server.url)

        def fuse(model: ChatFuser, attempt: int) -> list[str]:
            request = FusionRequest("1", ("A.",), "Merge: 1. A guitar.", Feedback(attempt))
            return [text.text for text in _replies(model, request)]

        sampled = ChatFuser.from_recipe(here)
        assert sampled.client.concurrency == 1
        first = fuse(sampled, 1)
        assert first[0]
        assert fuse(sampled, 1) == first  # seeded
        assert fuse(sampled, 2) != first  # by attempt

        greedy = dataclasses.replace(
            here, settings=here.settings.model_copy(update={"temperature": 0.0})
        )
        model = ChatFuser.from_recipe(greedy)
        assert model.client.concurrency > 1
        assert fuse(model, 1) == fuse(model, 2) != first

        client = ChatClient(server.url, "any", retries=0, adapt=for_transformers)
        message = {"messages": [{"role": "user", "content": "A guitar."}], "max_tokens": 1}
        thinking = {**message, "chat_template_kwargs": {"enable_thinking": False}}
        with_, without = client.complete(
            [ChatRequest("a", 1, thinking), ChatRequest("a", 1, message)]
        )
        assert isinstance(with_, Reply)
        assert isinstance(without, Reply)
        assert with_.prompt_tokens is not None
        assert without.prompt_tokens is not None
        assert with_.prompt_tokens > without.prompt_tokens  # the template was told

        blind = _setup("artwork_captioner", "llava-1.6-mistral-7b", endpoint=server.url)
        with pytest.raises(ArtsoundError, match="does not see images: it passes over them"):
            check(blind)
    assert server.exit_code is not None


def _replies(model: ChatFuser, request: FusionRequest) -> list[Reply]:
    """Return raw replies: random weights seldom write whole sentences."""
    payload = {
        "messages": [{"role": "user", "content": request.prompt}],
        **model.sampling.fields(request.feedback.attempt),
    }
    found = model.client.complete([ChatRequest(request.item_id, request.feedback.attempt, payload)])
    return [reply for reply in found if isinstance(reply, Reply)]
