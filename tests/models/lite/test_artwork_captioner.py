from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artsound.models.base import ArtworkCaptioner, ArtworkRequest, Feedback
from artsound.models.lite.artwork_captioner import LiteArtworkCaptioner
from artsound.models.lite.artwork_sentences import subject_phrase
from artsound.models.lite.artwork_words import (
    century,
    concepts,
    find_concepts,
    join,
    period,
    style_adjective,
    with_article,
)
from tests.models.lite.artworks import CATALOGUES, artwork

CAPTIONER = LiteArtworkCaptioner()


def _request(
    stem: str, feedback: Feedback, catalogue: dict[str, Any] | None = None
) -> ArtworkRequest:
    known = CATALOGUES[stem] if catalogue is None else catalogue
    return ArtworkRequest(stem, artwork(stem), known, "Describe the artwork.", feedback)


def _attempts(stem: str, issue: str = "low_clip_score") -> list[str]:
    captions: list[str] = []
    for attempt in range(1, 5):
        previous = captions[-1] if captions else ""
        feedback = Feedback(attempt, previous, (issue,) if captions else ())
        captions += CAPTIONER.caption([_request(stem, feedback)])
    return captions


def _check_reads_well(caption: str) -> None:
    sentences = re.findall(r"[^.]+\.", caption)
    assert 3 <= len(sentences) <= 5
    assert "?" not in caption
    assert len({sentence.strip() for sentence in sentences}) == len(sentences)
    assert all(sentence.strip()[0].isupper() for sentence in sentences)
    assert not re.search(
        r"\b(\w+) \1\b|  |\b[Aa] [aeio]|\b[Aa]n [bcdfgjklmnpqrstvwz]| ,|-and-", caption
    )


@pytest.mark.parametrize("stem", CATALOGUES)
def test_captions_read_well_and_every_attempt_differs(stem: str) -> None:
    captions = _attempts(stem)
    assert len(set(captions)) == 4
    for caption in captions:
        _check_reads_well(caption)
    assert 220 <= len(captions[0]) <= 600
    assert captions == _attempts(stem)


def test_what_the_catalogue_knows_is_said() -> None:
    assert isinstance(CAPTIONER, ArtworkCaptioner)
    lion, boats, church, man, abstract = CAPTIONER.caption(
        [_request(stem, Feedback()) for stem in CATALOGUES]
    )
    assert "a lion" in lion
    assert "late 15th century" in lion
    assert "boats on the sea" in boats.lower()
    assert "Ukiyo-e" in boats
    assert "Japan" in boats
    assert "a church beside a road" in church
    assert "Post-Impressionist" in church
    assert "a man in armour" in man
    assert "charcoal" in man
    assert "circles" in abstract


def test_a_low_score_drops_what_a_picture_cannot_show() -> None:
    captions = _attempts("katsushika-hokusai_at-sea-off-kazusa")
    for caption in captions[1:]:
        assert "Japan" not in caption
        assert "mood" not in caption
        assert "ships" in caption or "ship" in caption or "boats" in caption.lower()


@pytest.mark.parametrize("issue", ["too_short", "too_long", "asks_question", "repeats"])
def test_other_issues_give_another_caption(issue: str) -> None:
    captions = _attempts("albrecht-durer_lion-1494", issue)
    assert len(set(captions)) == 4
    if issue == "too_long":
        assert len(captions[1]) < len(captions[0])


@pytest.mark.parametrize("stem", CATALOGUES)
def test_an_empty_catalogue_is_enough(stem: str) -> None:
    caption = CAPTIONER.caption([_request(stem, Feedback(), {})])[0]
    _check_reads_well(caption)


def test_odd_pictures_and_unknown_words() -> None:
    catalogue = {"tags": ["arts-and-crafts"], "style": "Art Nouveau (Modern)", "genre": "poster"}
    tiny = ArtworkRequest("x", Image.new("RGB", (1, 1)), catalogue, "")
    tall = ArtworkRequest("y", Image.new("RGB", (16, 900), "red"), {}, "")
    first, second = CAPTIONER.caption([tiny, tall])
    assert "arts and crafts" in first
    assert "Art Nouveau" in first
    assert "scarlet" in second


@pytest.mark.parametrize(
    ("tags", "title", "genre", "phrase"),
    [
        (["male-portraits", "kings", "armour"], "", "portrait", "a king in armour"),
        (["dancers", "ballet", "interiors"], "", "", "dancers practising ballet in a room"),
        (["pianos", "musical-instruments"], "Girls at the piano", "", "girls at the piano"),
        (["bridges", "rivers"], "Sunset", "landscape", "a river with a bridge at sunset"),
        (["roads-and-vehicles"], "", "self-portrait", "the painter on a road"),
        (["night", "stars-and-galaxies", "trees"], "", "", "trees under a starry night sky"),
        (["hats"], "", "portrait", "a sitter wearing a hat"),
        (["fish", "prawns"], "Horse mackerel and prawn", "", "fish and prawns"),
        ([], "", "", ""),
    ],
)
def test_subjects(tags: list[str], title: str, genre: str, phrase: str) -> None:
    assert subject_phrase(find_concepts(tags, title), genre) == phrase


@given(st.lists(st.sampled_from(sorted(concepts())), max_size=6, unique=True))
def test_any_tags_make_a_phrase(tags: list[str]) -> None:
    phrase = subject_phrase(find_concepts(tags, ""), "")
    assert bool(phrase) == bool(tags)
    assert "  " not in phrase
    assert "-and-" not in phrase


@pytest.mark.parametrize(
    ("style", "adjective"),
    [
        ("ukiyo-e", "Ukiyo-e"),
        ("post-impressionism", "Post-Impressionist"),
        ("mannerism (late renaissance)", "Mannerist (late Renaissance)"),
        ("northern renaissance", "Northern Renaissance"),
        ("abstract art", ""),
        ("romanticism", "Romantic"),
        ("cubism", "Cubist"),
    ],
)
def test_styles(style: str, adjective: str) -> None:
    assert style_adjective({"style": style}) == adjective


def test_years_articles_and_lists() -> None:
    assert century(1831) == "the early 19th century"
    assert century(1555) == "the mid-16th century"
    assert century(2001) == "the early 21st century"
    assert period({"country": "united states"}) == "made in the United States"
    assert period({}) == ""
    assert with_article("oil painting") == "an oil painting"
    assert with_article("Ukiyo-e print") == "a Ukiyo-e print"
    assert with_article("upright format") == "an upright format"
    assert join(["a", "b", "c"]) == "a, b and c"
