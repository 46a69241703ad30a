"""Batches: one bad item costs that item; a model that fails on everything stops the build."""

from collections.abc import Sequence

import pytest

from artsound.errors import ArtsoundError
from artsound.models.batching import in_batches


def _halve(numbers: Sequence[int]) -> list[float]:
    for number in numbers:
        if number == 13:
            raise ValueError("thirteen")
    return [number / 2 for number in numbers]


def test_results_are_in_order_and_a_bad_item_is_its_own_error() -> None:
    results = in_batches([1, 2, 13, 4, 5, 6, 7], 3, _halve)
    assert isinstance(results[2], ValueError)
    assert [r for r in results if not isinstance(r, Exception)] == [0.5, 1, 2, 2.5, 3, 3.5]


def test_nothing_gives_nothing() -> None:
    assert in_batches([], 3, _halve) == []


def test_few_failures_are_the_items_own() -> None:
    assert all(isinstance(result, ValueError) for result in in_batches([13, 13, 13], 2, _halve))


def test_a_model_that_fails_on_everything_stops_the_build() -> None:
    with pytest.raises(ArtsoundError, match=r"fails on every item .*: ValueError: thirteen"):
        in_batches([13] * 4, 2, _halve)


def test_a_model_that_loses_items_stops_the_build() -> None:
    with pytest.raises(ArtsoundError, match="gave 2 results for 3 inputs"):
        in_batches([1, 2, 3], 3, lambda numbers: [0.0] * (len(numbers) - 1))


def test_an_error_of_the_model_is_not_the_items() -> None:
    def missing(_: Sequence[int]) -> list[int]:
        raise ArtsoundError("no weights")

    with pytest.raises(ArtsoundError, match="no weights"):
        in_batches([1], 1, missing)
