"""The similarity that pairing compares (paper, equation 3), the same to the bit wherever computed.

A matrix product gives different last bits with another block shape, thread count or library, and
with them other ties and other pairs. So a similarity is defined here by its arithmetic: vectors are
normalised and rounded to float32, multiplied in float64, summed pairwise in the order of the
dimensions, and the sum is rounded to float32. A product in float64 finds nearly all of these
values; the few where its error could reach the next float32 are computed anew by the definition.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.errors import ArtsoundError

Vectors = NDArray[np.float32]
Similarities = NDArray[np.float32]

_UNIT_ROUNDOFF: Final = 2.0**-53
_COLUMNS: Final = 4096  # of a product at a time: bounds the float64 copies
_RESCORED: Final = 4096  # pairs computed by the definition at a time


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
    values = np.array(block, dtype=np.float64, order="C")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise ArtsoundError(
            f"{name} vectors, row {first_row + int(bad[0])}: a value is not finite; "
            "embed that item again"
        )
    # Divided by a power of two first, which is exact, so that no square over- or underflows.
    peak = np.abs(values).max(axis=1, keepdims=True)
    values = np.ldexp(values, -np.frexp(peak)[1])
    norm = np.sqrt((values * values).sum(axis=1, keepdims=True))
    unit: Vectors = np.divide(values, norm, out=values, where=norm > 0).astype(np.float32)
    return unit


def similarity(a: Vectors, b: Vectors) -> Similarities:
    """Return the similarity of a[i] and b[i] by the definition: float32, shape (n,).

    Args:
        a: unit vectors, shape (n, d).
        b: unit vectors, shape (n, d).
    """
    products = np.multiply(a, b, dtype=np.float64, order="C")
    # Adding 0 makes of -0.0 a 0.0, so that equal values have equal bits.
    canonical: Similarities = products.sum(axis=1).astype(np.float32) + np.float32(0)
    return canonical


def similarity_block(a: Vectors, b: Vectors) -> Similarities:
    """Return the similarity of every a[i] with every b[j].

    Args:
        a: unit vectors, shape (n, d).
        b: unit vectors, shape (m, d).

    Returns:
        float32, shape (n, m); equal to `similarity` of each pair, to the bit.
    """
    result = np.empty((len(a), len(b)), dtype=np.float32)
    wide = a.astype(np.float64)
    for start in range(0, len(b), _COLUMNS):
        columns = b[start : start + _COLUMNS]
        part = result[:, start : start + _COLUMNS]
        part[:] = _block(a, columns, wide @ columns.astype(np.float64).T)
    return result


def _block(a: Vectors, b: Vectors, products: NDArray[np.float64]) -> Similarities:
    # Either summation is off the exact sum by at most d * u * sum|x y|, which for vectors of length
    # 1 (rounded) is at most this; twice that, since both the product and the definition may be off.
    margin = 2.0 * (a.shape[1] + 2) * _UNIT_ROUNDOFF * 1.001
    low = (products - margin).astype(np.float32)
    unsure = low != (products + margin).astype(np.float32)
    # Zero vectors have similarity 0 exactly, but close to 0 nothing rounds safely.
    unsure &= np.logical_and.outer((a != 0).any(axis=1), (b != 0).any(axis=1))
    values = products.astype(np.float32)
    rows, columns = np.nonzero(unsure)
    for start in range(0, len(rows), _RESCORED):
        i, j = rows[start : start + _RESCORED], columns[start : start + _RESCORED]
        values[i, j] = similarity(a[i], b[j])
    values += np.float32(0)
    return values
