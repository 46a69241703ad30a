"""Drawing artworks."""

from __future__ import annotations

from collections import Counter
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.data import Pair
from art2mus.listening.choose import check_enough, draw, eligible
from artsound.errors import UsageError


def pairs_of(styles: list[int]) -> list[Pair]:
    return [
        Pair(f"p{row}", f"a{row}", row, f"style {style}", "", "", 0.0)
        for row, style in enumerate(styles)
    ]


@settings(max_examples=100)
@given(
    styles=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    data=st.data(),
    seed=st.integers(0, 2**16),
)
def test_every_style_has_its_share(styles: list[int], data: st.DataObject, seed: int) -> None:
    pairs = pairs_of(styles)
    count = data.draw(st.integers(1, len(pairs)))
    rows = list(range(len(pairs)))
    drawn = draw(pairs, rows, count, seed)
    assert drawn == sorted(set(drawn)) == draw(pairs, rows, count, seed)
    assert len(drawn) == count
    of_each = Counter(styles[row] for row in drawn)
    for style, there in Counter(styles).items():
        share = count * there / len(pairs)
        assert floor(share - 1e-9) <= of_each[style] <= ceil(share + 1e-9)


def test_every_row_is_as_likely() -> None:
    pairs = pairs_of([0] * 5 + [1] * 3 + [2])
    times = Counter(row for seed in range(3000) for row in draw(pairs, range(9), 3, seed))
    assert all(abs(times[row] / 3000 - 1 / 3) < 0.04 for row in range(9))


def test_takes_each_artwork_once_and_only_what_all_models_have() -> None:
    pairs = pairs_of([0, 0, 1, 1])
    twin = Pair("p4", "a0", 4, "style 0", "", "", 0.0)
    everything = {pair.pair_id: 0 for pair in [*pairs, twin]}
    some = {name: 0 for name in everything if name != "p2"}
    assert eligible([*pairs, twin], {"m": everything, "n": some}) == [0, 1, 3]
    with pytest.raises(UsageError, match=r"n lacks 1 \(p2\): sample them, or give --artworks 3$"):
        check_enough([0, 1, 3], 4, pairs, {"m": everything, "n": some})


def test_names_the_split_that_the_predictions_are_for() -> None:
    train = pairs_of([0] * 5)
    test = [Pair("q0", "b0", 0, "", "", "", 0.0)]
    validation = [Pair("r0", "c0", 0, "", "", "", 0.0)]
    models = {"m": {pair.pair_id: 0 for pair in train}}
    others = [("train", train), ("validation", validation)]
    with pytest.raises(UsageError, match=r"^0 .* of the split train 5 can, so give --split train$"):
        check_enough([], 5, test, models, others)
    with pytest.raises(UsageError, match=r"so give --split train --artworks 5$"):
        check_enough([], 15, test, models, others)
    with pytest.raises(UsageError, match=r": sample every model on this split$"):
        check_enough([], 15, test, models, others[1:])
