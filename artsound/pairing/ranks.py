"""How near the two items of each pair are among all others: the ranks that users filter by."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from artsound.pairing.jit import compiled_parallel, prange
from artsound.pairing.matching import UNPAIRED, Progress, silent
from artsound.pairing.products import computes_in_bfloat16, rows_in_block
from artsound.pairing.shortlist import as_float
from artsound.pairing.similarity import Side, Vectors, dot, similarity_of
from artsound.pairing.torch_product import TorchProduct

_SEGMENT: Final = 2048  # columns that one thread counts at a time
_CHUNK: Final = 32  # columns that are looked at together first


class Marks(NamedTuple):
    """The similarities of pairs, put together by the vector of one of their items.

    Attributes:
        start: where each vector's pairs begin, shape (u + 1,).
        pair: the pairs, shape (p,).
        value: their similarities, float32, shape (p,).
        lowest: the lowest of each vector's similarities, float32, shape (u,); inf where none.
        weight: how many items each vector has, shape (u,).
    """

    start: NDArray[np.int64]
    pair: NDArray[np.int64]
    value: NDArray[np.float32]
    lowest: NDArray[np.float32]
    weight: NDArray[np.int64]


def neighbour_ranks(
    tracks: Side, artworks: Side, image: NDArray[np.int64], progress: Progress = silent
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ranks of both items of each pair among the other's neighbours.

    A rank is 1 plus the number of items that are strictly more similar; 1 is the nearest.

    Args:
        tracks: n tracks.
        artworks: m artworks.
        image: each track's artwork or -1, int64, shape (n,).
        progress: called with (rows done, rows).

    Returns:
        The artwork's rank among all artworks as its track sees them, and the track's rank among
        all tracks as its artwork sees them; int64, shape (n,), 0 where there is no pair.
    """
    paired = np.flatnonzero(image != UNPAIRED)
    value = similarity_of(tracks, artworks, paired, image[paired])
    by_row = _marks(tracks, tracks.group[paired], value)
    by_column = _marks(artworks, artworks.group[image[paired]], value)
    kind = torch.bfloat16 if computes_in_bfloat16() else torch.float32
    product = TorchProduct(artworks.vectors, kind, torch.device("cpu"))
    nearer_artworks = np.zeros(len(paired), dtype=np.int64)
    nearer_tracks = np.zeros(len(paired), dtype=np.int64)
    size, total = rows_in_block(len(artworks.vectors)), len(tracks.vectors)
    for start in range(0, total, size):
        progress(start, total)
        block = tracks.vectors[start : start + size]
        product.score(block)
        floats, bits, slack, relative = product.block()
        first, last = by_row.start[start], by_row.start[start + len(block)]
        counts = _count(
            floats, bits, start, slack, relative, block, artworks.vectors, by_row, by_column,
            nearer_tracks,
        )  # fmt: skip
        nearer_artworks[by_row.pair[first:last]] = counts.sum(axis=0)
    progress(total, total)
    ranks = np.zeros((2, len(image)), dtype=np.int64)
    ranks[0, paired], ranks[1, paired] = 1 + nearer_artworks, 1 + nearer_tracks
    return ranks[0], ranks[1]


def _marks(side: Side, vector: NDArray[np.int64], value: NDArray[np.float32]) -> Marks:
    pair = np.argsort(vector, kind="stable")
    start = np.zeros(len(side.vectors) + 1, dtype=np.int64)
    start[1:] = np.cumsum(np.bincount(vector, minlength=len(side.vectors)))
    lowest = np.full(len(side.vectors), np.inf, dtype=np.float32)
    np.minimum.at(lowest, vector, value)
    weight = np.bincount(side.group, minlength=len(side.vectors))
    return Marks(start, pair, value[pair], lowest, weight)


@compiled_parallel
def _count(
    floats: NDArray[np.float32],
    bits: NDArray[np.uint16],
    first_row: int,
    slack: np.float32,
    relative: np.float32,
    rows: Vectors,
    columns: Vectors,
    by_row: Marks,
    by_column: Marks,
    nearer_rows: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count what lies above the marks in a block of approximate similarities.

    Where the approximation does not tell, the similarity is computed by its definition.

    Args:
        floats: the block, shape (b, m), or empty where it is given as `bits` of bfloat16.
        bits: see `floats`.
        first_row: the number of the block's first row.
        slack: how far an entry x may be off, besides `relative` |x|.
        relative: see `slack`.
        rows: the block's vectors, shape (b, d).
        columns: all columns' vectors, shape (m, d).
        by_row: the pairs by row.
        by_column: the pairs by column.
        nearer_rows: for each pair, the rows above it so far; added to.

    Returns:
        The columns above each pair of the block's rows, in segments of columns to be added up:
        shape (segments, pairs).
    """
    b, m = len(rows), len(columns)
    base = by_row.start[first_row]
    segments = (m + _SEGMENT - 1) // _SEGMENT
    counts = np.zeros((segments, by_row.start[first_row + b] - base), np.int64)
    for segment in prange(segments):
        low, high = segment * _SEGMENT, min((segment + 1) * _SEGMENT, m)
        lanes, scratch = np.empty(32, np.float64), np.empty(high - low, np.uint32)
        for i in range(b):
            row = first_row + i
            line = as_float(bits[i, low:high], scratch) if len(bits) else floats[i, low:high]
            lowest = by_column.lowest[low:high]
            row_lowest = by_row.lowest[row]
            for start in range(0, high - low, _CHUNK):
                end = min(start + _CHUNK, high - low)
                above = 0
                for k in range(start, end):
                    above += line[k] + slack + relative * abs(line[k]) > min(row_lowest, lowest[k])
                if not above:  # nearly always, and found out without a branch an entry
                    continue
                for k in range(start, end):
                    x, column = line[k], low + k
                    off = slack + relative * abs(x)
                    if x + off <= min(row_lowest, lowest[k]):
                        continue
                    for mark in range(by_row.start[row], by_row.start[row + 1]):
                        value = by_row.value[mark]
                        if x + off > value and (
                            x - off > value or dot(rows[i], columns[column], lanes) > value
                        ):
                            counts[segment, mark - base] += by_column.weight[column]
                    for mark in range(by_column.start[column], by_column.start[column + 1]):
                        value = by_column.value[mark]
                        if x + off > value and (
                            x - off > value or dot(rows[i], columns[column], lanes) > value
                        ):
                            nearer_rows[by_column.pair[mark]] += by_row.weight[row]
    return counts
