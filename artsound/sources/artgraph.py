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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason, Status
from artsound.sources.archive import Member, MemberError, MemberTooLargeError, Source
from artsound.sources.licenses import UNKNOWN
from artsound.sources.media import MediaLimits, check_image
from artsound.sources.members import unsafe
from artsound.sources.rights import Rights, read_rights
from artsound.sources.titles import display_name, parse_file_name

ARTWORKS: Final = "mapping/artwork_entidx2name.csv"
_TABLE_LIMIT: Final = 1 << 30
_INDEX_BITS: Final = 63
_IMAGES: Final = "imagesf2"


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
        self._names = sorted(self._pairs(ARTWORKS), key=lambda pair: pair[0])
        self._attributes = {
            "artist": self._related("author", "artist"),
            "style": self._related("style", "style"),
            "genre": self._related("genre", "genre"),
            "tag": self._related("about", "tag"),
            "media": self._related("media", "media"),
            "country": self._related("completedin", "country"),
            "city": self._related("completedin", "city"),
        }
        self._countries = self._related("country", "country", of="city")
        self._cities = {name: index for index, name in self._pairs("mapping/city_entidx2name.csv")}
        self._labels = {kind: self._labelled(kind) for kind in ("artist", "style", "genre")}
        self._rights = read_rights(source)
        self._first: dict[str, int] = {}
        for position, (_, name) in enumerate(self._names):
            self._first.setdefault(_stem(name), position)
        self._unsafe = [r.path for r in source.refused if r.reason.startswith(Reason.UNSAFE_PATH)]

    def __len__(self) -> int:
        return len(self._names)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[ArtworkRecord]:
        """Yield the artworks at these positions of the list, by index."""
        for position in range(*slice(start, stop).indices(len(self._names))):
            yield self._record(position)

    def image(self, file_name: str) -> Member | None:
        """Return the member that is an artwork's image, or None; the graph's own folder first."""
        path = f"{_IMAGES}/{file_name}"
        own = self.source.members.get(self._root + path)
        return own or next(iter(self.source.find_all(path)), None)

    def is_unsafe(self, file_name: str) -> bool:
        """Say whether an artwork's image is not read because its path or its kind is unsafe."""
        if unsafe(file_name) or "/" in file_name:
            return True
        suffix = f"/{_IMAGES}/{file_name}"
        return any(f"/{path}".endswith(suffix) for path in self._unsafe)

    def _record(self, position: int) -> ArtworkRecord:
        index, name = self._names[position]
        artist_slug, title_slug, title, year = parse_file_name(name)
        known = {kind: found.get(index, ()) for kind, found in self._attributes.items()}
        style = _first(known["style"]) or self._labels["style"].get(index)
        genre = _first(known["genre"]) or self._labels["genre"].get(index)
        artist = _first(known["artist"]) or self._labels["artist"].get(index) or artist_slug
        rights = self._rights.get(name, Rights())
        page = f"https://www.wikiart.org/en/{quote(artist_slug, '')}/{quote(title_slug, '')}"
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
            country=_first(known["country"]) or self._country_of(_first(known["city"])),
            license=rights.license or UNKNOWN,
            source_url=rights.url or (page if artist_slug and title_slug else None),
            duplicate=self._first[_stem(name)] != position,
        )

    def _country_of(self, city: str | None) -> str | None:
        return _first(self._countries.get(self._cities[city], ())) if city else None

    # -- the graph's tables -----------------------------------------------------------------------

    def _rows(self, path: str) -> Iterator[list[str]]:
        member = self.source.members.get(self._root + path) or self.source.find(path)
        if member is None:
            return
        try:
            text = self.source.read(member, _TABLE_LIMIT).decode("utf-8-sig")
            rows = list(csv.reader(io.StringIO(text, newline="")))
        except (MemberError, UnicodeDecodeError, csv.Error) as error:
            raise ArtsoundError(
                f"{self.source.path}: {member.path} cannot be read ({error}): download it again"
            ) from error
        yield from filter(None, rows)

    def _integers(self, path: str, row: Sequence[str], count: int) -> tuple[int, ...]:
        """Return the first numbers of a row."""
        try:
            numbers = tuple(int(value) for value in row[:count])
        except ValueError:
            numbers = ()
        if len(numbers) < count or max(numbers, key=abs).bit_length() > _INDEX_BITS:
            raise ArtsoundError(
                f"{self.source.path}: {path}, row {','.join(row)!r}: expected {count} number(s)"
                " first; the files of ArtGraph have no header: restore the file"
            )
        return numbers

    def _pairs(self, path: str) -> list[tuple[int, str]]:
        """Return the indices and names of a mapping; a name without quotes may hold commas."""
        return [
            (self._integers(path, row, 1)[0], ",".join(row[1:]).strip()) for row in self._rows(path)
        ]

    def _related(self, relation: str, kind: str, of: str = "artwork") -> dict[int, tuple[str, ...]]:
        """Return the names that nodes of a kind are related to, by the node's index."""
        names = dict(self._pairs(f"mapping/{kind}_entidx2name.csv"))
        path = f"raw/relations/{of}___{relation}___{kind}/edge.csv"
        found: dict[int, list[str]] = {}
        for row in self._rows(path):
            head, tail = self._integers(path, row, 2)
            if tail in names:
                found.setdefault(head, []).append(names[tail])
        return {head: tuple(dict.fromkeys(values)) for head, values in found.items()}

    def _labelled(self, kind: str) -> dict[int, str]:
        names = dict(self._pairs(f"mapping/labelidx2{kind}name.csv"))
        path = f"raw/node-label/artwork/node-label-{kind}.csv"
        labels = (self._integers(path, row, 1)[0] for row in self._rows(path))
        return {artwork: names[label] for artwork, label in enumerate(labels) if label in names}


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
        gone = Reason.UNSAFE_PATH if graph.is_unsafe(record.file_name) else Reason.IMAGE_MISSING
        return row | {"reason": gone}
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
