"""Exact global greedy pairing (paper, equations 3 and 4), without the matrix of similarities.

Greedy takes the most similar of all pairs, removes both sides, and goes on. With one total order of
the pairs (similarity descending, then track, then artwork) its result is the only stable matching
of the two sides, so deferred acceptance (Gale and Shapley 1962) finds the same pairs in any order
of work: a track proposes to artworks, its most similar first, and an artwork keeps the best
proposal. What an artwork holds only improves, so pairs that it would refuse are dropped for good.
The tracks come in blocks of rows; of a row only the best few pairs that could still be had are
kept, and a track that has used them up looks again at all artworks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.errors import ArtsoundError, UsageError
from artsound.pairing.similarity import (
    Similarities,
    Vectors,
    as_matrix,
    similarity_block,
    unit_vectors,
)

# Pairs in a block of similarities. About 20 bytes each at the peak.
BLOCK_PAIRS: Final = 2**23
# Pairs of a row that are kept at first.
_SHORTLIST: Final = 64
_NONE: Final = -1
_INDEX_BITS: Final = np.uint64(32)
_INDEX_MASK: Final = np.uint64(2**32 - 1)
_SIGN: Final = np.uint32(2**31)


@dataclass(frozen=True)
class Matching:
    """Which artwork each track got; one entry a track, in the tracks' order.

    Where there are fewer artworks than tracks, the tracks left over have image -1, similarity NaN
    and order -1.

    Attributes:
        image: row of the artwork, int64.
        similarity: cosine of the pair, float64.
        order: when greedy makes the pair, 0 for the first, int64.
    """

    image: NDArray[np.int64]
    similarity: NDArray[np.float64]
    order: NDArray[np.int64]


def match(audio: ArrayLike, images: ArrayLike, method: str = "greedy") -> Matching:
    """Pair tracks with artworks one to one by the cosine similarity of their vectors.

    Args:
        audio: the tracks' vectors, shape (n, d), of any length; may be memory-mapped. A zero
            vector has similarity 0 with everything.
        images: the artworks' vectors, shape (m, d), likewise.
        method: `greedy`: the most similar pair first; of equally similar pairs that of the lowest
            track, then of the lowest artwork.

    Raises:
        UsageError: there is no such method.
        ArtsoundError: a side is empty, the dimensions differ, or a value is not finite.
    """
    if method not in _METHODS:
        raise UsageError(f"unknown pairing method {method!r}: available: {', '.join(_METHODS)}")
    tracks, artworks = as_matrix(audio, "audio"), as_matrix(images, "image")
    if tracks.shape[1] != artworks.shape[1]:
        raise ArtsoundError(
            f"audio vectors have {tracks.shape[1]} dimensions and image vectors "
            f"{artworks.shape[1]}: embed both with one model"
        )
    return _METHODS[method](tracks, artworks)


def greedy(
    audio: NDArray[np.generic], images: NDArray[np.generic], block_pairs: int = BLOCK_PAIRS
) -> Matching:
    """Pair by exact global greedy; see `match`.

    Args:
        audio: shape (n, d).
        images: shape (m, d).
        block_pairs: pairs whose similarities are in memory at a time; does not change the result.
    """
    pictures = _read(images, "image")
    rows = max(1, block_pairs // len(pictures))
    market = _Market(len(audio), len(pictures))
    waiting: list[int] = []
    for start in range(0, len(audio), rows):
        block = np.arange(start, min(start + rows, len(audio)))
        vectors = unit_vectors(audio[start : start + rows], "audio", start)
        waiting += market.settle(block, similarity_block(vectors, pictures))
    while waiting:
        block, waiting = np.array(waiting[:rows]), waiting[rows:]
        vectors = unit_vectors(audio[block], "audio")
        waiting += market.settle(block, similarity_block(vectors, pictures))
    return market.result()


_METHODS: Final[Mapping[str, Callable[[NDArray[np.generic], NDArray[np.generic]], Matching]]] = {
    "greedy": greedy
}


def _read(vectors: NDArray[np.generic], name: str) -> Vectors:
    unit = np.empty(vectors.shape, dtype=np.float32)
    for start in range(0, len(vectors), 4096):
        part = vectors[start : start + 4096]
        unit[start : start + 4096] = unit_vectors(part, name, start)
    return unit


class _Market:
    """What every artwork holds, and the proposals that tracks have yet to make."""

    def __init__(self, tracks: int, artworks: int) -> None:
        self.held_similarity = np.full(artworks, -np.inf, dtype=np.float32)
        self.held_track = np.full(artworks, tracks, dtype=np.int64)
        self.tracks = tracks
        self.proposals: dict[int, Iterator[tuple[float, int]]] = {}
        self.complete: set[int] = set()

    def settle(self, block: NDArray[np.int64], similarities: Similarities) -> list[int]:
        """Let a block of tracks propose until all of them hold an artwork or can have none.

        Args:
            block: the tracks, shape (n,).
            similarities: their similarities with all artworks, shape (n, m).

        Returns:
            Tracks of other blocks that lost their artwork and have used up their shortlist.
        """
        row_of = {int(track): row for row, track in enumerate(block)}
        outside: list[int] = []
        open_tracks = [int(track) for track in block]
        size = _SHORTLIST
        while open_tracks:
            rows = np.array([row_of[track] for track in open_tracks])
            self._shortlist(np.array(open_tracks), similarities[rows], size)
            used_up = self._propose(open_tracks)
            open_tracks = [track for track in used_up if track in row_of]
            outside += [track for track in used_up if track not in row_of]
            # A list as long as the block cannot be used up by rivals of the block alone.
            size = min(4 * size, max(len(block), _SHORTLIST))
        return outside

    def _shortlist(self, block: NDArray[np.int64], rows: Similarities, size: int) -> None:
        """Give tracks their best `size` pairs among those that the artwork would not refuse."""
        wanted = rows > self.held_similarity
        ties = rows == self.held_similarity
        if ties.any():
            wanted |= ties & (block[:, None] < self.held_track)
        keys = _keys(rows)
        keys[~wanted] = 0
        size = min(size, keys.shape[1])
        best = np.partition(keys, keys.shape[1] - size, axis=1)[:, -size:]
        best = np.sort(best, axis=1)[:, ::-1]
        for row, (track, left) in enumerate(zip(block.tolist(), wanted.sum(axis=1), strict=True)):
            chosen = (best[row, : min(int(left), size)] & _INDEX_MASK) ^ _INDEX_MASK
            indices = chosen.astype(np.int64)
            self.proposals[track] = iter(
                zip(rows[row, indices].tolist(), indices.tolist(), strict=True)
            )
            if left <= size:
                self.complete.add(track)

    def _propose(self, open_tracks: list[int]) -> list[int]:
        """Work off proposals; returns the tracks whose shortlist ended before they held anything.

        A complete list that ends leaves its track without an artwork for good.
        """
        used_up = []
        stack = open_tracks[::-1]
        held_similarity, held_track = self.held_similarity, self.held_track
        while stack:
            track = stack.pop()
            for similarity, artwork in self.proposals[track]:
                rival, rival_track = held_similarity[artwork], held_track[artwork]
                if similarity > rival or (similarity == rival and track < rival_track):
                    held_similarity[artwork], held_track[artwork] = similarity, track
                    if rival_track < self.tracks:
                        stack.append(int(rival_track))
                    break
            else:
                del self.proposals[track]
                if track not in self.complete:
                    used_up.append(track)
        return used_up

    def result(self) -> Matching:
        """Return what the artworks hold, by track."""
        image = np.full(self.tracks, _NONE, dtype=np.int64)
        similarity = np.full(self.tracks, np.nan)
        order = np.full(self.tracks, _NONE, dtype=np.int64)
        artworks = np.flatnonzero(self.held_track < self.tracks)
        tracks = self.held_track[artworks]
        image[tracks] = artworks
        similarity[tracks] = self.held_similarity[artworks]
        # Greedy makes the pairs in their total order; no two share a track, so that ends ties.
        made = tracks[np.lexsort((tracks, -self.held_similarity[artworks]))]
        order[made] = np.arange(len(made))
        return Matching(image, similarity, order)


def _keys(similarities: Similarities) -> NDArray[np.uint64]:
    """Return integers above 0 in the order of preference: most similar, then lowest artwork."""
    bits = similarities.view(np.uint32)
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    columns = np.arange(similarities.shape[1], dtype=np.uint64)
    return (ordered << _INDEX_BITS) | (columns ^ _INDEX_MASK)
