"""ArtGraph: a knowledge graph of artworks (Castellano et al. 2022), in its OGB-style raw layout.

    mapping/artwork_entidx2name.csv           index, file name; the list of artworks
    mapping/<type>_entidx2name.csv            index, name of artists, styles, genres, tags ...
    mapping/labelidx2<type>name.csv           names of the node labels
    raw/relations/artwork___<r>___<t>/edge.csv    artwork index, entity index
    raw/node-label/artwork/node-label-<t>.csv     one label an artwork, in order
    imagesf2/<file name>                      the images

File names follow WikiArt: `artist-slug_title-words-1889.jpg`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote, unquote

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason, Status
from artsound.sources.archive import Member, MemberError, MemberTooLargeError, Source
from artsound.sources.licenses import UNKNOWN
from artsound.sources.media import MediaLimits, check_image
from artsound.sources.rights import Rights, read_rights

ARTWORKS: Final = "mapping/artwork_entidx2name.csv"
_TABLE_LIMIT: Final = 1 << 30
_YEAR: Final = re.compile(r"1\d{3}|20[0-2]\d")
_PARTICLES: Final = frozenset(
    [
        "a",
        "af",
        "an",
        "and",
        "at",
        "by",
        "da",
        "das",
        "de",
        "degli",
        "dei",
        "del",
        "della",
        "den",
        "der",
        "des",
        "di",
        "do",
        "dos",
        "du",
        "e",
        "el",
        "en",
        "et",
        "for",
        "from",
        "il",
        "im",
        "in",
        "la",
        "las",
        "le",
        "les",
        "los",
        "of",
        "on",
        "or",
        "the",
        "to",
        "und",
        "van",
        "vom",
        "von",
        "with",
        "y",
        "zu",
    ]
)


@dataclass(frozen=True)
class ArtworkRecord:
    """What the graph knows of one artwork; lists are in the graph's order."""

    artwork_id: str
    artgraph_index: int
    file_name: str
    title: str | None
    artist: str | None
    year: int | None
    style: str | None
    genre: str | None
    tags: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    country: str | None = None
    license: str = UNKNOWN
    source_url: str | None = None
    duplicate: bool = field(default=False)


class ArtGraph:
    """The artworks of a source, by their index in the graph.

    Args:
        source: where the graph is.

    Raises:
        UsageError: the source has no list of artworks, so it is not ArtGraph.
        ArtsoundError: a table cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        listed = source.find(ARTWORKS)
        if listed is None:
            raise UsageError(
                f"{source.path} is not ArtGraph: it has no {ARTWORKS}; give the archive or folder"
                " with mapping/, raw/ and imagesf2/"
            )
        self._root = listed.path.removesuffix(ARTWORKS)
        self._names = sorted(self._mapping(ARTWORKS).items())
        self._attributes = {
            "artist": self._related("author", "artist"),
            "style": self._related("style", "style"),
            "genre": self._related("genre", "genre"),
            "tag": self._related("about", "tag"),
            "media": self._related("media", "media"),
            "country": self._related("completedin", "country"),
        }
        self._labels = {kind: self._labelled(kind) for kind in ("artist", "style", "genre")}
        self._rights = read_rights(source)
        first: dict[str, int] = {}
        for index, name in self._names:
            first.setdefault(_stem(name), index)
        self._first = first

    def __len__(self) -> int:
        return len(self._names)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[ArtworkRecord]:
        """Yield the artworks at these positions of the list, by index."""
        for index, name in self._names[start:stop]:
            yield self._record(index, name)

    def image(self, file_name: str) -> Member | None:
        """Return the member that is an artwork's image, or None."""
        path = f"{self._root}imagesf2/{file_name}"
        return self.source.members.get(path) or self.source.find(f"imagesf2/{file_name}")

    def _record(self, index: int, name: str) -> ArtworkRecord:
        artist_slug, title_slug, title, year = parse_file_name(name)
        known = {kind: found.get(index, ()) for kind, found in self._attributes.items()}
        style = _first(known["style"]) or self._labels["style"].get(index)
        genre = _first(known["genre"]) or self._labels["genre"].get(index)
        artist = _first(known["artist"]) or self._labels["artist"].get(index) or artist_slug
        rights = self._rights.get(name, Rights())
        page = f"https://www.wikiart.org/en/{quote(artist_slug)}/{quote(title_slug)}"
        return ArtworkRecord(
            artwork_id=_stem(name),
            artgraph_index=index,
            file_name=name,
            title=title,
            artist=display_name(artist) if artist else None,
            year=year,
            style=style,
            genre=genre,
            tags=known["tag"],
            media=known["media"],
            country=_first(known["country"]),
            license=rights.license or UNKNOWN,
            source_url=rights.url or (page if artist_slug and title_slug else None),
            duplicate=self._first[_stem(name)] != index,
        )

    # -- the graph's tables -----------------------------------------------------------------------

    def _rows(self, path: str) -> Iterator[list[str]]:
        member = self.source.members.get(self._root + path) or self.source.find(path)
        if member is None:
            return
        try:
            text = self.source.read(member, _TABLE_LIMIT).decode("utf-8")
        except (MemberError, UnicodeDecodeError) as error:
            raise ArtsoundError(
                f"{self.source.path}: {member.path} cannot be read ({error}): download it again"
            ) from error
        for row in csv.reader(io.StringIO(text)):
            if row:
                yield row

    def _integers(self, path: str, row: Sequence[str], count: int) -> tuple[int, ...]:
        try:
            return tuple(int(value) for value in row[:count])
        except ValueError as error:
            raise ArtsoundError(
                f"{self.source.path}: {path}, row {row!r}: expected {count} numbers"
            ) from error

    def _mapping(self, path: str) -> dict[int, str]:
        """Return the names of a mapping by index; a name may itself hold commas."""
        found = {}
        for row in self._rows(path):
            if len(row) < 2:
                raise ArtsoundError(
                    f"{self.source.path}: {path}, row {row!r}: expected two columns"
                )
            (index,) = self._integers(path, row, 1)
            found[index] = ",".join(row[1:]).strip()
        return found

    def _related(self, relation: str, kind: str) -> dict[int, tuple[str, ...]]:
        names = self._mapping(f"mapping/{kind}_entidx2name.csv")
        path = f"raw/relations/artwork___{relation}___{kind}/edge.csv"
        found: dict[int, list[str]] = {}
        for row in self._rows(path):
            if len(row) < 2:
                raise ArtsoundError(
                    f"{self.source.path}: {path}, row {row!r}: expected two numbers"
                )
            artwork, entity = self._integers(path, row, 2)
            if entity in names:
                found.setdefault(artwork, []).append(names[entity])
        return {artwork: tuple(dict.fromkeys(values)) for artwork, values in found.items()}

    def _labelled(self, kind: str) -> dict[int, str]:
        names = self._mapping(f"mapping/labelidx2{kind}name.csv")
        path = f"raw/node-label/artwork/node-label-{kind}.csv"
        labels = (self._integers(path, row, 1)[0] for row in self._rows(path))
        return {artwork: names[label] for artwork, label in enumerate(labels) if label in names}


