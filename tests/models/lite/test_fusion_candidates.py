"""Sentences made of segment captions' clauses: whole, in order, and with nothing added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.captions.issues import unsupported_claims
from artsound.models.lite.fusion_candidates import clauses, continuations, news, openings

STRINGS = (
    "This is an instrumental orchestral piece carried by strings, in F major, without a strict"
    " pulse. It feels peaceful and serene, with a smooth sound and strong contrasts of loud and"
    " quiet."
)
SLOW = (
    "This is an instrumental orchestral piece carried by flute and strings, at a slow tempo in A"
    " minor. It feels peaceful and wistful, with a soft, dark, smooth sound."
)
FAST = (
    "An electronic track driven by drums moves along at a fast tempo of about 140 BPM. The mood is"
    " lively and intense, and the sound is loud, with a steady beat."
)
CAPTIONS = (STRINGS, SLOW, FAST)


def test_a_caption_is_cut_into_facts() -> None:
    assert clauses(STRINGS) == [
        "This is an instrumental orchestral piece",
        "carried by strings",
        "in F major",
        "without a strict pulse",
        "It feels peaceful and serene",
        "with a smooth sound and strong contrasts of loud and quiet",
    ]
    assert clauses(FAST)[-3:] == ["The mood is lively and intense", "the sound is loud",
                                  "with a steady beat"]  # fmt: skip


def test_news_is_what_the_parts_before_do_not_say() -> None:
    assert news([STRINGS], STRINGS) == []
    assert news([STRINGS], SLOW) == [
        "carried by flute and strings",
        "at a slow tempo",
        "in A minor",
        "It feels peaceful and wistful",
        "with a soft, dark, smooth sound",
    ]


def test_tempi_that_differ_by_little_are_no_news() -> None:
    assert news(["At about 115 BPM."], "At about 114 BPM.") == []
    assert news(["At about 115 BPM."], "At about 140 BPM.") == ["At about 140 BPM"]


def test_the_first_part_is_told_whole_or_without_its_end() -> None:
    found = openings(SLOW, 0.5)
    assert found[0] == SLOW
    assert found[1].endswith("It feels peaceful and wistful.")
    assert openings(SLOW, 1.0) == [SLOW]
    assert all(SLOW.startswith(text[:-1]) and text.endswith(".") for text in found)


def test_changes_go_on_after_it() -> None:
    told = news([STRINGS], FAST)
    (sentence,) = {
        text for text in continuations(told, last=True, detail=1.0)
        if text.startswith("Finally it becomes an electronic track, is driven by drums, moves")
    }  # fmt: skip
    assert sentence == (
        "Finally it becomes an electronic track, is driven by drums, moves at a fast tempo of"
        " about 140 BPM and has a steady beat. The mood is lively and intense."
    )


def test_a_change_of_mood_alone_has_its_own_subject() -> None:
    found = continuations(["The mood is calm"], last=False, detail=1.0)
    assert found[0] == "Then the mood is calm."


@pytest.mark.parametrize("caption", ["Loud guitars everywhere", "Noise.", "A solo cello; slow."])
def test_captions_of_another_shape_still_make_sentences(caption: str) -> None:
    found = continuations(news([STRINGS], caption), last=True, detail=1.0)
    assert found
    assert all(text[0].isupper() and text.endswith(".") for text in found)


@given(st.permutations(CAPTIONS), st.floats(0.1, 1.0))
def test_nothing_is_said_that_no_segment_says(order: list[str], detail: float) -> None:
    for number, caption in enumerate(order):
        changes = news(order[:number], caption)
        texts = openings(caption, detail)
        if changes:
            texts += continuations(changes, last=number == 2, detail=detail)
        for text in texts:
            assert unsupported_claims(order, text) == ()
