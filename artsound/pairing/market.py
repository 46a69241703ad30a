"""Deferred acceptance on shortlists: tracks propose, artworks keep the best proposal.

With one total order of all pairs (value falling, then track, then artwork) greedy pairing is the
only stable matching of the two sides, so deferred acceptance (Gale and Shapley 1962) finds it in
any order of work. The same holds for sequential pairing, where every artwork prefers the lowest
track.

Equal artworks are one column with a slot for each of them (or for each time that it may be used),
so that a list names them once; a column's slots are held in falling preference.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from artsound.pairing.jit import compiled, compiled_parallel, prange
from artsound.pairing.similarity import Vectors, dot

GREEDY: Final = 0
SEQUENTIAL: Final = 1

_STARVED: Final = -1
_NOBODY: Final = -2


class Sides(NamedTuple):
    """The two sides of the market.

    Attributes:
        tracks: distinct unit vectors of the tracks, shape (r, d).
        columns: distinct unit vectors of the artworks, shape (u, d).
        row: which of `tracks` each track has, shape (n,).
        row_shift: taken off the similarities of a row, shape (r,), float64.
        column_shift: taken off those of a column, shape (u,), float64.
    """

    tracks: Vectors
    columns: Vectors
    row: NDArray[np.int64]
    row_shift: NDArray[np.float64]
    column_shift: NDArray[np.float64]


class Slots(NamedTuple):
    """What the artworks hold.

    Attributes:
        start: where each column's slots begin, shape (u + 1,).
        artwork: the artwork of each slot, ascending within a column.
        value: the value of the pair in each slot; -inf where there is none.
        track: its track; n where there is none.
        worst_value: the value in each column's last slot, shape (u,).
        worst_track: the track in each column's last slot, shape (u,).
        tied: whether a track had an equally good choice in another column, shape (n,).
    """

    start: NDArray[np.int64]
    artwork: NDArray[np.int64]
    value: NDArray[np.float32]
    track: NDArray[np.int64]
    worst_value: NDArray[np.float32]
    worst_track: NDArray[np.int64]
    tied: NDArray[np.bool_]


class Lists(NamedTuple):
    """The candidates of each row.

    Attributes:
        column: shape (r, k), int32; -1 behind the last.
        value: the candidates' values, or upper bounds of them where not `exact`, shape (r, k).
        exact: shape (r, k).
        rest: no candidate left out is worth more, shape (r,); -inf when none was left out.
        rest_artwork: of those left out that are worth as much as `rest`, none comes before this
            artwork; -1 where that is not known.
        made_for: the list is good for this track and higher ones of the row, shape (r,).
        fresh: no proposal was made from the list yet, shape (r,).
    """

    column: NDArray[np.int32]
    value: NDArray[np.float32]
    exact: NDArray[np.bool_]
    rest: NDArray[np.float32]
    rest_artwork: NDArray[np.int64]
    made_for: NDArray[np.int64]
    fresh: NDArray[np.bool_]


@compiled
def value_of(sides: Sides, row: int, column: int, lanes: NDArray[np.float64]) -> np.float32:
    """Return what a pair is worth: its similarity less the shifts, rounded to float32."""
    similarity = dot(sides.tracks[row], sides.columns[column], lanes)
    shifted = np.float64(similarity) - sides.row_shift[row] - sides.column_shift[column]
    return np.float32(np.float32(shifted) + np.float32(0.0))


@compiled
def _beats(mode: int, value: np.float32, track: int, held: np.float32, holder: int) -> bool:
    """Return whether an artwork prefers a proposal to what it holds."""
    if mode == GREEDY:
        return bool(value > held or (value == held and track < holder))
    return track < holder


@compiled
def _slot(mode: int, slots: Slots, column: int, value: np.float32, track: int) -> int:
    """Return the first slot of a column that a proposal would take."""
    low, high = slots.start[column], slots.start[column + 1] - 1
    while low < high:
        middle = (low + high) // 2
        if _beats(mode, value, track, slots.value[middle], slots.track[middle]):
            high = middle
        else:
            low = middle + 1
    return int(low)


@compiled
def _choose(
    mode: int,
    track: int,
    row: int,
    lists: Lists,
    slots: Slots,
    sides: Sides,
    lanes: NDArray[np.float64],
) -> int:
    """Return the place in its list of the best artwork that a track can get."""
    while True:
        best, top, first, tied = -1, np.float32(-np.inf), np.int64(0), False
        for place in range(lists.column.shape[1]):
            column = lists.column[row, place]
            if column < 0:
                break
            value = lists.value[row, place]
            if value < top:
                continue
            if not _beats(mode, value, track, slots.worst_value[column], slots.worst_track[column]):
                continue
            artwork = np.int64(-1)  # a bound comes first of its equals, so that it gets computed
            if lists.exact[row, place]:
                artwork = slots.artwork[_slot(mode, slots, column, value, track)]
            if best < 0 or value > top:
                best, top, first, tied = place, value, artwork, False
            else:
                tied = True
                if artwork < first:
                    best, first = place, artwork
        if best < 0:
            return _STARVED if lists.rest[row] > -np.inf else _NOBODY
        rest = lists.rest[row]
        if top < rest or (top == rest and first > lists.rest_artwork[row]):
            return _STARVED
        if lists.exact[row, best]:
            slots.tied[track] = tied or top == rest
            return best
        lists.value[row, best] = value_of(sides, row, lists.column[row, best], lanes)
        lists.exact[row, best] = True


@compiled
def _take(mode: int, slots: Slots, column: int, value: np.float32, track: int) -> int:
    """Put a pair into its slot, and move the lesser ones up by one.

    Who would move to another artwork, and had an equally good choice in another column, falls out
    instead, to choose again.

    Returns:
        The track that falls out; the number of tracks where nobody does.
    """
    nobody = len(slots.tied)
    last = slots.start[column + 1] - 1
    slot = _slot(mode, slots, column, value, track)
    while True:
        out_value, out = slots.value[slot], slots.track[slot]
        slots.value[slot], slots.track[slot] = value, track
        if out == nobody or slot == last:
            break
        if slots.tied[out] and slots.artwork[slot + 1] != slots.artwork[slot]:
            break
        value, track = out_value, out
        slot += 1
    slots.worst_value[column] = slots.value[last]
    slots.worst_track[column] = slots.track[last]
    return int(out)


@compiled
def settle(
    mode: int,
    waiting: NDArray[np.int64],
    lists: Lists,
    slots: Slots,
    sides: Sides,
) -> NDArray[np.int64]:
    """Let tracks propose until each holds an artwork, can have none, or needs a longer list.

    Args:
        mode: `GREEDY` or `SEQUENTIAL`.
        waiting: the tracks, shape (w,); the last one begins. Overwritten.
        lists: see `Lists`.
        slots: see `Slots`.
        sides: see `Sides`.

    Returns:
        The tracks that need a longer list.
    """
    lanes = np.empty(32, np.float64)
    starved = np.empty(len(waiting), np.int64)
    size, hungry = len(waiting), 0
    while size > 0:
        size -= 1
        track = waiting[size]
        row = sides.row[track]
        if track < lists.made_for[row]:  # nothing is known of what it could get
            place = _STARVED
            lists.rest[row], lists.fresh[row] = np.inf, False
        else:
            place = _choose(mode, track, row, lists, slots, sides, lanes)
        if place == _STARVED:
            starved[hungry] = track
            hungry += 1
        elif place >= 0:
            lists.fresh[row] = False
            column, value = lists.column[row, place], lists.value[row, place]
            out = _take(mode, slots, column, value, track)
            if out < len(sides.row):
                waiting[size] = out
                size += 1
    return starved[:hungry].copy()


@compiled_parallel
def whole_row(
    mode: int, track: int, slots: Slots, sides: Sides
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the value of every column to a track, and the artwork that it would get there.

    Returns:
        Values, shape (u,), and artworks, shape (u,); artwork -1 where it would be refused.
    """
    row = sides.row[track]
    size = len(sides.columns)
    values = np.empty(size, np.float32)
    artworks = np.full(size, -1, np.int64)
    for column in prange(size):
        value = value_of(sides, row, column, np.empty(32, np.float64))
        values[column] = value
        if _beats(mode, value, track, slots.worst_value[column], slots.worst_track[column]):
            artworks[column] = slots.artwork[_slot(mode, slots, column, value, track)]
    return values, artworks
