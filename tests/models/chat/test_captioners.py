from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artsound.captions.prompts import ARTWORK_PROMPT, MUSIC_SEGMENT_PROMPT, fusion_prompt
from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import (
    ArtworkCaptioner,
    ArtworkRequest,
    CaptionFuser,
    Feedback,
    FusionRequest,
    SegmentCaptioner,
    SegmentRequest,
)
from artsound.models.batching import in_batches
from artsound.models.chat import ChatArtworkCaptioner, ChatFuser, ChatSegmentCaptioner
from artsound.models.chat.errors import EndpointError, ReplyError
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.models.setup import Setup
from tests.chat_server import KEY, ChatServer, Fault

LLAVA = "llava-hf/llava-v1.6-mistral-7b-hf"
ROLES = {
    "llava-1.6-mistral-7b": "artwork_captioner",
    "qwen2-audio-7b": "segment_captioner",
    "qwen3-14b": "fuser",
}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer([LLAVA, "Qwen/Qwen2-Audio-7B-Instruct", "Qwen/Qwen3-14B"]) as running:
        yield running


def setup(server: ChatServer, name: str, cache: Path | None = None, **settings: Any) -> Setup:
    given = {"endpoint": server.url, "timeout_s": 5.0, "retries": 0, **settings}
    models = Models({name: ModelSettings(**given)}, cache)
    return models.setup(ROLES[name], name)


def sees(server: ChatServer, **settings: Any) -> ChatArtworkCaptioner:
    return ChatArtworkCaptioner.from_recipe(setup(server, "llava-1.6-mistral-7b", **settings))


def hears(server: ChatServer, **settings: Any) -> ChatSegmentCaptioner:
    return ChatSegmentCaptioner.from_recipe(setup(server, "qwen2-audio-7b", **settings))


def merges(server: ChatServer, **settings: Any) -> ChatFuser:
    return ChatFuser.from_recipe(setup(server, "qwen3-14b", **settings))


def artwork(name: str, colour: str, attempt: int = 1) -> ArtworkRequest:
    image = Image.new("RGB", (120, 80), colour)
    return ArtworkRequest(name, image, {}, ARTWORK_PROMPT, Feedback(attempt))


def tone(name: str, hertz: float, rate: int = 16_000) -> SegmentRequest:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate * 2) / rate)
    return SegmentRequest(name, wave.astype(np.float32), rate, MUSIC_SEGMENT_PROMPT)


def fusion(name: str, *segments: str) -> FusionRequest:
    return FusionRequest(name, segments, fusion_prompt(segments))


def test_they_fit_their_roles(server: ChatServer) -> None:
    assert isinstance(sees(server), ArtworkCaptioner)
    assert isinstance(hears(server), SegmentCaptioner)
    assert isinstance(merges(server), CaptionFuser)
    assert sees(server).name == "llava-1.6-mistral-7b"
    assert hears(server).sample_rate == 16_000


def test_the_registry_builds_them(server: ChatServer) -> None:
    models = Models({"qwen3-14b": ModelSettings(endpoint=server.url)})
    assert isinstance(models.load("fuser", "qwen3-14b"), ChatFuser)


def test_artworks_are_seen(server: ChatServer) -> None:
    asked = [artwork("a", "#d01010"), artwork("b", "#1020d0")]
    first, second = sees(server).caption(asked)
    assert "120 by 80" in first
    assert "red dominates" in first
    assert "blue dominates" in second
    assert server.questions[0]["messages"][0]["content"][1]["text"] == ARTWORK_PROMPT


def test_music_is_heard(server: ChatServer) -> None:
    first, second = hears(server).caption([tone("1/0", 440), tone("1/1", 1000)])
    assert "440 Hz" in first
    assert "1000 Hz" in second
    assert "2.00 seconds" in second


def test_segments_are_merged(server: ChatServer) -> None:
    assert merges(server).fuse([fusion("1", "A guitar.", "A drum.")]) == ["A guitar. A drum."]


def test_what_the_recipe_says_is_sent(server: ChatServer) -> None:
    thinking = {"enable_thinking": False}
    fuser = merges(
        server,
        max_tokens=99,
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        seed=5,
        chat_template_kwargs=thinking,
        options={"repetition_penalty": 1.05},
    )
    fuser.fuse([dataclasses.replace(fusion("1", "A."), feedback=Feedback(3))])
    body = server.questions[0]
    del body["messages"]
    assert body == {
        "model": "Qwen/Qwen3-14B",
        "max_tokens": 99,
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "seed": 8,
        "chat_template_kwargs": thinking,
        "repetition_penalty": 1.05,
    }


