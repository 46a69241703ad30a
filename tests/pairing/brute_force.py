"""Pairing as one would write it down: over the whole matrix, one pair at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from artsound.pairing import Matching
from artsound.pairing.similarity import unit_vectors

Vectors = NDArray[np.float64]


def defined_similarity(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    """The definition in `artsound.pairing.similarity`, step by step."""
    products = a.astype(np.float64) * b.astype(np.float64)
    padded = np.zeros(-(-len(products) // 32) * 32)
    padded[: len(products)] = products
    lanes = np.zeros(32)
    for chunk in padded.reshape(-1, 32):
        lanes = lanes + chunk
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return np.float32(np.float32(lanes[0]) + np.float32(0))


def similarities(audio: Vectors, images: Vectors) -> NDArray[np.float32]:
    a, b = unit_vectors(np.asarray(audio), "audio"), unit_vectors(np.asarray(images), "image")
    return np.array([[defined_similarity(x, y) for y in b] for x in a], dtype=np.float32)


def csls(matrix: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Half of CSLS."""
    rows = -np.sort(-matrix, axis=1)[:, :count].astype(np.float64).mean(axis=1)
    columns = -np.sort(-matrix, axis=0)[:count].astype(np.float64).mean(axis=0)
    value: NDArray[np.float32] = matrix - rows[:, None] / 2 - columns / 2
    return value.astype(np.float32)


def pair(
    matrix: NDArray[np.float32],
    method: str,
    uses: int = 1,
    value: NDArray[np.float32] | None = None,
) -> Matching:
    """Pair by `value`, or by the similarities themselves."""
    value = matrix if value is None else value
    tracks, artworks = matrix.shape
    if method == "greedy":
        wishes = sorted(
            ((i, j) for i in range(tracks) for j in range(artworks)),
            key=lambda pair: (-value[pair], pair),
        )
    else:
        wishes = [
            (i, j)
            for i in range(tracks)
            for j in sorted(range(artworks), key=lambda j: (-value[i, j], j))
        ]
    left = np.full(artworks, tracks if method == "nearest" else uses)
    image, order = np.full(tracks, -1), np.full(tracks, -1)
    similarity = np.full(tracks, np.nan)
    for i, j in wishes:
        if image[i] < 0 and left[j]:
            image[i], similarity[i], order[i] = j, matrix[i, j], (image >= 0).sum()
            left[j] -= 1
    if method == "nearest":
        made = np.lexsort((np.arange(tracks), -similarity))
        order[made] = np.arange(tracks)
    return Matching(image, similarity, order)


def assert_same(one: Matching, other: Matching) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.similarity, other.similarity)
    np.testing.assert_array_equal(one.order, other.order)
