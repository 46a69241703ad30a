"""Nearest neighbours across the two sides, exact, and what is said with them: CSLS and hubness."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.pairing.matching import (
    Matching,
    Options,
    Progress,
    both_sides,
    matching_of,
    silent,
)
from artsound.pairing.products import product_for, rows_in_block
from artsound.pairing.shortlist import View
from artsound.pairing.similarity import Side, Vectors, grouped, pair_similarity, similarity_matrix

_SHORTLIST: Final = 64


def nearest_neighbours(
    rows: Side,
    columns: Side,
    count: int,
    *,
    column_shift: NDArray[np.float64] | None = None,
    backend: str = "auto",
    block_rows: int = 0,
    progress: Progress = silent,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest items of one side to every distinct vector of the other.

    Args:
        rows: u distinct vectors of length d.
        columns: m items.
        count: k; at most m are returned.
        column_shift: taken off the similarities of each distinct vector of `columns`.
        backend: see `artsound.pairing.match`.
        block_rows: rows at a time; 0 chooses.
        progress: called with (rows done, rows).

    Returns:
        Items of `columns`, the nearest first and of equals the lowest, int64, shape (u, k); and
        their similarities less the shift, float32, shape (u, k).
    """
    vectors, total = columns.vectors, len(rows.vectors)
    kept = min(count, len(vectors))
    shift = np.zeros(len(vectors)) if column_shift is None else column_shift
    floor = np.full(len(vectors), -np.inf, dtype=np.float32)
    view = View(np.zeros(total), shift, np.zeros(len(vectors)), floor)
    product = product_for(vectors, backend, total)
    size = rows_in_block(len(vectors), block_rows)
    near = np.empty((total, kept), dtype=np.int64)
    value = np.empty((total, kept), dtype=np.float32)
    for start in range(0, total, size):
        progress(start, total)
        block = rows.vectors[start : start + size]
        product.score(block)
        inside = np.arange(len(block))
        found = product.shortlist(inside, start + inside, view, max(_SHORTLIST, 4 * count))
        listed = found.column.astype(np.int64)
        worth = _shifted(block, vectors, listed, shift)
        order = np.lexsort((listed, -worth), axis=-1)[:, :kept]
        near[start : start + size] = np.take_along_axis(listed, order, axis=1)
        value[start : start + size] = np.take_along_axis(worth, order, axis=1)
        # Where what was left out may be as near as what was kept, only all pairs can tell.
        for row in np.flatnonzero(value[start : start + size, -1] <= found.rest):
            whole = (similarity_matrix(block[row : row + 1], vectors)[0] - shift).astype(np.float32)
            best = np.lexsort((np.arange(len(vectors)), -whole))[:kept]
            near[start + row], value[start + row] = best, whole[best]
    progress(total, total)
    if len(vectors) == len(columns.group):
        return near, value
    return _members(near, value, columns, min(count, len(columns.group)))


def _members(
    near: NDArray[np.int64], value: NDArray[np.float32], columns: Side, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Put in place of each vector the items that have it, and keep `count`."""
    members = [items[:count] for items in grouped(columns.group)]
    items = np.empty((len(near), count), dtype=np.int64)
    values = np.empty((len(near), count), dtype=np.float32)
    for row, (found, worth) in enumerate(zip(near, value, strict=True)):
        all_items = np.concatenate([members[vector] for vector in found])
        all_values = np.repeat(worth, [len(members[vector]) for vector in found])
        best = np.lexsort((all_items, -all_values))[:count]
        items[row], values[row] = all_items[best], all_values[best]
    return items, values


def _shifted(
    rows: Vectors, columns: Vectors, near: NDArray[np.int64], shift: NDArray[np.float64]
) -> NDArray[np.float32]:
    row = np.repeat(np.arange(len(rows)), near.shape[1])
    similarity = pair_similarity(rows, columns, row, near.reshape(-1).clip(0))
    value = (similarity.reshape(near.shape) - shift[near]).astype(np.float32)
    return np.where(near >= 0, value, np.float32(-np.inf))


def pair_nearest(tracks: Side, artworks: Side, options: Options) -> Matching:
    """Let each track take its best artwork, however often that is taken.

    See `artsound.pairing.match`.
    """
    _, column_shift = csls_shifts(tracks, artworks, options)
    near, _ = nearest_neighbours(
        tracks,
        artworks,
        1,
        column_shift=column_shift,
        backend=options.backend,
        block_rows=options.block_rows,
        progress=options.progress,
    )
    return matching_of(tracks, artworks, near[tracks.group, 0], work=1.0)


def csls_shifts(
    tracks: Side, artworks: Side, options: Options
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what CSLS takes off the similarities of each track's and each artwork's vector.

    CSLS is 2 s - r(track) - r(artwork), where r is the mean similarity to the `csls` nearest of the
    other side (Conneau et al. 2018, equation 3). Half of it is used here: s less r / 2 of each.

    Returns:
        float64, a number for each distinct vector; zeros where CSLS is not wanted.
    """
    if not options.csls:
        return np.zeros(len(tracks.vectors)), np.zeros(len(artworks.vectors))
    shifts = []
    for rows, columns in ((tracks, artworks), (artworks, tracks)):
        _, near = nearest_neighbours(
            rows, columns, options.csls, backend=options.backend, block_rows=options.block_rows
        )
        shifts.append(near.mean(axis=1, dtype=np.float64) / 2)
    return shifts[0], shifts[1]


def occurrences(
    audio: ArrayLike, images: ArrayLike, count: int = 10, backend: str = "auto"
) -> NDArray[np.int64]:
    """Return how many tracks have each artwork among their nearest `count`: int64, shape (m,).

    The skewness of these numbers measures hubness (Radovanovic et al. 2010, N_k).

    Args:
        audio: the tracks' vectors, shape (n, d).
        images: the artworks' vectors, shape (m, d).
        count: k.
        backend: see `artsound.pairing.match`.

    Raises:
        ArtsoundError: see `artsound.pairing.match`.
    """
    tracks, artworks = both_sides(audio, images)
    near, _ = nearest_neighbours(tracks, artworks, count, backend=backend)
    return np.bincount(near[tracks.group].reshape(-1), minlength=len(artworks.group))
