"""Answers that are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art2mus.listening.answers import AnswersError, read_answers
from art2mus.listening.documents import read_key, read_test
from artsound.errors import UsageError
from tests.art2mus.listening.conftest import Made
from tests.art2mus.listening.listeners import at_random

Change = Callable[[dict[str, Any]], object]


def first(document: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = document["answers"][0]
    return item


CHANGES: dict[str, tuple[Change, str]] = {
    "foreign": (lambda d: d.update(test="0" * 16), "foreign: of test 0000"),
    "no rater": (lambda d: d.pop("rater"), "malformed: rater"),
    "a name": (lambda d: d.update(rater="Ada Lovelace"), "malformed: rater"),
    "more": (lambda d: d.update(email="ada@example.org"), "malformed: email"),
    "other format": (lambda d: d.update(format=2), "malformed: format"),
    "background": (lambda d: d.update(background="Ada"), "malformed: background"),
    "score 0": (lambda d: first(d)["tracks"][0]["scores"].update(q1=0), "malformed: answers.0"),
    "score 6": (lambda d: first(d)["tracks"][0]["scores"].update(q4=6), "malformed: answers.0"),
    "score 2.5": (lambda d: first(d)["tracks"][0]["scores"].update(q4=2.5), "malformed"),
    "score '3'": (lambda d: first(d)["tracks"][0]["scores"].update(q4="3"), "malformed"),
    "score true": (lambda d: first(d)["tracks"][0]["scores"].update(q4=True), "malformed"),
    "question 5": (lambda d: first(d)["tracks"][0]["scores"].update(q5=3), "malformed"),
    "artwork twice": (lambda d: d["answers"].append(d["answers"][0]), "twice"),
    "strange artwork": (lambda d: first(d).update(artwork="f" * 16), "no artwork f"),
    "track twice": (lambda d: first(d)["tracks"].append(first(d)["tracks"][0]), "other tracks"),
    "another's track": (
        lambda d: first(d)["tracks"][0].update(track=d["answers"][1]["tracks"][0]["track"]),
        "other tracks",
    ),
    "another's preferred": (
        lambda d: first(d).update(preferred=d["answers"][1]["preferred"]),
        "has no track",
    ),
    "no score": (
        lambda d: first(d)["tracks"][0]["scores"].pop("q3"),
        "partial: 2 of 3 artworks",
    ),
    "null score": (lambda d: first(d)["tracks"][0]["scores"].update(q3=None), "partial: 2 of 3"),
    "no track": (lambda d: first(d)["tracks"].pop(), "partial: 2 of 3"),
    "no preference": (lambda d: first(d).update(preferred=None), "partial: 2 of 3"),
    "no artwork": (lambda d: d["answers"].clear(), "partial: 0 of 3"),
}


def test_whole_answers_are_read(made: Made) -> None:
    document = at_random(made.key, 7)
    read = read_answers(json.dumps(document), made.test.test, made.test.layout)
    assert json.loads(read.canonical()) == document
    assert made.test.layout == made.key.layout
    document["answers"].reverse()  # the order is the rater's own
    read_answers(json.dumps(document), made.key.test, made.key.layout)


@pytest.mark.parametrize("change", CHANGES)
def test_says_what_is_wrong(made: Made, change: str) -> None:
    document = at_random(made.key, 7)
    alter, reason = CHANGES[change]
    alter(document)
    with pytest.raises(AnswersError, match=reason) as raised:
        read_answers(json.dumps(document), made.key.test, made.key.layout)
    assert "\n" not in str(raised.value)
    assert "Ada" not in str(raised.value)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"\x1b[31mred":1}', b"NaN"]
)
def test_what_is_no_json_is_malformed(made: Made, data: bytes) -> None:
    with pytest.raises(AnswersError, match="malformed") as raised:
        read_answers(data, made.key.test, made.key.layout)
    assert str(raised.value).isprintable()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(value=json_values, data=st.data())
def test_nothing_gets_through_by_chance(value: Any, data: st.DataObject) -> None:
    whole: dict[str, Any] = {
        "format": 1, "test": "a" * 16, "rater": "b" * 16, "background": "",
        "answers": [{"artwork": "c" * 16, "tracks": [], "preferred": None}],
    }  # fmt: skip
    whole[data.draw(st.sampled_from(list(whole)))] = value
    with pytest.raises(AnswersError):
        read_answers(json.dumps(whole), "a" * 16, {"c" * 16: frozenset({"d" * 16})})


def test_what_is_no_page_and_no_key_is_named(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no page of a listening test"):
        read_test(tmp_path)
    (tmp_path / "data.js").write_text("const OTHER = 1")
    with pytest.raises(UsageError, match=r"data\.js is damaged"):
        read_test(tmp_path)
    with pytest.raises(UsageError, match="beside the page"):
        read_key(tmp_path / "page.key.json")
    with pytest.raises(UsageError, match="not the key"):
        read_key(made.page / "data.js")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["models"].__setitem__(0, "renamed"), "not one track of each of its models"),
        (lambda d: d["models"].append("reedpipe"), "named twice"),
        (lambda d: d.update(anchor="truth"), "anchor is none of its models"),
        (lambda d: next(iter(d["items"].values()))["tracks"].popitem(), "not one track of each"),
    ],
)
def test_a_key_that_was_edited_apart_is_refused(
    made: Made, tmp_path: Path, change: Change, reason: str
) -> None:
    document = json.loads(made.key_file.read_text())
    change(document)
    edited = tmp_path / "edited.key.json"
    edited.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=reason) as raised:
        read_key(edited)
    assert "\n" not in str(raised.value)


def test_a_page_names_files_of_its_own_only(made: Made, tmp_path: Path) -> None:
    script = (made.page / "data.js").read_text()
    image = made.test.items[0].image
    (tmp_path / "data.js").write_text(script.replace(image, "../page.key.json"))
    with pytest.raises(UsageError, match=r"data\.js is damaged"):
        read_test(tmp_path)
