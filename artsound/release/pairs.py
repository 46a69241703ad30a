"""The default configuration's rows, media aside: pairs joined with what the tables know of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from artsound.errors import ArtsoundError
from artsound.release.lookup import Lookup, read_tables
from artsound.release.terms import terms
from artsound.schema import Status
from artsound.workspace import Workspace

_ROWS: Final = 1000
UNSAID: Final = "not stated"

_ARTWORK: Final = {
    "artwork_id": "artwork_id",
    "artwork_title": "title",
    "artist": "artist",
    "year": "year",
    "style": "style",
    "artwork_genre": "genre",
    "artwork_license": "license",
    "artwork_source_url": "source_url",
}
_TRACK: Final = {
    "track_id": "track_id",
    "track_title": "title",
    "track_artist": "artist",
    "album": "album",
    "music_genre": "genre_top",
    "music_genres": "genres",
    "track_license": "license_spdx",
    "track_source_url": "source_url",
}
_SEEN: Final = {
    "artwork_caption": "caption",
    "clip_score": "clip_score",
    "pac_score": "pac_score",
    "ic_score": "ic_score",
    "artwork_caption_model": "model",
}
_HEARD: Final = {
    "music_caption": "caption",
    "rouge1": "rouge1",
    "bert_score": "bert_score",
    "ac_score": "ac_score",
    "music_caption_model": "model",
}


def pair_id(track_id: int, artwork_id: str) -> str:
    """Return a pair's id: safe as a file name, and different for every track and artwork."""
    digest = hashlib.sha256(artwork_id.encode()).hexdigest()[:8]
    return f"{track_id:06d}-{digest}"


@dataclass(frozen=True)
class Joined:
    """A workspace's tables, ready to be joined.

    Attributes:
        pairs: the released strategy's pairs, by track id; the one table that is held in memory.
        artworks: the usable artworks.
        tracks: the usable tracks.
        image_captions: by artwork id.
        audio_captions: by track id.
    """

    pairs: pa.Table
    artworks: Lookup
    tracks: Lookup
    image_captions: Lookup
    audio_captions: Lookup

    def licenses(self) -> list[tuple[str, str]]:
        """Return the licences of each pair's artwork and track."""
        found: list[tuple[str, str]] = []
        for begin in range(0, len(self.pairs), _ROWS):
            some = self.pairs.slice(begin, _ROWS)
            artworks = self.artworks.take(some["artwork_id"].to_pylist(), ["license"])
            tracks = self.tracks.take(some["track_id"].to_pylist(), ["license_spdx"])
            both = zip(artworks[0].to_pylist(), tracks[0].to_pylist(), strict=True)
            found += [(artwork or UNSAID, track or UNSAID) for artwork, track in both]
        return found

    def styles(self) -> list[str | None]:
        """Return the style of each pair's artwork."""
        ids = self.pairs["artwork_id"].to_pylist()
        return [
            style
            for begin in range(0, len(ids), _ROWS)
            for style in self.artworks.take(ids[begin : begin + _ROWS], ["style"])[0].to_pylist()
        ]

    def rows(self, wanted: Sequence[int], schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield pairs as released rows, a thousand at a time.

        Args:
            wanted: their positions in `pairs`.
            schema: the released columns; of media, only those that the caller adds are left out.
        """
        for begin in range(0, len(wanted), _ROWS):
            yield self._joined(self.pairs.take(pa.array(wanted[begin : begin + _ROWS])), schema)

    def _joined(self, pairs: pa.Table, schema: pa.Schema) -> pa.Table:
        artwork_ids, track_ids = pairs["artwork_id"].to_pylist(), pairs["track_id"].to_pylist()
        columns = {
            "pair_id": pa.array(
                [pair_id(*ids) for ids in zip(track_ids, artwork_ids, strict=True)], pa.string()
            ),
            "similarity": pairs["similarity"],
            "embedder": pairs["embedder"],
        }
        for lookup, keys, names in (
            (self.artworks, artwork_ids, _ARTWORK),
            (self.tracks, track_ids, _TRACK),
            (self.image_captions, artwork_ids, _SEEN),
            (self.audio_captions, track_ids, _HEARD),
        ):
            found = lookup.take(keys, list(names.values()))
            columns |= dict(zip(names, found.columns, strict=True))
        fields = [field for field in schema if field.name in columns]
        return pa.table(
            [columns[field.name].cast(field.type) for field in fields], pa.schema(fields)
        )


def join(workspace: Workspace, strategy: str, scratch: Path) -> Joined:
    """Prepare the join of a workspace's tables.

    Args:
        workspace: a finished build.
        strategy: whose pairs are released.
        scratch: a folder for the tables' copies; whoever gives it deletes it.

    Raises:
        ArtsoundError: a table is missing, or a pair names an item that its table does not have.
    """
    pairs = workspace.read(f"pairs/{strategy}")
    pairs = pairs.filter(pc.equal(pairs["status"], Status.OK.value)).sort_by("track_id")
    joined = Joined(
        pairs,
        lookup(workspace, "artworks", "artwork_id", scratch, usable=True),
        lookup(workspace, "tracks", "track_id", scratch, usable=True),
        lookup(workspace, "image_captions", "artwork_id", scratch),
        lookup(workspace, "audio_captions", "track_id", scratch),
    )
    for column, table in (("artwork_id", joined.artworks), ("track_id", joined.tracks)):
        for key in pairs[column].to_pylist():
            if key not in table:
                raise ArtsoundError(
                    f"{workspace.root}: pairs/{strategy} has {column} {key!r}, which is no usable"
                    " row of its table: run the build again"
                )
    return joined


def lookup(
    workspace: Workspace, table: str, key: str, scratch: Path, *, usable: bool = False
) -> Lookup:
    """Return a workspace's table by key; only its rows with status `ok` if `usable`."""
    parts = (workspace.read(table, shard=shard) for shard in shards(workspace, table))
    if usable:
        parts = (part.filter(pc.equal(part["status"], Status.OK.value)) for part in parts)
    return Lookup(parts, key, scratch / f"{table.replace('/', '-')}.arrow")


def released_lookup(paths: Sequence[Path], key: str, columns: Sequence[str], at: Path) -> Lookup:
    """Return the usable rows of a release's `artworks` or `tracks` by key."""
    parts = read_tables(paths, [*columns, "status"])
    return Lookup((part.filter(pc.equal(part["status"], "ok")) for part in parts), key, at)


def shards(workspace: Workspace, table: str) -> list[int]:
    """Return a table's parts.

    Raises:
        ArtsoundError: it has none.
    """
    found = workspace.shards(table)
    if not found:
        workspace.read(table)  # says which stage is missing
    return found


def barring(licenses: Sequence[tuple[str, str]]) -> tuple[list[bool], dict[str, int]]:
    """Say which pairs may be redistributed with changes, as far as their two licences tell.

    Returns:
        For each pair whether it may; and for each licence that stands in the way of a pair, of how
        many. A pair with two such licences counts for both, so these can add up to more than the
        pairs that are dropped.
    """
    allowed: dict[str, bool] = {}
    for licence in {one for both in licenses for one in both}:
        known = terms(licence)
        allowed[licence] = known.redistribute and known.change
    dropped = Counter(one for both in licenses for one in dict.fromkeys(both) if not allowed[one])
    kept = [allowed[artwork] and allowed[track] for artwork, track in licenses]
    return kept, dict(sorted(dropped.items(), key=lambda item: (-item[1], item[0])))
