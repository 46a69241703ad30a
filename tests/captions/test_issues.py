"""What is wrong with a caption is found, and what is right is left alone."""

from __future__ import annotations

import pytest

from artsound.captions.issues import (
    Issue,
    inspect_artwork_caption,
    inspect_audio_caption,
    unsupported_claims,
)
from artsound.captions.lexicon import concepts, keys, tempi

GOOD = (
    "This Baroque portrait shows a king in a long robe. Its colours are mainly black, dark brown"
    " and cream, and the light falls from the left."
)
SEGMENTS = (
    "This is an instrumental folk piece led by acoustic guitar, at about 96 BPM in D major.",
    "A folk piece with acoustic guitar and flute, slow and gentle, in F sharp minor.",
)
FUSED = "A folk piece led by acoustic guitar and flute, at about 97 BPM, first in D major."


def test_good_captions_have_no_issue() -> None:
    assert inspect_artwork_caption(GOOD) == ()
    assert inspect_audio_caption(SEGMENTS, FUSED) == ()


@pytest.mark.parametrize(
    ("caption", "issue"),
    [
        ("A king.", Issue.TOO_SHORT),
        (GOOD + " More of the same." + " and so on" * 300, Issue.TOO_LONG),
        (f"{GOOD} What do you think?", Issue.ASKS_QUESTION),
        (f"{GOOD} Let me know if you want more.", Issue.ASKS_QUESTION),
        (f"{GOOD} {GOOD}", Issue.REPEATS),
        ("the light is soft and " * 12 + "the end of it.", Issue.REPEATS),
        (f"{GOOD} Human: What what", Issue.DIALOGUE),
        (f"{GOOD} As an AI I cannot see.", Issue.DIALOGUE),
    ],
)
def test_each_issue_is_found(caption: str, issue: Issue) -> None:
    assert issue in inspect_artwork_caption(caption)


def test_limits_are_parameters() -> None:
    assert inspect_artwork_caption("A king.", min_chars=3) == ()
    assert inspect_artwork_caption(GOOD, max_chars=50) == (Issue.TOO_LONG,)


@pytest.mark.parametrize(
    ("caption", "claims"),
    [
        ("A folk piece with acoustic guitar and drums.", ("drum",)),
        ("A folk piece with a female singer.", ("female", "voice")),
        ("A folk piece in G minor.", ("G minor",)),
        ("A folk piece at 120 BPM.", ("120 BPM",)),
        ("A folk piece at 98 BPM, in F# minor.", ()),
        ("A slowly played folk piece for flutes.", ()),
        ("A jazzy piece.", ("jazz",)),
    ],
)
def test_claims_that_no_segment_makes(caption: str, claims: tuple[str, ...]) -> None:
    assert unsupported_claims(SEGMENTS, caption) == claims
    found = inspect_audio_caption(SEGMENTS, caption, min_chars=0)
    assert (Issue.UNSUPPORTED_CLAIM in found) == bool(claims)


def test_words_are_read_as_music() -> None:
    assert concepts("Drum-and-bass with synths and a drum kit.") >= {"drum", "synthesizer"}
    assert concepts("a record that marks the beat of the band") == set()
    assert keys("in B♭ major, then b minor") == {"B flat major"}
    assert tempi("at 96 BPM, later 120.5 beats per minute") == [96.0, 120.5]
