"""What is kept of a block of similarities, and the compiled loop that chooses it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from artsound.pairing.jit import compiled, compiled_parallel, prange
from artsound.pairing.similarity import Vectors

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


class Shortlist(NamedTuple):
    """The best entries of some rows.

    Attributes:
        column: shape (n, k), int32; -1 behind the last.
        upper: upper bounds of the entries' values, shape (n, k), float32.
        rest: upper bounds of the values of all that was left out, shape (n,); -inf where nothing
            was.
    """

    column: NDArray[np.int32]
    upper: Floats
    rest: Floats


class View(NamedTuple):
    """What the entries of a product are worth to whoever asks.

    The value of an entry with similarity s is g(s - row_shift - column_shift) - price, where g is
    the identity, or x -> -t exp(-x / t) for a tail-averse t. Entries whose value cannot reach the
    column's floor are left out for good: they do not count in `Shortlist.rest`.

    Attributes:
        row_shift: shape (rows of the whole,), float64.
        column_shift: shape (m,), float64.
        price: shape (m,), float64.
        floor: shape (m,), float32.
        tail: t, or 0 for the identity.
    """

    row_shift: NDArray[np.float64]
    column_shift: NDArray[np.float64]
    price: NDArray[np.float64]
    floor: Floats
    tail: float = 0.0


class Product(Protocol):
    """Scores blocks of rows against the columns, and answers questions about the last block."""

    def score(self, rows: Vectors, columns: Indices | None = None) -> int:
        """Multiply a block of unit vectors, shape (b, d), with all columns or the given ones.

        Returns:
            How many similarities that were.
        """
        ...

    def shortlist(self, within: Indices, rows: Indices, view: View, count: int) -> Shortlist:
        """Return the best `count` entries of rows of the last block.

        Args:
            within: which rows of the block, shape (n,).
            rows: which rows of the whole these are, shape (n,), for `view.row_shift`.
            view: what entries are worth now.
            count: k.
        """
        ...


def padded(
    column: NDArray[np.int32], upper: Floats, count: int
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Cut sorted entries to `count` columns, or fill up with -1; the rest is what is cut."""
    rest = np.full(len(column), -np.inf, dtype=np.float32)
    if column.shape[1] > count:
        rest = np.where(column[:, count] >= 0, upper[:, count], rest)
    filled = np.full((len(column), count), -1, dtype=np.int32)
    bounds = np.full((len(column), count), -np.inf, dtype=np.float32)
    kept = min(count, column.shape[1])
    filled[:, :kept], bounds[:, :kept] = column[:, :kept], upper[:, :kept]
    return filled, bounds, rest


def of_columns(view: View, columns: Indices) -> View:
    """Return the view of some of the columns."""
    return view._replace(
        column_shift=view.column_shift[columns],
        price=view.price[columns],
        floor=view.floor[columns],
    )


def of_whole(found: Shortlist, columns: Indices | None) -> Shortlist:
    """Return a shortlist of some columns with the numbers that they have among all."""
    if columns is None:
        return found
    column = np.where(found.column >= 0, columns[found.column], -1).astype(np.int32)
    return found._replace(column=column)


@compiled
def as_float(line: NDArray[np.uint16], bits: NDArray[np.uint32]) -> Floats:
    """Return bfloat16 numbers, given as their bits, as float32; `bits` is scratch."""
    for i in range(len(line)):
        bits[i] = np.uint32(line[i]) << np.uint32(16)
    return bits.view(np.float32)


@compiled
def _best_of_line(
    x: Floats,
    shift: np.float32,
    column_shift: Floats,
    floor: Floats,
    slack: np.float32,
    relative: np.float32,
    count: int,
    keys: Floats,
    groups: Floats,
    found: NDArray[np.int32],
    column: NDArray[np.int32],
    upper: Floats,
) -> np.float32:
    """Fill `column` and `upper` with a row's best entries; returns the bound on the others.

    The row is cut into interleaved groups, and the maximum of each is taken on the way; the best
    `count` entries can only lie in the groups whose maximum is at least the `count`-th largest.
    """
    m, size = len(x), len(groups)
    nothing = np.float32(-np.inf)
    groups[:] = nothing
    for start in range(0, m, size):
        end = min(start + size, m)
        part, part_shift, part_floor = x[start:end], column_shift[start:end], floor[start:end]
        part_keys = keys[start:end]
        for i in range(end - start):
            key = part[i] - part_shift[i] - shift
            bound = key + slack + relative * abs(part[i])
            value = key if bound >= part_floor[i] else nothing
            part_keys[i] = value
            groups[i] = value if value > groups[i] else groups[i]
    threshold = nothing
    if size > count:
        threshold = np.partition(groups, size - count)[size - count]
    taken = 0
    for group in range(size):
        if groups[group] > nothing and groups[group] >= threshold:
            for i in range(group, m, size):
                if keys[i] > nothing and keys[i] >= threshold:
                    found[taken] = i
                    taken += 1
    rest = nothing
    cut = nothing
    if taken > count:
        cut = np.partition(keys[found[:taken]], taken - count)[taken - count]
        rest = cut
    elif threshold > nothing:
        rest = threshold
    kept = 0
    for strictly in (True, False):
        for i in range(taken):
            key = keys[found[i]]
            if kept < count and (key > cut if strictly else key == cut):
                column[kept] = found[i]
                kept += 1
    for i in range(kept):
        j = column[i]
        upper[i] = keys[j] + slack + relative * abs(x[j])
    # A left-out entry is at most this far from its key; |x| <= |key| + the shifts.
    if rest > nothing:
        largest = np.float32(0.0)
        if relative > 0:
            for i in range(m):
                largest = max(largest, abs(column_shift[i]))
        rest += slack + relative * (abs(rest) + abs(shift) + largest)
    return rest


@compiled_parallel
def best_entries(
    floats: Floats,
    bits: NDArray[np.uint16],
    within: Indices,
    row_shift: Floats,
    column_shift: Floats,
    floor: Floats,
    slack: np.float32,
    relative: np.float32,
    count: int,
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Choose the best entries of rows of a block; returns the fields of a `Shortlist`.

    Args:
        floats: approximate similarities, shape (b, m), or empty where they are given as `bits`.
        bits: the bits of bfloat16 numbers, shape (b, m), or empty.
        within: the rows, shape (n,).
        row_shift: taken off each row, shape (n,).
        column_shift: taken off each column, shape (m,).
        floor: what a column's upper bound must reach, shape (m,).
        slack: how much the true similarity may lie above an entry x, besides `relative` |x|.
        relative: see `slack`.
        count: how many of a row to keep, at most m.
    """
    n, m = len(within), max(floats.shape[1], bits.shape[1])
    column = np.full((n, count), -1, np.int32)
    upper = np.full((n, count), -np.inf, np.float32)
    rest = np.empty(n, np.float32)
    for i in prange(n):
        at = within[i]
        line = as_float(bits[at], np.empty(m, np.uint32)) if len(bits) else floats[at]
        rest[i] = _best_of_line(
            line,
            row_shift[i],
            column_shift,
            floor,
            slack,
            relative,
            count,
            np.empty(m, np.float32),
            np.empty(max(1, (m + 63) // 64), np.float32),
            np.empty(m, np.int32),
            column[i],
            upper[i],
        )
    return column, upper, rest
