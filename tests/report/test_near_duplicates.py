"""Hashing finds what comparing everything with everything finds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artsound.report.near_duplicates import (
    alike_texts,
    alike_vectors,
    group_sizes,
    grouped,
    normalised,
)

WORDS = [f"word{n}" for n in range(400)]


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[n : n + 3]) for n in range(len(words) - 2)}


def _jaccard(one: str, other: str) -> float:
    first, second = _shingles(one), _shingles(other)
    return len(first & second) / len(first | second)


@settings(max_examples=40)
@given(
    keys=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    values=st.integers(1, 4),
)
def test_groups_are_components(keys: list[int], values: int) -> None:
    """With a key that decides alone, a group is the rows of a key."""
    column = np.array(keys, np.uint64)[:, None] % np.uint64(values)
    groups = grouped(column, lambda one, _: np.ones(len(one), np.bool_))
    expected: dict[int, int] = {}
    assert groups.tolist() == [
        expected.setdefault(key, len(expected)) for key in column[:, 0].tolist()
    ]


def test_alike_only_if_the_comparison_says_so() -> None:
    keys = np.zeros((4, 2), np.uint64)
    assert len(set(grouped(keys, lambda one, _: np.zeros(len(one), np.bool_)))) == 4
    assert group_sizes(np.array([0, 1, 0]), [5, 1, 2]).tolist() == [7, 1]
    assert len(grouped(np.empty((0, 3), np.uint64), lambda one, _: one > 0)) == 0


@pytest.mark.parametrize(("changed", "joined"), [(1, True), (2, True), (30, False), (60, False)])
def test_texts(changed: int, joined: bool) -> None:
    """Changing one word of 120 leaves a Jaccard of 0.95, thirty of them next to nothing."""
    random = np.random.default_rng(changed)
    texts = []
    for _ in range(50):
        words = random.choice(WORDS, 120).tolist()
        texts.append(" ".join(words))
        for at in np.linspace(2, 117, changed).astype(int):
            words[at] = "changed"
        texts.append(" ".join(words))
    similar = [_jaccard(texts[n], texts[n + 1]) for n in range(0, 100, 2)]
    assert all(value >= 0.88 for value in similar) if joined else max(similar) < 0.6
    groups = alike_texts(pa.chunked_array([texts]), 0.8)
    pairs = [groups[n] == groups[n + 1] for n in range(0, 100, 2)]
    # 64 permutations estimate to within 0.05 or so: one in fifty may fall the other way.
    assert sum(pairs) >= 48 if joined else not any(pairs)
    assert len(set(groups.tolist())) >= 50


def test_short_and_empty_texts() -> None:
    texts = pa.chunked_array([["", "a", "b", "a b", "a b c", "a b d"]])
    assert len(set(alike_texts(texts, 0.8).tolist())) == 6
    assert len(alike_texts(pa.chunked_array([pa.array([], pa.string())]), 0.8)) == 0


def test_normalising() -> None:
    texts = pa.chunked_array([["  A Lion, in THE sun! ", "a lion in the sun", "été—Été"]])
    assert normalised(texts).to_pylist() == ["a lion in the sun", "a lion in the sun", "été été"]


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), dimension=st.sampled_from([8, 64, 256]))
def test_vectors(seed: int, dimension: int) -> None:
    """Planted copies are found; nothing below the threshold is ever joined directly."""
    random = np.random.default_rng(seed)
    base = random.standard_normal((300, dimension)) + 0.5
    noise = random.standard_normal((300, dimension))
    noise -= (noise * base).sum(1, keepdims=True) / (base**2).sum(1, keepdims=True) * base
    noise *= np.linalg.norm(base, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1)[:, None]
    copies = np.cos(0.08) * base + np.sin(0.08) * noise  # cosine 0.997
    vectors = np.concatenate([base, copies]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = alike_vectors(vectors, 0.98)
    assert np.mean(groups[:300] == groups[300:]) > 0.98
    cosine = vectors @ vectors.T
    for group in np.flatnonzero(np.bincount(groups) > 1):
        rows = np.flatnonzero(groups == group)
        others = cosine[np.ix_(rows, rows)] - 2 * np.eye(len(rows))
        assert (others.max(axis=1) >= 0.98 - 1e-5).all()


@pytest.mark.parametrize(
    ("clusters", "within", "cosine", "least"),
    [
        (1, 0.0, 0.9801, 0.999),
        (30, 0.8, 0.9801, 0.99),
        (5, 0.9, 0.9801, 0.95),
        (5, 0.9, 0.99, 0.99),
        (1, 0.7, 0.9801, 0.95),
    ],
)
def test_clusters_hide_few_pairs(clusters: int, within: float, cosine: float, least: float) -> None:
    """What the report's note says of the pairs that are missed, measured.

    `within` is the cosine of two items of a cluster, `cosine` that of the planted pairs.
    """

    def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)

    random = np.random.default_rng(1)
    centres = unit(random.standard_normal((clusters, 256)))[random.integers(0, clusters, 6000)]
    spread = unit(random.standard_normal((6000, 256)))
    items = unit(np.sqrt(within) * centres + np.sqrt(1 - within) * spread)
    some = items[:600]
    noise = random.standard_normal(some.shape)
    noise = unit(noise - (noise * some).sum(1, keepdims=True) * some)
    copies = cosine * some + np.sqrt(1 - cosine**2) * noise
    vectors = np.concatenate([items, copies]).astype(np.float32)
    place = random.permutation(len(vectors))
    groups = np.empty(len(vectors), np.int64)
    groups[place] = alike_vectors(vectors[place], 0.98)
    assert np.mean(groups[:600] == groups[6000:]) >= least