def test_what_the_recipe_leaves_open_is_not_sent(server: ChatServer) -> None:
    merges(server).fuse([fusion("1", "A.")])
    assert set(server.questions[0]) == {"model", "messages", "max_tokens", "temperature", "seed"}


def test_thoughts_are_stripped(server: ChatServer) -> None:
    server.reply = lambda _: "<think>\nA guitar, so\n</think>\n\nA guitar plays."
    assert merges(server).fuse([fusion("1", "A guitar.")]) == ["A guitar plays."]


def test_options_are_checked(server: ChatServer) -> None:
    assert sees(server, options={"image_side": 64}).image_side == 64
    assert not hears(server, options={"prompt": False}).prompt
    with pytest.raises(UsageError, match=r"options\.image_sid: no such option; there are .*side"):
        sees(server, options={"image_sid": 64})
    with pytest.raises(UsageError, match=r"image_side = 'big': give it a int"):
        sees(server, options={"image_side": "big"})
    with pytest.raises(UsageError, match="prompt"):
        hears(server, options={"prompt": 1})


def test_a_captioner_without_a_prompt_is_sent_audio_alone(server: ChatServer) -> None:
    hears(server, options={"prompt": False}).caption([tone("1/0", 440)])
    (content,) = [message["content"] for message in server.questions[0]["messages"]]
    assert [part["type"] for part in content] == ["input_audio"]


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    with ChatServer(["Qwen/Qwen3-14B"], key=KEY) as server:
        assert merges(server, api_key_env="MY_KEY").fuse([fusion("1", "A.")]) == ["A."]
        with pytest.raises(EndpointError, match="api_key_env"):
            merges(server).fuse([fusion("1", "A.")])


def test_one_bad_item_costs_only_itself_and_no_second_question(server: ChatServer) -> None:
    server.faults = [Fault("500", -1, "Bad.")]
    fuser = merges(server)
    asked = [fusion("1", "Good."), fusion("2", "Bad."), fusion("3", "Fine."), fusion("4", "Bad.")]
    found = in_batches(asked, 3, fuser.fuse)
    assert [str(one) if isinstance(one, str) else type(one).__name__ for one in found] == [
        "Good.",
        "ReplyError",
        "Fine.",
        "ReplyError",
    ]
    assert len(server.questions) == 4


def test_a_resumed_build_asks_nothing_twice(server: ChatServer, tmp_path: Path) -> None:
    asked = [fusion(str(number), f"Part {number}.") for number in range(5)]
    first = merges(server, cache=tmp_path).fuse(asked)
    count = len(server.asked)
    assert merges(server, cache=tmp_path).fuse(asked) == first
    assert len(server.asked) == count
    assert (tmp_path / "qwen3-14b").is_dir()


@pytest.mark.parametrize("polite", [False, True])
def test_a_model_without_a_sense_is_found_out_before_the_work(polite: bool) -> None:
    with ChatServer([LLAVA], senses=[], deaf_but_polite=polite) as server:
        with pytest.raises(ArtsoundError, match=r"does not see images: .*another in the recipe"):
            sees(server).check()
        assert not server.questions
    with (
        ChatServer(["Qwen/Qwen2-Audio-7B-Instruct"], senses=["image"]) as server,
        pytest.raises(ArtsoundError, match="does not hear audio"),
    ):
        hears(server).check()


def test_a_model_without_a_sense_is_found_out_at_the_first_batch() -> None:
    with ChatServer([LLAVA], senses=["audio"]) as server:
        with pytest.raises(ArtsoundError, match="does not see images") as caught:
            in_batches([artwork("a", "red"), artwork("b", "blue")], 8, sees(server).caption)
        assert len(server.questions) == 2
    assert "\n" not in str(caught.value)


def test_a_model_with_all_its_senses_passes(server: ChatServer) -> None:
    sees(server).check()
    hears(server).check()
    merges(server).check()
    assert not server.questions


def test_a_refused_item_is_not_taken_for_a_missing_sense(server: ChatServer) -> None:
    server.max_text = 300
    captioner = sees(server)
    long = dataclasses.replace(artwork("long", "red"), prompt="word " * 100)
    found = in_batches([artwork("a", "red"), long, long], 8, captioner.caption)
    assert isinstance(found[0], str)
    assert isinstance(found[1], ReplyError)
    assert "maximum context length" in str(found[1])
    probes = len(server.asked) - len(server.questions)
    captioner_again = in_batches([long], 8, captioner.caption)
    assert isinstance(captioner_again[0], ReplyError)
    assert len(server.asked) - len(server.questions) == probes == 2


def test_a_probe_may_be_turned_off() -> None:
    with ChatServer([LLAVA], senses=[], deaf_but_polite=True) as server:
        sees(server, options={"probe": False}).check()
        assert not server.asked
