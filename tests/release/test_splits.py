"""Splits: disjoint, proportional, seeded, and the same whatever the order of the rows."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.release.splits import assign_splits

styles = st.lists(st.sampled_from(["baroque", "realism", "ukiyo-e", None]), max_size=200)


@given(styles, st.integers(0, 3))
def test_sizes_are_exact_and_strata_proportional(kinds: list[str | None], seed: int) -> None:
    ids = [f"pair-{number}" for number in range(len(kinds))]
    splits = assign_splits(ids, kinds, seed=seed)
    held = round(len(ids) * 0.1 + 1e-9)
    counts = Counter(splits)
    # Half-way cases round to even, so compare within one.
    assert abs(counts["test"] + counts["validation"] - held) <= 1
    assert counts["validation"] == (counts["test"] + counts["validation"]) // 2
    for style, size in Counter(kinds).items():
        held_of_style = sum(
            split != "train" for split, kind in zip(splits, kinds, strict=True) if kind == style
        )
        assert abs(held_of_style - 0.1 * size) <= 1


@given(styles, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(kinds: list[str | None], random: object) -> None:
    pairs = [(f"pair-{number}", kind) for number, kind in enumerate(kinds)]
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    plain = dict(zip([p for p, _ in pairs], assign_splits(*_columns(pairs)), strict=True))
    other = dict(zip([p for p, _ in shuffled], assign_splits(*_columns(shuffled)), strict=True))
    assert plain == other


def _columns(pairs: list[tuple[str, str | None]]) -> tuple[list[str], list[str | None]]:
    return [pair for pair, _ in pairs], [kind for _, kind in pairs]


def test_validation_has_its_limit() -> None:
    ids = [str(number) for number in range(5000)]
    counts = Counter(assign_splits(ids, ["x"] * 5000, max_validation=100))
    assert counts == {"train": 4500, "test": 400, "validation": 100}


def test_another_seed_holds_out_other_rows() -> None:
    ids = [str(number) for number in range(300)]
    assert assign_splits(ids, ["x"] * 300, seed=1) != assign_splits(ids, ["x"] * 300, seed=2)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_tiny_builds_keep_everything_in_train(count: int) -> None:
    ids = [str(number) for number in range(count)]
    assert set(assign_splits(ids, [None] * count)) <= {"train"}
