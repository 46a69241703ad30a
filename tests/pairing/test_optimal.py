"""Optimal pairing against scipy, and its certificate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from artsound.pairing import Matching, match
from artsound.pairing import optimal as module
from artsound.pairing.matching import Objective
from artsound.pairing.optimal import utility
from artsound.pairing.similarity import similarity_matrix, unit_vectors
from tests.pairing.brute_force import Vectors

OBJECTIVES: tuple[Objective, ...] = ("similarity", "tail-averse")


def best_total(
    audio: Vectors, images: Vectors, objective: Objective, uses: int
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], float]:
    """Return what each pair adds, and the largest total there is."""
    a, b = unit_vectors(np.asarray(audio), "audio"), unit_vectors(np.asarray(images), "image")
    gain = utility(similarity_matrix(a, b).astype(np.float64), objective)
    many = np.repeat(gain, uses, axis=1)
    row, column = linear_sum_assignment(many, maximize=True)
    return gain, float(many[row, column].sum())


def check(
    result: Matching, audio: Vectors, images: Vectors, objective: Objective, uses: int
) -> float:
    """Check that a matching is one and keeps its promise; returns what it loses a pair."""
    gain, best = best_total(audio, images, objective, uses)
    paired = np.flatnonzero(result.image >= 0)
    assert len(paired) == min(len(audio), len(images) * uses)
    assert np.bincount(result.image[paired]).max() <= uses
    lost = (best - float(gain[paired, result.image[paired]].sum())) / len(paired)
    assert -1e-9 <= lost <= result.gap + 1e-9
    return lost


@pytest.fixture
def always_auction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_PAIRS", 0)


def data(kind: str, n: int, m: int, d: int, seed: int) -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    if kind == "signs":
        a, b = np.sign(a), np.sign(b)
    elif kind == "equal":
        a[:], b[:] = 1, 1
    elif kind == "rank one":
        v = rng.standard_normal(d)
        a, b = np.outer(rng.random(n), v) + 0.01 * a, np.outer(rng.random(m), v) + 0.01 * b
    return a, b


@pytest.mark.usefixtures("always_auction")
@given(
    st.sampled_from(["normal", "signs", "equal", "rank one"]),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 20),
    st.integers(0, 99),
    st.sampled_from(OBJECTIVES),
    st.sampled_from(["float32", "bfloat16"]),
    st.integers(1, 3),
    st.integers(1, 50),
    st.integers(2, 64),
)
@settings(max_examples=150)
def test_auction_keeps_its_certificate(
    kind: str,
    n: int,
    m: int,
    d: int,
    seed: int,
    objective: Objective,
    backend: str,
    uses: int,
    block_rows: int,
    shortlist: int,
) -> None:
    audio, images = data(kind, n, m, d, seed)
    result = match(
        audio,
        images,
        "optimal",
        objective=objective,
        backend=backend,
        max_per_artwork=uses,
        block_rows=block_rows,
        shortlist=shortlist,
    )
    check(result, audio, images, objective, uses)
    assert result.gap <= 5e-4


@pytest.mark.usefixtures("always_auction")
@pytest.mark.parametrize(("n", "m"), [(2000, 2000), (1500, 2000), (2000, 1800)])
def test_auction_against_scipy_at_two_thousand(n: int, m: int) -> None:
    audio, images = data("normal", n, m, 64, 1)
    for objective in OBJECTIVES:
        result = match(audio, images, "optimal", objective=objective, block_rows=300)
        check(result, audio, images, objective, 1)
        assert result.gap <= 5e-4
    finer = match(audio, images, "optimal", gap=2e-5)
    assert check(finer, audio, images, "similarity", 1) <= 2.1e-5


@pytest.mark.usefixtures("always_auction")
def test_auction_with_faiss() -> None:
    audio, images = data("normal", 200, 220, 16, 3)
    result = match(audio, images, "optimal", backend="faiss", block_rows=64)
    check(result, audio, images, "similarity", 1)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("uses", [1, 2])
def test_small_problems_are_exact(objective: Objective, uses: int) -> None:
    audio, images = data("normal", 90, 60, 12, 2)
    result = match(audio, images, "optimal", objective=objective, max_per_artwork=uses)
    assert result.gap == 0.0
    assert check(result, audio, images, objective, uses) == pytest.approx(0.0, abs=1e-12)


def test_gains_on_greedy_and_the_tail() -> None:
    audio, images = data("normal", 800, 850, 24, 4)
    greedy, best = match(audio, images), match(audio, images, "optimal")
    tail = match(audio, images, "optimal", objective="tail-averse")
    assert best.similarity.mean() > greedy.similarity.mean()
    low = [np.percentile(result.similarity, 1) for result in (greedy, best, tail)]
    assert low[0] < low[1] < low[2]


@pytest.mark.usefixtures("always_auction")
def test_csls_is_maximised() -> None:
    audio, images = data("normal", 300, 320, 12, 5)
    plain = match(audio, images, "optimal", block_rows=100)
    corrected = match(audio, images, "optimal", csls=5, block_rows=100)
    # All artworks' shifts but those of the unpaired ones are the same for every assignment.
    assert corrected.gap <= 5e-4
    assert corrected.similarity.sum() <= plain.similarity.sum() + 300 * plain.gap
