"""Near-duplicates among many items in linear time, by locality-sensitive hashing.

Items get keys in several bands such that alike items probably share one; within a band, items of
one key are sorted so that alike ones are near to each other, and each is compared with the few
before it, never with all of them, so a key that everything shares costs no more than any other.
What the comparison finds alike is joined into groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Keys = NDArray[np.uint64]
Rows = NDArray[np.int64]
# Says of each pair of rows whether they are alike.
Alike = Callable[[Rows, Rows], NDArray[np.bool_]]

WORDS: Final = 3  # in a shingle
PERMUTATIONS: Final = 64
_TEXT_BANDS: Final = 16
_IMAGE_BANDS: Final = 20
_BITS: Final = 16
NEAR: Final = 4  # how many before it each item of a key is compared with
_CHUNK: Final = 4096
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


def normalised(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts in lower case, their letters and digits only, one space between words."""
    words = pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\pL\pN]+", " ")
    return pc.utf8_trim_whitespace(words)


def alike_texts(texts: pa.ChunkedArray, threshold: float) -> Rows:
    """Group texts by the Jaccard similarity of their shingles of three words.

    MinHash (Broder 1997) estimates it from 64 permutations, with a standard deviation of 0.05 at
    0.8; texts of fewer than three words are alike only if they are equal.

    Args:
        texts: n normalised texts, no two the same.
        threshold: from which similarity texts are alike.

    Returns:
        The group of each text, int64, shape (n,).
    """
    signature = np.concatenate(
        [_minhash(texts.slice(begin, _CHUNK)) for begin in range(0, len(texts), _CHUNK)]
        or [np.empty((0, PERMUTATIONS), np.uint32)]
    )
    rows = PERMUTATIONS // _TEXT_BANDS
    keys = np.empty((len(signature), _TEXT_BANDS), np.uint64)
    for band in range(_TEXT_BANDS):
        keys[:, band] = _mixed(signature[:, band * rows : (band + 1) * rows].astype(np.uint64))

    def alike(one: Rows, other: Rows) -> NDArray[np.bool_]:
        same = (signature[one] == signature[other]).mean(axis=1)
        return np.asarray(same >= threshold)

    # Texts that share the next band too lie beside each other.
    return grouped(keys, alike, np.roll(keys, -1, axis=1))


def alike_vectors(vectors: NDArray[np.float32], threshold: float) -> Rows:
    """Group unit vectors, shape (n, d), by their cosine.

    Keys are the signs of random projections (Charikar 2002) of the centred vectors, 16 in each of
    20 bands: two vectors at a cosine of 0.98 share a key in at least one with odds of over 0.99
    where centring leaves their angle as it is; the nearer they are, the surer. In tight clusters,
    where many share a key, up to one such pair in twenty was missed.

    Returns:
        The group of each vector, int64, shape (n,).
    """
    count, dimension = vectors.shape
    random = np.random.default_rng(0)
    planes = random.standard_normal((dimension, _IMAGE_BANDS * _BITS), np.float32)
    shift = vectors.mean(axis=0, dtype=np.float64).astype(np.float32) @ planes
    keys = np.zeros((count, _IMAGE_BANDS), np.uint64)
    # Alike vectors have alike projections: by one more in each band their neighbours are sorted.
    places = vectors @ random.standard_normal((dimension, _IMAGE_BANDS), np.float32)
    powers = np.uint64(1) << np.arange(_BITS, dtype=np.uint64)
    for begin in range(0, count, _CHUNK):
        block = slice(begin, begin + _CHUNK)
        signs = (vectors[block] @ planes > shift).reshape(-1, _IMAGE_BANDS, _BITS)
        keys[block] = (signs * powers).sum(axis=2, dtype=np.uint64)

    def alike(one: Rows, other: Rows) -> NDArray[np.bool_]:
        found = np.empty(len(one), np.bool_)
        for begin in range(0, len(one), _CHUNK):
            block = slice(begin, begin + _CHUNK)
            cosine = np.einsum("nd,nd->n", vectors[one[block]], vectors[other[block]])
            found[block] = cosine >= threshold
        return found

    return grouped(keys, alike, places)


def grouped(keys: Keys, alike: Alike, within: NDArray[Any] | None = None) -> Rows:
    """Join rows that share a key and are alike.

    Args:
        keys: shape (n, bands).
        alike: called with two arrays of rows.
        within: shape (n, bands): how rows are sorted that share a band's key; by row if None.

    Returns:
        The group of each row, int64, shape (n,); numbered in the order of their first rows.
    """
    count, bands = keys.shape
    found: list[Rows] = []
    for band in range(bands):
        column = keys[:, band]
        sorting = (column,) if within is None else (within[:, band], column)
        order = np.lexsort(sorting).astype(np.int64)
        for step in range(1, min(NEAR, count - 1) + 1):
            same = column[order[step:]] == column[order[:-step]]
            two = np.sort(np.stack([order[:-step][same], order[step:][same]]), axis=0)
            found.append(two[0] * count + two[1])
    # Each pair of rows once, however many bands it shares.
    asked = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    one, other = np.divmod(asked, max(count, 1))
    kept = alike(one, other)
    one, other = one[kept], other[kept]
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, begins, group = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(begins))
    return np.asarray(rank[group], np.int64)


def group_sizes(groups: Rows, weights: Sequence[int] | None = None) -> Rows:
    """Return how many items each group has, the largest first; each row counts `weights` times."""
    return np.sort(np.bincount(groups, weights).astype(np.int64))[::-1]


def _minhash(texts: pa.ChunkedArray) -> NDArray[np.uint32]:
    """Return the signatures of some texts, shape (n, 64)."""
    words = pc.split_pattern(texts, " ").combine_chunks()
    lengths = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(words).dictionary_encode()
    vocabulary = np.array([_word_hash(word) for word in flat.dictionary.to_pylist()], np.uint64)
    word = vocabulary[flat.indices.to_numpy(zero_copy_only=False)]
    shingles = np.maximum(lengths - WORDS + 1, 0)
    begins = np.cumsum(lengths) - lengths
    at = np.repeat(begins, shingles) + _counting(shingles)
    hashed = _mixed(np.stack([word[at + n] for n in range(WORDS)], axis=1))
    # A text without shingles gets a value of its own that no other has.
    short = np.flatnonzero(shingles == 0)
    random = np.random.default_rng(0)
    factors = random.integers(0, 1 << 63, PERMUTATIONS, np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.empty((len(lengths), PERMUTATIONS), np.uint32)
    full = np.flatnonzero(shingles)
    edges = (np.cumsum(shingles) - shingles)[full]
    for number, factor in enumerate(factors):
        # Multiplying by an odd number permutes; its upper half is what is well mixed.
        scrambled = ((hashed * factor) >> np.uint64(32)).astype(np.uint32)
        if len(full):
            found[full, number] = np.minimum.reduceat(scrambled, edges)
    for row in short:
        text = texts[int(row)].as_py() or ""
        own = _word_hash(text) * factors  # wraps around, as all of these do
        found[row] = (own >> np.uint64(32)).astype(np.uint32)
    return found


def _word_hash(word: str) -> np.uint64:
    """Return a hash that is the same in every process, as Python's own is not."""
    return np.uint64(int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big"))


def _counting(lengths: Rows) -> Rows:
    """Return 0, 1, ... for each length, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _mixed(parts: Keys) -> Keys:
    """Return one key of several parts, shape (n, parts) to (n,)."""
    found = np.zeros(len(parts), np.uint64)
    for column in parts.T:
        found = (found ^ column) * _MIX
        found ^= found >> np.uint64(29)
    return found
