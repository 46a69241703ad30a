"""The similarity that pairing compares (paper, equation 3), the same to the bit wherever computed.

A matrix product gives different last bits with another block shape, thread count or library, and
with them other ties and other pairs. So a similarity is defined here by its arithmetic: vectors are
normalised and rounded to float32; their products, exact in float64, are summed in 32 lanes (lane l
takes the dimensions l, l + 32, ... in order), the lanes are added by halves (16, 8, 4, 2, 1), and
the sum is rounded to float32. Matrix products only choose which pairs are computed in this way.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.errors import ArtsoundError
from artsound.pairing.jit import compiled, compiled_parallel, prange

Vectors = NDArray[np.float32]
Similarities = NDArray[np.float32]

FLOAT32_ROUNDOFF: Final = 2.0**-24
_ROWS: Final = 4096  # normalised at a time


def as_matrix(vectors: ArrayLike, name: str) -> NDArray[np.generic]:
    """Return vectors as an array, without reading a memory-mapped one.

    Args:
        vectors: shape (n, d), real numbers.
        name: whose vectors these are, for errors.

    Raises:
        ArtsoundError: there is no vector, or it is not a matrix of real numbers.
    """
    matrix = np.asanyarray(vectors)
    if matrix.ndim != 2 or matrix.shape[1] == 0 or matrix.dtype.kind not in "fiu":
        raise ArtsoundError(
            f"{name} vectors have shape {matrix.shape} and type {matrix.dtype}; "
            "expected real numbers of shape (n, d)"
        )
    if matrix.shape[0] == 0:
        raise ArtsoundError(f"there are no {name} vectors: nothing to pair")
    return matrix


def unit_vectors(block: NDArray[np.generic], name: str, first_row: int = 0) -> Vectors:
    """Normalise vectors to length 1; zero vectors stay zero.

    Args:
        block: shape (n, d).
        name: whose vectors these are, for errors.
        first_row: number of the block's first row in the whole, for errors.

    Returns:
        float32, shape (n, d); a row depends on nothing but its own values.

    Raises:
        ArtsoundError: a value is not finite; names the row.
    """
    values = np.ascontiguousarray(block)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    unit = np.empty(values.shape, dtype=np.float32)
    bad = np.flatnonzero(~_normalise(values, unit))
    if bad.size:
        raise ArtsoundError(
            f"{name} vectors, row {first_row + int(bad[0])}: a value is not finite; "
            "embed that item again"
        )
    return unit


@compiled_parallel
def _normalise(values: NDArray[np.floating], unit: Vectors) -> NDArray[np.bool_]:
    """Write each row at length 1 into `unit`; returns which rows are finite."""
    finite = np.ones(len(values), np.bool_)
    dimension = values.shape[1]
    for row in prange(len(values)):
        peak = 0.0
        for k in range(dimension):
            size = abs(np.float64(values[row, k]))
            if not size < np.inf:
                finite[row] = False
            peak = max(peak, size)
        # Very large and very small vectors are scaled first, so that no square is lost; in two
        # steps, since the inverse of the smallest numbers is none.
        up = 1.0
        if peak < 1e-150:
            up = 2.0**600
        elif peak > 1e150:
            up = 2.0**-600
        lanes = np.zeros(32, np.float64)
        for k in range(dimension):
            value = np.float64(values[row, k]) * up
            lanes[k % 32] += value * value
        norm = np.sqrt(lanes.sum())
        for k in range(dimension):
            # Adding 0 makes of -0.0 a 0.0, so that equal vectors have equal bytes.
            scaled = np.float64(values[row, k]) * up / norm if norm > 0 else 0.0
            unit[row, k] = np.float32(scaled) + np.float32(0.0)
    return finite


def similarity(a: Vectors, b: Vectors) -> Similarities:
    """Return the similarity of a[i] and b[i] by the definition: float32, shape (n,).

    Args:
        a: unit vectors, shape (n, d).
        b: unit vectors, shape (n, d).
    """
    rows = np.arange(len(a))
    return pair_similarity(a, b, rows, rows)


@compiled
def dot(a: Vectors, b: Vectors, lanes: NDArray[np.float64]) -> np.float32:
    """Return the similarity of two unit vectors by the definition.

    Args:
        a: shape (d,).
        b: shape (d,).
        lanes: scratch, shape (32,), float64.
    """
    lanes[:] = 0.0
    dimension = a.shape[0]
    whole = dimension // 32 * 32
    for start in range(0, whole, 32):
        for lane in range(32):
            lanes[lane] += np.float64(a[start + lane]) * np.float64(b[start + lane])
    for lane in range(dimension - whole):
        lanes[lane] += np.float64(a[whole + lane]) * np.float64(b[whole + lane])
    half = 16
    while half > 0:
        for lane in range(half):
            lanes[lane] += lanes[lane + half]
        half //= 2
    # Adding 0 makes of -0.0 a 0.0, so that equal values have equal bits.
    return np.float32(np.float32(lanes[0]) + np.float32(0.0))


@compiled_parallel
def pair_similarity(
    a: Vectors, b: Vectors, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Similarities:
    """Return the similarity of a[rows[i]] and b[columns[i]] for every i: float32, shape (n,).

    Args:
        a: unit vectors, shape (_, d).
        b: unit vectors, shape (_, d).
        rows: shape (n,).
        columns: shape (n,).
    """
    result = np.empty(len(rows), np.float32)
    for i in prange(len(rows)):
        result[i] = dot(a[rows[i]], b[columns[i]], np.empty(32, np.float64))
    return result


def similarity_matrix(a: Vectors, b: Vectors) -> Similarities:
    """Return the similarity of every a[i] with every b[j] by the definition: float32, (n, m)."""
    rows, columns = np.divmod(np.arange(len(a) * len(b)), len(b))
    return pair_similarity(a, b, rows, columns).reshape(len(a), len(b))


class Side(NamedTuple):
    """The unit vectors of one side, each distinct one once.

    Attributes:
        vectors: shape (u, d).
        group: which of `vectors` each item has, int64, shape (n,).
        first: the lowest item of each vector, ascending, int64, shape (u,).
    """

    vectors: Vectors
    group: NDArray[np.int64]
    first: NDArray[np.int64]


def grouped(group: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the items of each group, ascending; every group has some."""
    return np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])