def parse_file_name(name: str) -> tuple[str, str, str | None, int | None]:
    """Take a WikiArt file name apart.

    Args:
        name: such as `vincent-van-gogh_portrait-of-p%C3%A8re-tanguy.jpg`.

    Returns:
        The artist's slug, the title's slug, the title for people, and the year if the name ends in
        one. A small number at the end is WikiArt's, to tell namesakes apart, and not of the title.
    """
    stem = unquote(_stem(name))
    artist, separator, slug = stem.partition("_")
    if not separator:
        artist, slug = "", stem
    words = [word for word in re.split(r"[-_\s]+", slug) if word]
    year = None
    if len(words) > 1 and _YEAR.fullmatch(words[-1]):
        year = int(words.pop())
    elif len(words) > 1 and re.fullmatch(r"\d{1,2}", words[-1]) and not _numbered(words[-2]):
        words.pop()
    return artist, slug, _title(words) or None, year


def _numbered(word: str) -> bool:
    """Say whether a number after this word belongs to the title (`composition 8`, `no 5`)."""
    return word.lower() in {"composition", "no", "number", "plate", "volume", "opus", "part", "op"}


def _title(words: Sequence[str]) -> str:
    shown = []
    for position, word in enumerate(words):
        small = position > 0 and word.lower() in _PARTICLES
        roman = re.fullmatch(r"[ivx]{2,5}", word) is not None
        shown.append(word.upper() if roman else word if small else word[:1].upper() + word[1:])
    return " ".join(shown)


def display_name(slug: str) -> str:
    """Return an artist's name for people: Pieter Bruegel the Elder."""
    return _title([word for word in re.split(r"[-_\s]+", unquote(slug)) if word])


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _first(values: Sequence[str]) -> str | None:
    return values[0] if values else None


def artwork_rows(
    graph: ArtGraph, start: int, stop: int, limits: MediaLimits
) -> list[dict[str, Any]]:
    """Return rows of `schema.ARTWORKS` for the artworks at these positions, images checked.

    Every artwork of the list is a row; one whose image is missing or unusable says why.
    """
    return [_row(graph, record, limits) for record in graph.records(start, stop)]


def _row(graph: ArtGraph, record: ArtworkRecord, limits: MediaLimits) -> dict[str, Any]:
    row: dict[str, Any] = {
        "artwork_id": record.artwork_id,
        "artgraph_index": record.artgraph_index,
        "file_name": record.file_name,
        "title": record.title,
        "artist": record.artist,
        "year": record.year,
        "style": record.style,
        "genre": record.genre,
        "tags": list(record.tags),
        "media": list(record.media),
        "country": record.country,
        "license": record.license,
        "source_url": record.source_url,
        "repairs": [],
        "status": Status.REJECTED,
    }
    if record.duplicate:
        return row | {"reason": Reason.DUPLICATE_ID}
    member = graph.image(record.file_name)
    if member is None:
        return row | {"reason": Reason.IMAGE_MISSING}
    try:
        data = graph.source.read(member, limits.max_image_bytes)
    except MemberTooLargeError as error:
        return row | {"reason": f"{Reason.IMAGE_TOO_LARGE}: {error}"}
    except MemberError as error:
        return row | {"reason": f"{Reason.IMAGE_NOT_DECODABLE}: {error}"}
    check = check_image(data, record.file_name, limits)
    return row | {
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": check.width,
        "height": check.height,
        "repairs": list(check.repairs),
        "status": check.status,
        "reason": check.reason,
    }
