"""The other metrics against brute force and mathematics."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from art2mus.benchmark import bootstrap
from art2mus.benchmark.metrics import (
    METRICS,
    SUITES,
    choose,
    imagebind_score,
    kernel_distance,
    kl_divergence,
    names,
    retrieval,
    retrieval_ranks,
    spectrum_distribution,
)
from art2mus.benchmark.metrics.kernel import KAD, KID, median_distance
from artsound.errors import UsageError

Array = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def brute(
    x: Array,
    y: Array,
    kernel: str,
    x_clips: list[int] | None = None,
    y_clips: list[int] | None = None,
) -> float:
    """Sum over all pairs of frames, those of one clip left out."""
    width = median_distance(y)
    first = list(range(len(x))) if x_clips is None else x_clips
    second = list(range(len(y))) if y_clips is None else y_clips

    def k(a: Array, b: Array) -> float:
        if kernel == "polynomial":
            return float((a @ b / len(a) + 1) ** 3)
        return float(np.exp(-((a - b) @ (a - b)) / (2 * width**2 + 1e-8)))

    within = []
    for rows, clips in ((x, first), (y, second)):
        found = [
            k(a, b)
            for a, mine in zip(rows, clips, strict=True)
            for b, other in zip(rows, clips, strict=True)
            if mine != other
        ]
        within.append(sum(found) / len(found))
    across = sum(k(a, b) for a in x for b in y) / (len(x) * len(y))
    return (sum(within) - 2 * across) * (1000 if kernel == "polynomial" else 100)


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 9), st.integers(3, 9), st.sampled_from(["gaussian", "polynomial"]))
def test_kernel_distance_is_the_sum_over_pairs(seed: int, n: int, m: int, kernel: str) -> None:
    x, y = drawn(seed, n, 4), drawn(seed + 1, m, 4) + 0.4
    found = kernel_distance(x, y, kernel)  # type: ignore[arg-type]
    assert found == pytest.approx(brute(x, y, kernel), rel=1e-7, abs=1e-7)
    mixed = kernel_distance(x[::-1], np.roll(y, 1, axis=0), kernel)  # type: ignore[arg-type]
    assert mixed == pytest.approx(found, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("metric", [KAD, KID])
def test_kernel_distance_over_clips(metric: object) -> None:
    assert metric in (KAD, KID)
    sizes = [3, 1, 4, 2, 5, 3]
    x = [drawn(number, size, 6) for number, size in enumerate(sizes)]
    y = [drawn(number + 50, size, 6) + 1 for number, size in enumerate(reversed(sizes))]
    found = (KAD if metric is KAD else KID).measure(x, y, np.random.default_rng(0))
    kernel = "gaussian" if metric is KAD else "polynomial"
    owners = [[n for n, clip in enumerate(clips) for _ in clip] for clips in (x, y)]
    expected = brute(np.concatenate(x), np.concatenate(y), kernel, *owners)
    assert found.value == pytest.approx(expected, rel=1e-7)
    assert found.interval is not None
    assert found.interval[0] < expected < found.interval[1]
    assert found.details["scale"] == (100 if metric is KAD else 1000)


def test_kernel_distance_is_unbiased() -> None:
    values = [kernel_distance(drawn(2 * s, 12, 3), drawn(2 * s + 1, 12, 3)) for s in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values)) + 0.05


def test_kernel_distance_of_frames_that_are_all_alike() -> None:
    flat = [np.zeros((2, 3)) for _ in range(3)]
    found = KAD.measure(flat, flat, np.random.default_rng(0))
    assert found.value is None
    assert "alike" in found.details["undefined"]


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 6), st.integers(2, 40))
def test_label_divergence(seed: int, n: int, labels: int) -> None:
    truth, generated = 3 * drawn(seed, n, labels), 3 * drawn(seed + 1, n, labels)
    found = kl_divergence(truth, generated)
    for row in range(n):
        p, q = (np.exp(one[row]) / np.exp(one[row]).sum() for one in (truth, generated))
        expected = float(sum(p * np.log(p / (q + 1e-6))))
        assert found[row] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert (found >= -1e-6 * labels).all()
    assert np.abs(kl_divergence(truth, truth)).max() <= 1e-6 * labels
    np.testing.assert_allclose(kl_divergence(truth + 7, generated - 3), found, rtol=1e-9, atol=1e-9)


def test_label_divergence_of_equal_clips_is_zero() -> None:
    logits = list(drawn(0, 5, 50))
    found = METRICS["kl-softmax"].measure(logits, logits, np.random.default_rng(0))
    assert found.value == 0
    assert found.interval == (0, 0)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 10), st.floats(0.1, 100))
def test_score_is_the_cosine(seed: int, n: int, scale: float) -> None:
    a, b = drawn(seed, n, 8), drawn(seed + 1, n, 8)
    found = imagebind_score(a * scale, b)
    expected = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(imagebind_score(a, a), 1)
    np.testing.assert_allclose(imagebind_score(a, -a), -1)
    assert imagebind_score(np.zeros((1, 3)), np.ones((1, 3)))[0] == 0


def test_retrieval_ranks() -> None:
    artworks = np.eye(4)
    clips = np.array([[1, 0, 0, 0], [0.9, 0.5, 0, 0], [0.5, 0.5, 0.5, 0.5], [0, 0, 1, 0.5]])
    ranks, pool = retrieval_ranks(clips, artworks)
    assert pool == 4
    assert ranks.tolist() == [1, 2, 2.5, 2]


def test_retrieval_counts_an_artwork_once() -> None:
    artworks = np.array([[1, 0], [1, 0], [0, 1.0]])
    ranks, pool = retrieval_ranks(np.array([[0, 1.0], [1, 0], [0, 1]]), artworks)
    assert pool == 2
    assert ranks.tolist() == [2, 1, 1]


def test_retrieval_of_the_same_music_for_all_is_chance() -> None:
    artworks = drawn(0, 50, 8)
    artworks /= np.linalg.norm(artworks, axis=1, keepdims=True)
    ranks, pool = retrieval_ranks(np.tile(drawn(1, 1, 8), (50, 1)), artworks)
    assert ranks.mean() == pytest.approx((pool + 1) / 2)


def test_retrieval_metrics_share_the_ranks() -> None:
    clips, artworks = list(drawn(0, 9, 4)), list(drawn(1, 9, 4))
    shared = [
        METRICS[name].measure(clips, artworks, np.random.default_rng(0))
        for name in ("retrieval-r1", "retrieval-r10", "retrieval-median-rank")
    ]
    ranks = shared[2].items
    assert ranks is not None
    assert retrieval.ranks_of(clips, artworks)[0] is ranks
    assert shared[0].value == np.mean(ranks <= 1)
    other = METRICS["retrieval-median-rank"].measure(
        clips, artworks[::-1], np.random.default_rng(0)
    )
    assert other.items is not None
    assert (
        other.items.tolist()
        == retrieval_ranks(np.stack(clips), np.stack(artworks[::-1]))[0].tolist()
    )


def test_spectrum() -> None:
    time = np.arange(16_000) / 16_000
    found = spectrum_distribution(np.sin(440 * 2 * np.pi * time).astype(np.float32))
    assert found.shape == (1025,)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert np.isnan(spectrum_distribution(np.zeros(16_000, np.float32))).all()


def test_bootstrap_covers_what_it_should() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        found = bootstrap.mean_interval(random.normal(size=60), random, 400)
        assert found is not None
        inside += found[0] <= 0 <= found[1]
    assert 180 <= inside <= 200
    assert bootstrap.mean_interval(np.ones(1), random) is None


def test_interval_of_a_median_holds_it() -> None:
    values = np.arange(101, dtype=np.float64)
    found = bootstrap.median_interval(values, np.random.default_rng(0))
    assert found is not None
    assert 30 < found[0] < 50 < found[1] < 70


def test_sigmoid_divergence_has_no_direction() -> None:
    assert METRICS["kl-sigmoid"].higher_is_better is None
    assert {one.higher_is_better for name, one in METRICS.items() if name != "kl-sigmoid"} == {
        True,
        False,
    }


def test_names_and_suites() -> None:
    for suite, members in SUITES.items():
        assert [one.name for one in choose(suite)] == list(members)
    assert [one.name for one in choose(["fad-vggish", "fad-vggish"])] == ["fad-vggish"]
    assert {"fad-vggish", "fad-mert", "kl-softmax-panns-32k", "spectrum-kl"} <= set(names())
    assert "score-artwork-clap-music" not in names()
    for metric in METRICS.values():
        assert metric.summary
        assert metric.caveat
        assert metric.version


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("papr", "did you mean 'paper'"),
        (["fad-vgish"], "did you mean 'fad-vggish'"),
        (["score-artwork-clap-music"], "unknown metric"),
        (["kidd"], "did you mean one of kid-vggish, kid-"),
        (["fad"], "did you mean one of fad-vggish, fad-vggish-pca, "),
        (["kl"], "did you mean one of kl-softmax-"),
        (["nonsense"], "unknown metric 'nonsense': `art2mus benchmark metrics --names` lists all"),
        ([], "no metric"),
    ],
)
def test_unknown_names(asked: str | list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as error:
        choose(asked)
    assert len(str(error.value)) < 300  # and not the sixty names that there are