def side_of(vectors: NDArray[np.generic], name: str) -> Side:
    """Normalise a whole matrix and put equal vectors together; see `unit_vectors`."""
    unit = np.empty(vectors.shape, dtype=np.float32)
    known: dict[bytes, int] = {}
    first: list[int] = []
    group = np.empty(len(unit), dtype=np.int64)
    for start in range(0, len(unit), _ROWS):
        block = unit_vectors(vectors[start : start + _ROWS], name, start)
        for row, vector in enumerate(block, start):
            digest = hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
            place = known.setdefault(digest, len(first))
            if place == len(first):
                first.append(row)
                unit[place] = vector
            group[row] = place
    return Side(unit[: len(first)], group, np.array(first, dtype=np.int64))


def similarity_of(
    a: Side, b: Side, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Similarities:
    """Return the similarity of items rows[i] of a and columns[i] of b for every i: shape (n,)."""
    return pair_similarity(a.vectors, b.vectors, a.group[rows], b.group[columns])


def places_of(side: Side, uses: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places that equal items have together, each item's `uses` times.

    Returns:
        The item of each place, ascending within a vector, shape (n uses,); and where the places of
        each vector begin, shape (u + 1,).
    """
    start = np.zeros(len(side.vectors) + 1, dtype=np.int64)
    start[1:] = np.cumsum(np.bincount(side.group, minlength=len(side.vectors))) * uses
    return np.repeat(np.argsort(side.group, kind="stable"), uses), start
