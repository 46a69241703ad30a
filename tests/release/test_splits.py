"""Splits: disjoint, seeded, even over styles, and a row that has one keeps it."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.release.splits import SPLITS, Split, assign_splits, describe_splits

names = st.lists(st.integers(0, 10_000).map(lambda number: f"artwork-{number}"), max_size=300)
sets = names.map(lambda found: list(dict.fromkeys(found)))
limits = st.integers(0, 20)
seeds = st.integers(0, 3)


def _splits(
    ids: list[str],
    limit: int = 100,
    seed: int = 0,
    held_out: float = 0.1,
    previous: dict[str, Split] | None = None,
) -> dict[str, Split]:
    found = assign_splits(
        ids, held_out=held_out, max_validation=limit, seed=seed, previous=previous
    )
    return dict(zip(ids, found, strict=True))


@given(sets, sets, limits, seeds, st.sampled_from([0.1, 0.5, 1.0]))
def test_an_added_row_moves_none_but_the_last_of_a_full_validation(
    old: list[str], added: list[str], limit: int, seed: int, held_out: float
) -> None:
    before = _splits(old, limit, seed, held_out)
    whole = list(dict.fromkeys(old + added))
    after = _splits(whole, limit, seed, held_out)
    moved = {(before[name], after[name]) for name in old if before[name] != after[name]}
    assert moved <= {("validation", "test")}
    displaced = sum(before[name] != after[name] for name in old)
    assert displaced <= len(whole) - len(old)
    if displaced:
        counts = Counter(after.values())
        assert counts["validation"] == limit


@given(sets, sets, limits, seeds)
def test_with_the_release_before_nothing_moves(
    old: list[str], added: list[str], limit: int, seed: int
) -> None:
    before = _splits(old, limit, seed, 0.5)
    whole = list(dict.fromkeys(added + old))
    after = _splits(whole, limit, seed, 0.5, previous=before)
    assert all(after[name] == before[name] for name in old)
    assert Counter(after.values())["validation"] <= limit


@given(sets, seeds)
def test_train_and_held_out_depend_on_the_artwork_alone(ids: list[str], seed: int) -> None:
    together = _splits(ids, 5, seed, 0.5)
    for name in ids:
        alone = _splits([name], 5, seed, 0.5)[name]
        assert (alone == "train") == (together[name] == "train")


@given(names, limits, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    ids: list[str], limit: int, shuffler: random.Random
) -> None:
    shuffled = list(ids)
    shuffler.shuffle(shuffled)
    assert _splits(ids, limit, held_out=0.5) == _splits(shuffled, limit, held_out=0.5)


@given(st.lists(st.integers(0, 30).map(str), max_size=100), limits)
def test_the_pairs_of_an_artwork_stay_together(ids: list[str], limit: int) -> None:
    found = assign_splits(ids, held_out=0.5, max_validation=limit)
    assert len(set(zip(ids, found, strict=True))) == len(set(ids))
    assert found.count("validation") <= limit


@pytest.mark.parametrize("seed", range(5))
def test_every_style_gives_its_share(seed: int) -> None:
    ids = [f"artwork-{number}" for number in range(105_884)]
    found = assign_splits(ids, seed=seed)
    counts = Counter(found)
    assert counts["validation"] == 100
    assert counts["train"] / len(ids) == pytest.approx(0.9, abs=0.004)
    styles = [number % 32 for number in range(len(ids))]
    held = Counter(style for style, split in zip(styles, found, strict=True) if split != "train")
    sizes = Counter(styles)
    for style, size in sizes.items():  # within 4.5 standard deviations of a tenth
        assert abs(held[style] / size - 0.1) < 4.5 * (0.09 / size) ** 0.5


def test_another_seed_holds_out_other_rows() -> None:
    ids = [str(number) for number in range(300)]
    assert _splits(ids, seed=1) != _splits(ids, seed=2)


def test_nothing_and_everything_can_be_held_out() -> None:
    ids = [str(number) for number in range(50)]
    assert set(_splits(ids, held_out=0.0).values()) == {"train"}
    assert set(_splits(ids, held_out=1.0).values()) == {"test", "validation"}
    assert assign_splits([]) == []


def test_the_manifest_names_rare_styles() -> None:
    styles = ["realism"] * 20 + ["rococo"] * 3 + [None] * 2
    splits: list[Split] = ["test", "validation", *["train"] * 21, "test", "train"]  # type: ignore[list-item]
    facts = describe_splits(styles, splits, 0.1)
    assert facts["styles"]["realism"] == {"train": 18, "test": 1, "validation": 1}
    assert list(facts["styles"]) == ["realism", "rococo", ""]
    assert facts["rare_styles"] == ["rococo", ""]
    assert facts["styles_only_in_train"] == ["rococo"]
    assert set(facts["styles"]["rococo"]) == set(SPLITS)
