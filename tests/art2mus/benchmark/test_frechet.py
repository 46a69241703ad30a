"""The Frechet distance and its statistics against scipy, brute force and mathematics."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg

from art2mus.benchmark.metrics import frechet, frechet_distance
from art2mus.benchmark.metrics.frechet import measure
from art2mus.benchmark.statistics import Statistics, combine

Array = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, n: int, d: int, shift: float = 0.0) -> Array:
    random = np.random.default_rng(seed)
    made: Array = random.normal(size=(n, d)) @ random.normal(size=(d, d)) + shift
    return made


def textbook(a: Array, b: Array) -> float:
    first, second = (np.atleast_2d(np.cov(one, rowvar=False)) for one in (a, b))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = linalg.sqrtm(first @ second)
    difference = a.mean(axis=0) - b.mean(axis=0)
    value = difference @ difference + np.trace(first) + np.trace(second) - 2 * np.trace(root).real
    return float(value)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 12), st.integers(30, 60))
def test_agrees_with_scipys_square_root(seed: int, d: int, n: int) -> None:
    a, b = drawn(seed, n, d), drawn(seed + 1, n + 7, d, 0.5)
    assert frechet_distance(a, b) == pytest.approx(textbook(a, b), rel=1e-6, abs=1e-8)


@settings(max_examples=40)
@given(SEEDS, st.integers(2, 30), st.integers(1, 20))
def test_identity_symmetry_and_order(seed: int, n: int, d: int) -> None:
    a, b = drawn(seed, n, d), drawn(seed + 1, n + 3, d, 0.3)
    scale = Statistics.of(a).total_variance
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6 * scale)
    forth = frechet_distance(a, b)
    assert forth >= 0
    assert forth == pytest.approx(frechet_distance(b, a), rel=1e-7, abs=1e-7 * scale)
    mixed = np.random.default_rng(seed).permutation(a)
    assert forth == pytest.approx(frechet_distance(mixed, b), rel=1e-7, abs=1e-7 * scale)


@settings(max_examples=40)
@given(SEEDS, st.integers(2, 40), st.integers(1, 20), st.floats(-50, 50))
def test_a_shift_costs_its_squared_length(seed: int, n: int, d: int, size: float) -> None:
    a = drawn(seed, n, d)
    shift = np.random.default_rng(seed + 2).normal(size=d) * size
    tolerance = 1e-6 * (1 + Statistics.of(a).total_variance)
    assert frechet_distance(a, a + shift) == pytest.approx(shift @ shift, rel=1e-6, abs=tolerance)


@settings(max_examples=25)
@given(SEEDS, st.integers(2, 8), st.integers(2, 8))
def test_fewer_than_dimensions_is_exact(seed: int, n: int, m: int) -> None:
    """What lies in a plane of a large space has the distance that it has in the plane."""
    a, b = drawn(seed, n, 4), drawn(seed + 1, m, 4, 1.0)
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(200, 4)))[0]
    inside = frechet(Statistics.of(a), Statistics.of(b))
    outside = frechet(Statistics.of(a @ basis.T), Statistics.of(b @ basis.T))
    assert outside.form == "nuclear norm"
    assert outside.rank_deficient
    scale = 1 + Statistics.of(a).total_variance
    assert outside.value == pytest.approx(inside.value, rel=1e-6, abs=1e-6 * scale)


def test_one_set_with_few_and_one_with_many() -> None:
    few, many = drawn(1, 5, 16), drawn(2, 400, 16, 0.2)
    found = frechet(Statistics.of(few), Statistics.of(many))
    assert found.rank_deficient
    assert found.value == pytest.approx(textbook(few, many), rel=1e-5)


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 30), st.lists(st.integers(1, 25), min_size=1, max_size=6))
def test_merged_parts_are_the_whole(seed: int, d: int, sizes: list[int]) -> None:
    whole = drawn(seed, sum(sizes), d, 1e3)
    parts = np.split(whole, np.cumsum(sizes)[:-1])
    merged = Statistics.of(parts[0])
    for part in parts[1:]:
        merged = merged.merge(Statistics.of(part))
    assert merged.count == len(whole)
    np.testing.assert_allclose(merged.mean, whole.mean(axis=0), rtol=1e-12)
    if len(whole) > 1:
        expected = np.atleast_2d(np.cov(whole, rowvar=False))
        scale = max(1e-12, float(np.abs(expected).max()))
        assert np.abs(merged.covariance - expected).max() <= 1e-9 * scale


@settings(max_examples=25)
@given(SEEDS, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_weights_repeat(seed: int, times: list[int]) -> None:
    parts = [drawn(seed + number, 3 + number, 5) for number in range(4)]
    if sum(times) == 0:
        times[0] = 1
    repeated = np.concatenate([parts[k] for k, often in enumerate(times) for _ in range(often)])
    found = combine([Statistics.of(part) for part in parts], times)
    np.testing.assert_allclose(found.mean, repeated.mean(axis=0), atol=1e-9)
    expected = np.cov(repeated, rowvar=False)
    np.testing.assert_allclose(found.covariance, expected, atol=1e-8 * np.abs(expected).max())


def test_never_negative_where_rounding_would_make_it_so() -> None:
    a = drawn(0, 50, 128) * 1e4
    assert frechet_distance(a, a.copy()) >= 0
    flat = np.ones((50, 8))
    assert frechet_distance(flat, flat) == 0
    assert frechet_distance(flat, flat + 2) == pytest.approx(32)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3))),
        (np.zeros((5, 3)), np.zeros((5, 4))),
        (np.full((5, 3), np.nan), np.zeros((5, 3))),
        (np.zeros(5), np.zeros((5, 1))),
    ],
)
def test_what_has_no_distance(a: Any, b: Any) -> None:
    with pytest.raises(ValueError, match="embedding"):
        frechet_distance(a, b)


def test_measured_over_clips() -> None:
    clips = [drawn(number, 6, 10) for number in range(20)]
    others = [drawn(number + 100, 6, 10) for number in range(20)]
    found = measure(clips, others, np.random.default_rng(0))
    again = measure(clips, others, np.random.default_rng(0))
    assert found == again
    assert found.value == pytest.approx(
        frechet_distance(np.concatenate(clips), np.concatenate(others))
    )
    assert found.interval is not None
    assert found.value is not None
    assert found.interval[0] <= found.value <= found.interval[1]
    assert found.details["frames"] == 120
    assert not found.details["rank_deficient"]


def test_one_clip() -> None:
    clip = drawn(1, 5, 8)
    found = measure([clip], [clip], np.random.default_rng(0))
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.interval is None
    assert found.details["rank_deficient"]
    single = measure([clip[:1]], [clip], np.random.default_rng(0))
    assert single.value is None
    assert "two frames" in single.details["undefined"]
