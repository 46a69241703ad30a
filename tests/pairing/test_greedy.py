from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artsound.errors import ArtsoundError, UsageError
from artsound.pairing import Matching, match
from artsound.pairing.greedy import greedy
from artsound.pairing.similarity import similarity, unit_vectors

Vectors = NDArray[np.float64]


def brute_force(audio: Vectors, images: Vectors) -> Matching:
    """Greedy as the paper words it: sort all pairs, take each that has both sides free."""
    a, b = unit_vectors(audio, "audio"), unit_vectors(images, "image")
    pairs = sorted(
        (-float(similarity(a[i : i + 1], b[j : j + 1])[0]), i, j)
        for i in range(len(a))
        for j in range(len(b))
    )
    image = np.full(len(a), -1)
    value = np.full(len(a), np.nan)
    order = np.full(len(a), -1)
    used: set[int] = set()
    for minus, i, j in pairs:
        if image[i] < 0 and j not in used:
            image[i], value[i], order[i] = j, -minus, len(used)
            used.add(j)
    return Matching(image, value, order)


def assert_equal(one: Matching, other: Matching) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.similarity, other.similarity)
    np.testing.assert_array_equal(one.order, other.order)


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


@given(sides(), st.integers(1, 160))
@settings(max_examples=400, deadline=None)
def test_equals_brute_force_for_any_block_size(
    given_sides: tuple[Vectors, Vectors], block_pairs: int
) -> None:
    audio, images = given_sides
    assert_equal(greedy(audio, images, block_pairs), brute_force(audio, images))


@pytest.mark.parametrize(("tracks", "artworks"), [(150, 150), (90, 200), (200, 90)])
@pytest.mark.parametrize("kind", ["normal", "hubs", "duplicates", "equal"])
def test_shortlists_that_run_out_do_not_change_the_result(
    tracks: int, artworks: int, kind: str
) -> None:
    rng = np.random.default_rng(7)
    audio, images = rng.standard_normal((tracks, 6)), rng.standard_normal((artworks, 6))
    if kind == "hubs":  # every track prefers the same artworks
        audio = np.abs(audio) * 0.1 + 1.0
    elif kind == "duplicates":
        audio[::2], images[::3] = audio[0], images[0]
    elif kind == "equal":
        audio[:], images[:] = audio[0], images[0]
    expected = brute_force(audio, images)
    for block_pairs in (1, 3 * artworks, 64 * artworks, 10**6):
        assert_equal(greedy(audio, images, block_pairs), expected)


def test_is_one_to_one_and_stable() -> None:
    rng = np.random.default_rng(0)
    audio, images = rng.standard_normal((700, 32)), rng.standard_normal((800, 32))
    result = greedy(audio, images, 100 * 800)
    assert len(set(result.image.tolist())) == 700
    values = unit_vectors(audio, "audio") @ unit_vectors(images, "image").T
    held = np.full(800, -np.inf)
    held[result.image] = result.similarity
    # No pair prefers each other to what both have.
    assert not ((values > result.similarity[:, None] + 1e-6) & (values > held + 1e-6)).any()
    assert (np.diff(result.similarity[np.argsort(result.order)]) <= 0).all()
    assert sorted(result.order.tolist()) == list(range(700))


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


def test_takes_memory_mapped_vectors(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    audio = rng.standard_normal((40, 8)).astype(np.float32)
    images = rng.standard_normal((50, 8)).astype(np.float32)
    np.save(tmp_path / "audio.npy", audio)
    np.save(tmp_path / "images.npy", images)
    mapped = match(
        np.load(tmp_path / "audio.npy", mmap_mode="r"),
        np.load(tmp_path / "images.npy", mmap_mode="r"),
    )
    assert_equal(mapped, match(audio, images))


def test_refuses_what_cannot_be_paired() -> None:
    good = np.ones((3, 4))
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(ArtsoundError, match="audio vectors, row 2: a value is not finite"):
        match(bad, good)
    bad[2, 1] = np.inf
    with pytest.raises(ArtsoundError, match="image vectors, row 2: a value is not finite"):
        match(good, bad)
    with pytest.raises(ArtsoundError, match="4 dimensions and image vectors 5"):
        match(good, np.ones((3, 5)))
    with pytest.raises(ArtsoundError, match="no image vectors"):
        match(good, np.ones((0, 4)))
    with pytest.raises(ArtsoundError, match="no audio vectors"):
        match(np.ones((0, 4)), good)
    with pytest.raises(ArtsoundError, match=r"shape \(3,\)"):
        match(np.ones(3), good)
    with pytest.raises(UsageError, match="'gready': available: greedy"):
        match(good, good, method="gready")
