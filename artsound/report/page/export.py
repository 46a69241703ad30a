"""The page's data: tracks, artworks and pairs in chunks, the pairs made first in the first chunk.

A chunk has some tracks, their pairs by every strategy, and the artworks of those pairs that no
earlier chunk has. Pairs name both by their place among all chunks, so chunks are read in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from artsound.release.pairs import pair_id
from artsound.report.columns import usable
from artsound.report.data import Data
from artsound.report.own import OwnFiles
from artsound.report.page.rows import (
    ARTWORK,
    AUDIO_CAPTION,
    IMAGE_CAPTION,
    TRACK,
    Rows,
    Words,
)
from artsound.report.page.script import rounded, write_script

# Tracks in a chunk: the first is small, so that the first card is there at once.
FIRST: Final = 60
SAMPLE_CHUNK: Final = 1000
WHOLE_CHUNK: Final = 2000

Pair = tuple[str, float, int, int | None, int | None]


@dataclass(frozen=True)
class Pairs:
    """The pairs that were made.

    Attributes:
        base: the strategy whose pairs are chosen from: the released one if it was run.
        tracks: tracks of the base strategy's pairs, the pair made first first.
        of: for each strategy, of each track: artwork, similarity, order and the two ranks.
    """

    base: str
    tracks: list[int]
    of: Mapping[str, Mapping[int, Pair]]

    @classmethod
    def read(cls, data: Data) -> Pairs | None:
        """Return the pairs of every strategy; None if there is no pair at all."""
        of = {name: made for name, table in data.pairs.items() if (made := _made(table))}
        if not of:
            return None
        base = data.released if data.released in of else next(iter(of))
        return cls(base, list(of[base]), of)

    @property
    def strategies(self) -> list[str]:
        """Return the strategies, the base first."""
        return [self.base, *(name for name in self.of if name != self.base)]

    def artworks(self, tracks: Sequence[int]) -> Iterator[tuple[str, str]]:
        """Yield (artwork, strategy) of some tracks' pairs, the base strategy's first."""
        for strategy in self.strategies:
            for track in tracks:
                if track in self.of[strategy]:
                    yield self.of[strategy][track][0], strategy


def _made(table: pa.Table) -> dict[int, Pair]:
    made = usable(table).sort_by([("order", "ascending"), ("track_id", "ascending")])
    ranks = ("artwork_rank", "track_rank")
    columns = [made[name].to_pylist() for name in ("artwork_id", "similarity", "order")]
    columns += [
        made[name].to_pylist() if name in made.column_names else [None] * len(made)
        for name in ranks
    ]
    tracks = made["track_id"].to_pylist()
    return dict(zip(tracks, zip(*columns, strict=True), strict=True))


@dataclass(frozen=True)
class Shown:
    """What of the media is there.

    Attributes:
        images: stem of the thumbnails and whether there is a large one, by artwork.
        clips: file name, by track.
    """

    images: Mapping[str, tuple[str, bool]]
    clips: Mapping[int, str]


def write_chunks(
    data: Data,
    pairs: Pairs,
    tracks: Sequence[int],
    shown: Shown,
    own: OwnFiles,
    name: str,
    size: int,
) -> dict[str, Any]:
    """Write the chunks of some tracks, `<name>-000.js` and on.

    Args:
        data: the tables.
        pairs: the pairs that were made.
        tracks: which, in the order that the page shows first.
        shown: the media.
        own: the report's folder, for `data/`.
        name: of the scripts.
        size: tracks in a chunk but the first.

    Returns:
        What the page has to know to load them: `chunks`, `tracks`, `bytes`.
    """
    words = Words()
    artwork_rows = Rows(data.artworks, ARTWORK, words)
    image_captions = Rows(data.image_captions, IMAGE_CAPTION, words)
    track_rows = Rows(data.tracks, TRACK, words)
    audio_captions = Rows(data.audio_captions, AUDIO_CAPTION, words)
    places: dict[str, int] = {}
    begins = [0, *range(FIRST, len(tracks), size)] if tracks else []
    written, known = 0, 0
    for number, begin in enumerate(begins):
        some = tracks[begin : FIRST if not begin else begin + size]
        new = [
            artwork
            for artwork in dict.fromkeys(artwork for artwork, _ in pairs.artworks(some))
            if artwork not in places
        ]
        for artwork in new:
            places[artwork] = len(places)
        chunk = {
            "artworks": [
                [artwork, *row, *seen, *_image(shown, artwork), data.splits.get(artwork)]
                for artwork, row, seen in zip(
                    new, artwork_rows.take(new), image_captions.take(new), strict=True
                )
            ],
            "tracks": [
                [track, *row, *heard, shown.clips.get(track)]
                for track, row, heard in zip(
                    some, track_rows.take(some), audio_captions.take(some), strict=True
                )
            ],
            "pairs": {
                strategy: [
                    _pair(begin + at, track, places, made[track])
                    for at, track in enumerate(some)
                    if track in made
                ]
                for strategy, made in pairs.of.items()
            },
        }
        # Only the words that no chunk before had.
        path = own.root / "data" / f"{name}-{number:03d}.js"
        written += write_script(path, "chunk", name, number, words.list[known:], chunk)
        own.add(path)
        known = len(words.list)
    return {"chunks": len(begins), "tracks": len(tracks), "bytes": written}


def _image(shown: Shown, artwork: str) -> tuple[str | None, int]:
    stem, large = shown.images.get(artwork, (None, False))
    return stem, int(large)


def _pair(place: int, track: int, places: Mapping[str, int], made: Pair) -> list[Any]:
    artwork, similarity, *rest = made
    return [pair_id(track, artwork), place, places[artwork], rounded(similarity), *rest]
