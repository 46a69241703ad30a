"""Greedy, sequential and nearest pairing against a brute force, and what `match` refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artsound.errors import ArtsoundError, UsageError
from artsound.pairing import match
from artsound.pairing.similarity import unit_vectors
from tests.pairing.brute_force import Vectors, assert_same, csls, pair, similarities

Method = Literal["greedy", "sequential", "nearest"]
METHODS: tuple[Method, ...] = ("greedy", "sequential", "nearest")
BACKENDS = ("float32", "bfloat16", "faiss")


@st.composite
def sides(draw: st.DrawFn) -> tuple[Vectors, Vectors]:
    """Small integer vectors: full of ties, equal and parallel vectors, opposites and zeros."""
    tracks, artworks = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    dimension, span = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    values = st.lists(
        st.integers(-span, span),
        min_size=(tracks + artworks) * dimension,
        max_size=(tracks + artworks) * dimension,
    )
    whole = np.array(draw(values), dtype=np.float64).reshape(-1, dimension)
    return whole[:tracks], whole[tracks:]


@given(
    sides(),
    st.sampled_from(METHODS),
    st.sampled_from(BACKENDS),
    st.integers(1, 14),
    st.integers(1, 9),
    st.integers(1, 3),
)
@settings(max_examples=400)
def test_equals_brute_force(
    given_sides: tuple[Vectors, Vectors],
    method: Method,
    backend: str,
    block_rows: int,
    shortlist: int,
    uses: int,
) -> None:
    audio, images = given_sides
    uses = 1 if method == "nearest" else uses
    result = match(
        audio,
        images,
        method,
        backend=backend,
        block_rows=block_rows,
        shortlist=shortlist,
        max_per_artwork=uses,
    )
    assert_same(result, pair(similarities(audio, images), method, uses))


def test_equal_tracks_for_which_nothing_is_left_end() -> None:
    """Two equal tracks wait, the later one with a list of its own, and no artwork is free."""
    left = [[3, 0, 2], [-2, -2, 3], [-2, -3, -1], [0, 0, 2], [1, 0, 2]]
    right = [[0, -2, 0], [3, 1, 3], [-2, 2, 0], [-3, 3, 0], [-2, -3, -3]]
    audio = np.array([*left, *right])
    images = np.array([[-2, 3, 2], [-3, -1, -3], [1, -1, -3], [0, -3, 3], [-3, 0, 1]])
    result = match(audio, images, "sequential", backend="float32", block_rows=14, shortlist=2)
    assert_same(result, pair(similarities(audio, images), "sequential"))


@pytest.mark.parametrize("method", METHODS)
def test_opposites_are_pairs_however_their_similarity_is_rounded(method: Method) -> None:
    rng = np.random.default_rng(0)
    audio = rng.integers(-3, 4, (200, 3)).astype(np.float64)
    audio = audio[audio.any(axis=1)]
    whole = [match(row[None], -row[None], method).similarity[0] for row in audio]
    assert min(whole) < -1.0  # without which this shows nothing
    np.testing.assert_allclose(whole, -1.0, atol=1e-6)


@given(sides(), st.sampled_from(METHODS), st.integers(1, 4), st.sampled_from(BACKENDS))
@settings(max_examples=150)
def test_csls_equals_brute_force(
    given_sides: tuple[Vectors, Vectors], method: Method, count: int, backend: str
) -> None:
    audio, images = given_sides
    matrix = similarities(audio, images)
    expected = pair(matrix, method, value=csls(matrix, count))
    result = match(audio, images, method, csls=count, backend=backend, block_rows=5)
    np.testing.assert_array_equal(result.image, expected.image)
    np.testing.assert_array_equal(result.similarity, expected.similarity)


def _hard(kind: str, tracks: int, artworks: int) -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(7)
    audio, images = rng.standard_normal((tracks, 6)), rng.standard_normal((artworks, 6))
    if kind == "hubs":  # every track prefers the same artworks
        audio = np.abs(audio) * 0.1 + 1.0
    elif kind == "copies":
        audio, images = (
            np.repeat(audio, 6, axis=0)[:tracks],
            np.repeat(images, 6, axis=0)[:artworks],
        )
        rng.shuffle(audio)
        rng.shuffle(images)
    elif kind == "one vector":
        audio[::2], images[::3] = audio[0], images[0]
    elif kind == "rank one":  # no product tells these apart
        direction = rng.standard_normal(6)
        audio = np.outer(rng.random(tracks), direction) + 1e-6 * audio
        images = np.outer(rng.random(artworks), direction) + 1e-6 * images
    elif kind == "equal":
        audio[:], images[:] = audio[0], images[0]
    return audio, images


@pytest.mark.parametrize(("tracks", "artworks"), [(90, 140), (140, 90)])
@pytest.mark.parametrize("kind", ["normal", "hubs", "copies", "one vector", "rank one", "equal"])
def test_hard_data_in_any_block_and_precision(tracks: int, artworks: int, kind: str) -> None:
    audio, images = _hard(kind, tracks, artworks)
    matrix = similarities(audio, images)
    for method in METHODS:
        expected = pair(matrix, method)
        for backend, rows, shortlist in (
            ("float32", 1, 64),
            ("float32", 5, 8),
            ("float32", 200, 3),
            ("bfloat16", 33, 16),
            ("bfloat16", 200, 128),
            ("faiss", 50, 8),
        ):
            result = match(
                audio, images, method, backend=backend, block_rows=rows, shortlist=shortlist
            )
            assert_same(result, expected)


@pytest.mark.parametrize("backend", ["float32", "bfloat16"])
def test_no_pair_prefers_each_other(backend: str) -> None:
    rng = np.random.default_rng(0)
    audio, images = rng.standard_normal((3000, 32)), rng.standard_normal((3300, 32))
    result = match(audio, images, backend=backend)
    assert len(set(result.image.tolist())) == 3000
    values = unit_vectors(audio, "audio") @ unit_vectors(images, "image").T
    held = np.full(3300, -np.inf)
    held[result.image] = result.similarity
    blocking = (values > result.similarity[:, None] + 1e-6) & (values > held + 1e-6)
    assert not blocking.any()
    assert (np.diff(result.similarity[np.argsort(result.order)]) <= 0).all()
    assert sorted(result.order.tolist()) == list(range(3000))
    assert result.work < 1.2


def test_many_copies_of_one_vector_do_not_take_forever() -> None:
    rng = np.random.default_rng(1)
    audio, images = rng.standard_normal((4000, 16)), rng.standard_normal((4400, 16))
    audio[rng.choice(4000, 1200, replace=False)] = audio[0]
    images[rng.choice(4400, 1200, replace=False)] = audio[0] + 0.5 * images[0]
    result = match(audio, images)
    assert len(set(result.image.tolist())) == 4000
    everything = match(np.ones((4000, 16)), np.ones((4400, 16)))
    np.testing.assert_array_equal(everything.image, np.arange(4000))


def test_tracks_left_over() -> None:
    result = match([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], [[0.0, 1.0]])
    np.testing.assert_array_equal(result.image, [-1, -1, 0])
    np.testing.assert_array_equal(result.order, [-1, -1, 0])
    np.testing.assert_array_equal(result.similarity, [np.nan, np.nan, 1.0])


def test_zero_vectors_are_similar_to_nothing_but_get_a_pair() -> None:
    result = match([[0.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(result.image, [0, 1])
    np.testing.assert_array_equal(result.similarity, [0.0, 1.0])
    assert not np.signbit(result.similarity[0])


def test_ties_go_to_the_lowest_track_then_the_lowest_artwork() -> None:
    result = match(np.ones((3, 4)), np.ones((5, 4)))
    np.testing.assert_array_equal(result.image, [0, 1, 2])
    np.testing.assert_array_equal(result.order, [0, 1, 2])


def test_min_similarity_leaves_tracks_unpaired() -> None:
    rng = np.random.default_rng(2)
    audio, images = rng.standard_normal((60, 8)), rng.standard_normal((70, 8))
    whole = match(audio, images)
    least = float(np.median(whole.similarity))
    result = match(audio, images, min_similarity=least)
    kept = whole.similarity >= least
    np.testing.assert_array_equal(result.image, np.where(kept, whole.image, -1))
    np.testing.assert_array_equal(result.order, np.where(kept, whole.order, -1))
    with pytest.raises(ArtsoundError, match=r"no pair is that similar; the best has 0\.\d+"):
        match(audio, images, min_similarity=1.0)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8])
def test_takes_memory_mapped_vectors(tmp_path: Path, kind: type[np.generic]) -> None:
    rng = np.random.default_rng(1)
    audio = (9 * rng.standard_normal((40, 8))).astype(kind)
    images = (9 * rng.standard_normal((50, 8))).astype(kind)
    np.save(tmp_path / "audio.npy", audio)
    np.save(tmp_path / "images.npy", images)
    mapped = match(
        np.load(tmp_path / "audio.npy", mmap_mode="r"),
        np.load(tmp_path / "images.npy", mmap_mode="r"),
    )
    assert_same(mapped, pair(similarities(audio, images), "greedy"))


def test_reports_progress() -> None:
    seen: list[tuple[int, int]] = []
    rng = np.random.default_rng(1)
    match(
        rng.standard_normal((40, 8)),
        rng.standard_normal((50, 8)),
        block_rows=10,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 40), (10, 40), (20, 40), (30, 40), (40, 40)]


def _bad(value: float) -> NDArray[np.float64]:
    vectors = np.ones((3, 4))
    vectors[2, 1] = value
    return vectors


def test_refuses_vectors_that_cannot_be_paired() -> None:
    good = np.ones((3, 4))
    with pytest.raises(ArtsoundError, match="audio vectors, row 2: a value is not finite"):
        match(_bad(np.nan), good)
    with pytest.raises(ArtsoundError, match="image vectors, row 2: a value is not finite"):
        match(good, _bad(np.inf))
    with pytest.raises(ArtsoundError, match="4 dimensions and image vectors 5"):
        match(good, np.ones((3, 5)))
    with pytest.raises(ArtsoundError, match="no image vectors"):
        match(good, np.ones((0, 4)))
    with pytest.raises(ArtsoundError, match="no audio vectors"):
        match(np.ones((0, 4)), good)
    with pytest.raises(ArtsoundError, match=r"shape \(3,\)"):
        match(np.ones(3), good)


def test_refuses_impossible_options() -> None:
    good = np.ones((3, 4))
    with pytest.raises(UsageError, match="'gready': available: greedy"):
        match(good, good, method="gready")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown objective 'best'"):
        match(good, good, "optimal", objective="best")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is for method optimal, not greedy"):
        match(good, good, objective="tail-averse")
    with pytest.raises(UsageError, match="unknown pairing backend 'gpu'"):
        match(good, good, backend="gpu")
    with pytest.raises(UsageError, match="max_per_artwork = 0: must be at least 1"):
        match(good, good, max_per_artwork=0)
    with pytest.raises(UsageError, match="method nearest knows no limit"):
        match(good, good, "nearest", max_per_artwork=2)
    with pytest.raises(UsageError, match=r"min_similarity = 1\.5: a cosine lies between"):
        match(good, good, min_similarity=1.5)
    with pytest.raises(UsageError, match="gap = 0"):
        match(good, good, "optimal", gap=0)
    with pytest.raises(UsageError, match="csls = -1"):
        match(good, good, csls=-1)
