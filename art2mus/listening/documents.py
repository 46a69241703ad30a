"""The test's three documents, checked: what the page shows, the key, and a listener's answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from art2mus.listening.questions import HIGHEST, LOWEST, QuestionId
from artsound.errors import UsageError

DATA: Final = "data.js"
ASSETS: Final = ("index.html", "style.css", "app.js", "shuffle.js", "collector.js")
_HEAD: Final = '"use strict";\nconst TEST = '
_TAIL: Final = ";\n"
_MOST: Final = 10_000

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")]
Picture = Annotated[str, Field(pattern=r"^media/[0-9a-f]{8,32}\.jpg$")]
Sound = Annotated[str, Field(pattern=r"^media/[0-9a-f]{8,32}\.flac$")]
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
    image: Picture
    description: str
    tracks: dict[Id, Sound]


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

    @property
    def files(self) -> frozenset[str]:
        """The names of all of the page's files, from its folder."""
        media = [name for item in self.items for name in (item.image, *item.tracks.values())]
        return frozenset((*ASSETS, DATA, *media))

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

    @model_validator(mode="after")
    def _one_track_a_model(self) -> Self:
        """Refuse a key that was edited into one that no answer can be read by."""
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is named twice")
        if self.anchor is not None and self.anchor not in self.models:
            raise ValueError("its anchor is none of its models")
        for artwork, item in self.items.items():
            if sorted(item.tracks.values()) != sorted(self.models):
                raise ValueError(f"artwork {artwork} has not one track of each of its models")
        return self

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
            f"{path} is damaged ({first_error(error)}): build the test again with the same options"
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
            f"{path} is not the key of a listening test ({first_error(error)}): give PAGE.key.json"
            " as `art2mus listen build` wrote it"
        ) from error


def first_error(error: ValueError) -> str:
    """Return one line on what is wrong; never the input itself, which may be anything."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:200]
    found: list[Any] = list(error.errors(include_url=False, include_input=False))
    where = ".".join(str(part) for part in found[0]["loc"][:8])[:80]
    what = " ".join(str(found[0]["msg"]).split())[:160]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    text = f"{where}: {what}{more}" if where else f"{what}{more}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
