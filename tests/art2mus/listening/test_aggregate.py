"""Numbers against brute force."""

from __future__ import annotations

from itertools import permutations
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.listening.aggregate import Ratings
from art2mus.listening.documents import Answers, Key, KeyItem
from tests.art2mus.listening.listeners import IDS, answers


def key_of(models: int, artworks: int, *, anchor: bool = True) -> Key:
    """Return the key of a test with so many models, the anchor among them."""
    names = [f"m{number}" for number in range(models)]
    if anchor:
        names[-1] = "ground-truth"
    return Key(
        test="ab" * 8,
        release="r",
        release_fingerprint="f",
        split="test",
        seed=0,
        raters=15,
        seconds=10.0,
        lufs=-20.0,
        models=names,
        anchor=names[-1] if anchor else None,
        items={
            f"{row:016x}": KeyItem(
                pair_id=f"p{row}",
                artwork_id=f"a{row}",
                style="",
                # Backwards, so that nothing relies on the order of the models.
                tracks={f"{row:08x}{place:08x}": name for place, name in enumerate(names)}
                if row % 2
                else {f"{row:08x}{9 - place:08x}": name for place, name in enumerate(names)},
            )
            for row in range(artworks)
        },
        was_lufs={},
    )


def ordinal_alpha(units: list[list[int]]) -> float:
    """Krippendorff's alpha from his definition: a list of all raters' values for each unit."""
    values = [value for unit in units for value in unit]
    counts = {value: values.count(value) for value in sorted(set(values))}

    def distance(one: int, other: int) -> float:
        low, high = min(one, other), max(one, other)
        between = sum(count for value, count in counts.items() if low <= value <= high)
        return float((between - (counts[low] + counts[high]) / 2) ** 2) if low != high else 0.0

    observed = sum(
        distance(one, other) / (len(unit) - 1)
        for unit in units
        for one, other in permutations(unit, 2)
    ) / len(values)
    expected = sum(distance(one, other) for one, other in permutations(values, 2))
    return 1 - observed / (expected / (len(values) * (len(values) - 1)))


@st.composite
def opinions(draw: st.DrawFn) -> tuple[Key, list[dict[str, Any]], list[Any], list[Any]]:
    """Draw a test, its answers, and the same as plain lists: scores[r][a][m][q], prefers[r][a]."""
    models, artworks, raters = (draw(st.integers(2, 4)), *draw(st.tuples(*[st.integers(1, 4)] * 2)))
    key = key_of(models, artworks, anchor=draw(st.booleans()))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.integers(1, 5))
    scores = random.integers(1, top + 1, (raters, artworks, models, 4)).tolist()
    prefers = random.integers(0, models, (raters, artworks)).tolist()
    documents = []
    for rater in range(raters):
        document = answers(
            key,
            f"{rater:016x}",
            lambda model, a, q, rater=rater: scores[rater][a][key.models.index(model)][q],  # type: ignore[misc]
            lambda a, rater=rater: key.models[prefers[rater][a]],  # type: ignore[misc]
        )
        random.shuffle(document["answers"])
        documents.append(document)
    return key, documents, scores, prefers


@settings(max_examples=40)
@given(drawn=opinions())
def test_agrees_with_brute_force(
    drawn: tuple[Key, list[dict[str, Any]], list[Any], list[Any]],
) -> None:
    key, documents, scores, prefers = drawn
    ratings = Ratings.of(key, [Answers.model_validate(one) for one in documents])
    raters, artworks = range(len(scores)), range(len(key.items))
    others = [m for m, name in enumerate(key.models) if name != key.anchor]
    person = [
        [
            [mean(scores[r][a][m][q] for a in artworks) for q in range(4)]
            for m in range(len(key.models))
        ]
        for r in raters
    ]
    for m, means in enumerate(ratings.means()):
        for q, found in enumerate(means):
            assert found.value == pytest.approx(mean(person[r][m][q] for r in raters))
            given = [person[r][m][q] for r in raters]
            if len(scores) < 2 or max(given) - min(given) < 1e-9:
                assert found.interval is None
            else:
                # From a table of Student's t, for one to three degrees of freedom.
                half = (
                    (12.7062, 4.3027, 3.1824)[len(scores) - 2] * stdev(given) / len(scores) ** 0.5
                )
                bounds = max(1, mean(given) - half), min(5, mean(given) + half)
                assert found.interval == pytest.approx(bounds, abs=1e-3)
    shares = ratings.shares()
    for m, share in enumerate(shares):
        chosen = [mean(prefers[r][a] == m for a in artworks) for r in raters]
        assert share.value == pytest.approx(mean(chosen))
    assert sum(share.value for share in shares) == pytest.approx(1)
    low_raters = []
    for r in raters:
        if key.anchor is not None and person[r][-1][0] < mean(person[r][m][0] for m in others):
            low_raters.append(f"{r:016x}")
    # The mean of means may differ in its last bit; near ties are left out of the comparison.
    ties = {
        f"{r:016x}"
        for r in raters
        if abs(person[r][-1][0] - mean(person[r][m][0] for m in others)) < 1e-9
    }
    assert set(ratings.flagged()) - ties == set(low_raters) - ties
    for q in range(4):
        units = [[scores[r][a][m][q] for r in raters] for a in artworks for m in others]
        found_alpha = ratings.agreement(with_anchor=False)[q]
        if len(scores) < 2 or len({value for unit in units for value in unit}) < 2:
            assert found_alpha is None
        else:
            assert found_alpha == pytest.approx(ordinal_alpha(units))


