"""The test's three documents, checked: what the page shows, the key, and a listener's answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from art2mus.listening.questions import HIGHEST, LOWEST, QUESTIONS, QuestionId
from artsound.errors import ArtsoundError, UsageError

DATA: Final = "data.js"
_HEAD: Final = '"use strict";\nconst TEST = '
_TAIL: Final = ";\n"
_MOST: Final = 10_000

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")]
Score = Annotated[int, Field(ge=LOWEST, le=HIGHEST)]
Background = Literal["", "musician", "visual artist", "neither"]
# The opaque ids of an artwork's tracks, by the artwork's.
Layout = Mapping[str, frozenset[str]]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Item(_Document):
    """An artwork on the page.

    Attributes:
        id: opaque.
        image: its file, from the page.
        description: the artwork's caption, for people who do not see it.
        tracks: sound files by opaque id.
    """

    id: Id
    image: str
    description: str
    tracks: dict[Id, str]


class Test(_Document):
    """What the page shows; says nothing of models.

    Attributes:
        format: of this document.
        test: the test's id.
        seconds: how long the clips are.
        questions: their texts by id.
        items: the artworks.
    """

    __test__ = False  # no test of pytest's

    format: Literal[1] = 1
    test: Id
    seconds: float
    questions: dict[QuestionId, str]
    items: list[Item]

    @property
    def layout(self) -> Layout:
        """The tracks of each artwork."""
        return {item.id: frozenset(item.tracks) for item in self.items}

    def script(self) -> bytes:
        """Return the document as the script that the page loads, which works from disk too."""
        return f"{_HEAD}{self.model_dump_json()}{_TAIL}".encode()


class KeyItem(_Document):
    """An artwork, and whose music its tracks are.

    Attributes:
        pair_id: the pair's.
        artwork_id: the artwork's.
        style: the artwork's.
        tracks: models by opaque track id.
    """

    pair_id: str
    artwork_id: str
    style: str
    tracks: dict[Id, str]


class Key(_Document):
    """What the page does not tell.

    Attributes:
        format: of this document.
        test: the test's id.
        release: the release's name.
        release_fingerprint: of its data files.
        split: which the artworks are from.
        seed: of the drawing.
        raters: how many listeners are planned.
        seconds: how long the clips are.
        lufs: how loud they are.
        models: their names, in the order given.
        anchor: the ground truth's name among them; None for a test without.
        items: by opaque artwork id.
        was_lufs: how loud each track was; None for silence.
    """

    format: Literal[1] = 1
    test: Id
    release: str
    release_fingerprint: str
    split: str
    seed: int
    raters: int
    seconds: float
    lufs: float
    models: list[str]
    anchor: str | None
    items: dict[Id, KeyItem]
    was_lufs: dict[Id, float | None]

    @property
    def layout(self) -> Layout:
        """The tracks of each artwork."""
        return {artwork: frozenset(item.tracks) for artwork, item in self.items.items()}


class TrackAnswer(_Document):
    """What a listener says of a track; None where nothing."""

    track: Id
    scores: dict[QuestionId, Score | None]


class ItemAnswer(_Document):
    """What a listener says of an artwork's tracks, in the order they stood on the page."""

    artwork: Id
    tracks: Annotated[list[TrackAnswer], Field(max_length=_MOST)]
    preferred: Id | None


class Answers(_Document):
    """What a listener sends.

    Attributes:
        format: of this document.
        test: the test's id.
        rater: a code that the page made at random; there are no names.
        background: the listener's, if said.
        answers: by artwork, in the order they were shown.
    """

    format: Literal[1]
    test: Id
    rater: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    background: Background
    answers: Annotated[list[ItemAnswer], Field(max_length=_MOST)]

    def canonical(self) -> str:
        """Return them as JSON that is the same for the same answers."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class AnswersError(ArtsoundError):
    """Answers cannot be counted.

    Args:
        reason: why, for people.
        rater: whose they are, where that can be told.
    """

    def __init__(self, reason: str, rater: str = "") -> None:
        super().__init__(reason)
        self.rater = rater


def read_answers(data: bytes | str, test: str, layout: Layout) -> Answers:
    """Read a listener's answers and check them whole.

    Args:
        data: JSON.
        test: the id of the test they have to be of.
        layout: its artworks and tracks.

    Raises:
        AnswersError: they are malformed, of another test, or partial.
    """
    try:
        read = Answers.model_validate_json(data)
    except ValidationError as error:
        raise AnswersError(f"malformed: {_first(error)}") from error
    if read.test != test:
        raise AnswersError(f"foreign: of test {read.test}, not of {test}", read.rater)
    try:
        _check(read, layout)
    except AnswersError as error:
        raise AnswersError(str(error), read.rater) from error
    return read


def _check(read: Answers, layout: Layout) -> None:
    artworks = [item.artwork for item in read.answers]
    if strange := set(artworks) - layout.keys():
        raise AnswersError(f"malformed: the test has no artwork {min(strange)}")
    if len(set(artworks)) < len(artworks):
        raise AnswersError("malformed: an artwork stands there twice")
    for item in read.answers:
        tracks = [track.track for track in item.tracks]
        known = layout[item.artwork]
        if set(tracks) - known or len(set(tracks)) < len(tracks):
            raise AnswersError(f"malformed: other tracks than those of artwork {item.artwork}")
        if item.preferred is not None and item.preferred not in known:
            raise AnswersError(f"malformed: artwork {item.artwork} has no track {item.preferred}")
    whole = sum(
        item.preferred is not None
        and {track.track for track in item.tracks} == layout[item.artwork]
        and all(
            track.scores.get(question.id) is not None
            for track in item.tracks
            for question in QUESTIONS
        )
        for item in read.answers
    )
    if whole < len(layout):
        raise AnswersError(f"partial: {whole} of {len(layout)} artworks are answered whole")


def read_test(page: Path) -> Test:
    """Read what a page shows.

    Raises:
        UsageError: the folder is no page of a listening test.
    """
    path = page / DATA
    try:
        text = path.read_text("utf-8")
        if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
            raise ValueError(f"it does not begin with {_HEAD!r}")
        return Test.model_validate_json(text[len(_HEAD) : -len(_TAIL)])
    except OSError as error:
        raise UsageError(
            f"{page} is no page of a listening test ({error.strerror}: {DATA}): `art2mus listen"
            " build` makes one"
        ) from error
    except ValueError as error:  # also pydantic's and a wrong encoding
        raise UsageError(
            f"{path} is damaged ({_first(error)}): build the test again with the same options"
        ) from error


def read_key(path: Path) -> Key:
    """Read a test's key.

    Raises:
        UsageError: there is no such file, or it is no key.
    """
    try:
        return Key.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}: it lies beside the page, PAGE.key.json"
        ) from error
    except ValidationError as error:
        raise UsageError(
            f"{path} is not the key of a listening test ({_first(error)}): it lies beside the page"
        ) from error


def _first(error: ValueError) -> str:
    """Return one line on what is wrong; never the input itself, which may be anything."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:200]
    found: list[Any] = list(error.errors(include_url=False, include_input=False))
    where = ".".join(str(part) for part in found[0]["loc"][:8])[:80]
    what = " ".join(str(found[0]["msg"]).split())[:160]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    text = f"{where}: {what}{more}" if where else f"{what}{more}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
