from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.models.chat.errors import ReplyError
from artsound.models.chat.replies import Reply, caption_of, read_reply, without_thoughts

PLAIN = st.text(alphabet=st.characters(exclude_characters="<>"), max_size=60)


@given(PLAIN, PLAIN, PLAIN)
def test_thoughts_are_stripped_wherever_they_are(before: str, thought: str, after: str) -> None:
    text = f"{before}<think>{thought}</think>{after}"
    assert without_thoughts(text) == (before + after).strip()


@given(PLAIN, PLAIN)
def test_blocks_that_lack_an_end_are_stripped(thought: str, said: str) -> None:
    assert without_thoughts(f"{thought}</think>{said}") == said.strip()
    assert without_thoughts(f"{said}<think>{thought}") == said.strip()


@given(st.lists(PLAIN, max_size=4), st.sampled_from(["stop", "length"]))
def test_a_caption_holds_no_thought(pieces: list[str], finish: str) -> None:
    text = "<think>so</think>".join(pieces)
    try:
        caption = caption_of(Reply(text, finish))
    except ReplyError:
        assert finish == "length"
    else:
        assert "<think>" not in caption
        assert caption == caption.strip()


def test_a_cut_reply_ends_with_its_last_whole_sentence() -> None:
    cut = Reply('It is calm. A "lion." It was painted in 1.5 hours and shows a', "length")
    assert caption_of(cut) == 'It is calm. A "lion."'
    assert caption_of(Reply("It is calm. A lion", "stop")) == "It is calm. A lion"


@pytest.mark.parametrize(
    ("text", "finish", "says"),
    [
        ("A painting of a", "length", "raise max_tokens"),
        ("<think>Let me see. It is", "length", "enable_thinking"),
        ("", "content_filter", "withheld"),
    ],
)
def test_replies_without_a_caption_say_why(text: str, finish: str, says: str) -> None:
    with pytest.raises(ReplyError, match=says):
        caption_of(Reply(text, finish))


def test_a_model_that_says_nothing_gives_an_empty_caption() -> None:
    assert caption_of(Reply("  \n", "stop")) == ""


def _choice(content: object) -> dict[str, object]:
    return {"choices": [{"message": {"content": content}, "finish_reason": None}]}


def test_contents_of_every_form_are_read() -> None:
    assert read_reply(_choice("hello")) == Reply("hello", "stop")
    assert read_reply(_choice(None)).text == ""
    parts = [{"type": "text", "text": "a"}, {"type": "other"}, {"type": "text", "text": "b"}]
    assert read_reply(_choice(parts)).text == "ab"
    counted = {**_choice("x"), "usage": {"prompt_tokens": 7}}
    assert read_reply(counted).prompt_tokens == 7
    for usage in (None, {}, {"prompt_tokens": 0}, {"prompt_tokens": "7"}):
        assert read_reply({**_choice("x"), "usage": usage}).prompt_tokens is None


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"choices": []}, {"choices": [{}]}, _choice(3), _choice([{"type": "text"}]), 4],
)
def test_what_is_no_completion_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="no chat completion"):
        read_reply(data)