def test_where_all_agree_there_is_no_interval() -> None:
    key = key_of(2, 2)
    documents = [
        answers(key, f"{r:016x}", lambda model, a, q, r=r: 1 + (r + a + q) % 5, lambda a: "m0")  # type: ignore[misc]
        for r in range(6)
    ]
    ratings = Ratings.of(key, [Answers.model_validate(one) for one in documents])
    assert all(one.interval is not None for one in ratings.means()[0])
    assert [(one.value, one.interval) for one in ratings.shares()] == [(1.0, None), (0.0, None)]
    assert ratings.preference_agreement() is None  # all prefer the same model
    assert [one[:2] for one in ratings.differences()] == [("m0", "ground-truth")]
    assert all((one.value, one.interval) == (0, None) for one in ratings.differences()[0][2])


@pytest.mark.parametrize("raters", [2, 3, 5])
def test_equal_models_are_told_apart_once_in_twenty_times_at_most(raters: int) -> None:
    # Of two raters, a percentile bootstrap tells every second pair of equal models apart.
    random = np.random.default_rng(raters)
    told = 0
    for _ in range(400):
        leaning = random.normal(0, 0.3, (raters, 1, 2, 4))
        scores = np.rint(3 + leaning + random.normal(0, 0.9, (raters, 15, 2, 4))).clip(1, 5)
        preferred = np.zeros((raters, 15), np.int64)
        codes = tuple(f"{rater:016x}" for rater in range(raters))
        ((_, _, found),) = Ratings(codes, ("a", "b"), None, scores, preferred).differences()
        bounds = [one.interval for one in found if one.interval]
        told += sum(low > 0 or high < 0 for low, high in bounds)
    assert told / 1600 < 0.07


def test_who_hears_the_ground_truth_as_bad_is_flagged_and_can_be_left_out() -> None:
    key = key_of(3, 2)

    def document(rater: int, anchor: int, models: int) -> Answers:
        return Answers.model_validate(
            answers(
                key,
                f"{rater:016x}",
                lambda model, a, q: anchor if model == "ground-truth" else models,
                lambda a: "m1",
            )
        )

    ratings = Ratings.of(key, [document(0, 5, 2), document(1, 1, 4), document(2, 3, 3)])
    assert ratings.flagged() == [f"{1:016x}"]
    kept = ratings.without(ratings.flagged())
    assert kept.raters == (f"{0:016x}", f"{2:016x}")
    assert [row[0].value for row in kept.means()] == [2.5, 2.5, 4.0]
    assert IDS == ("q1", "q2", "q3", "q4")


def test_intervals_stay_within_the_scale_and_no_difference_is_minus_nothing() -> None:
    key = key_of(2, 3, anchor=False)
    # Means of 7/3 for both models, out of other scores: the last bits differ.
    scores = {"m0": ((1, 1, 5), (2, 2, 3)), "m1": ((2, 2, 3), (5, 1, 1))}
    documents = [
        answers(key, f"{r:016x}", lambda model, a, q, r=r: scores[model][r][a], lambda a: "m0")  # type: ignore[misc]
        for r in range(2)
    ]
    ratings = Ratings.of(key, [Answers.model_validate(one) for one in documents])
    assert ratings.means()[0][0].value == pytest.approx(7 / 3)
    assert str(ratings.differences()[0][2][0].value) == "0.0"
    far = Ratings(ratings.raters, ratings.models, None, ratings.scores.copy(), ratings.preferred)
    far.scores[0, :, 0] = 5
    assert far.means()[0][0].interval == (1.0, 5.0)
    assert all(isinstance(bound, float) for bound in far.means()[0][0].interval or ())
