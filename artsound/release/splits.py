"""Train, test and validation: 90/10, stratified over style, disjoint, seeded (section 5.2)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal

Split = Literal["train", "test", "validation"]
SPLITS: Final[tuple[Split, ...]] = ("train", "test", "validation")


def assign_splits(
    ids: Sequence[str],
    styles: Sequence[str | None],
    *,
    held_out: float = 0.10,
    max_validation: int = 100,
    seed: int = 0,
) -> list[Split]:
    """Give every pair its split.

    `round(held_out * n)` pairs are held out. Each style gets its proportional share of them by the
    largest-remainder method, so that styles too rare for a share of their own still count towards
    the total; within a style the pairs are taken by a seeded hash of their id, so the order of the
    rows does not matter. Of the held-out pairs, at most half and at most `max_validation` are
    validation, spread over the styles in the same way; the rest are test. The paper draws its
    validation artworks from the test split; here the three are disjoint.

    Args:
        ids: the pairs' ids, all different.
        styles: the artworks' styles; None is a style of its own.
        held_out: share of the pairs that are test or validation.
        max_validation: most pairs in validation.
        seed: of the hash.

    Returns:
        One split a pair, in order.
    """
    strata: dict[str, list[int]] = defaultdict(list)
    for index, style in enumerate(styles):
        strata[style or ""].append(index)
    for members in strata.values():
        members.sort(key=lambda index: _rank(ids[index], seed))
    # Fraction, because round(0.1 * n) in binary is not what a reader computes.
    total = round(Fraction(str(held_out)) * len(ids))
    held = _shares({style: len(members) for style, members in strata.items()}, total)
    validation = _shares(held, min(max_validation, total // 2))
    splits: list[Split] = ["train"] * len(ids)
    for style, members in strata.items():
        for position, index in enumerate(members[: held[style]]):
            splits[index] = "validation" if position < validation[style] else "test"
    return splits


def _rank(pair_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{pair_id}".encode()).digest()


def _shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Divide `total` over strata in proportion to their sizes, by largest remainder."""
    everything = sum(sizes.values())
    if not everything:
        return dict.fromkeys(sizes, 0)
    exact = {name: Fraction(size * total, everything) for name, size in sizes.items()}
    shares = {name: int(share) for name, share in exact.items()}
    missing = total - sum(shares.values())
    by_remainder = sorted(sizes, key=lambda name: (shares[name] - exact[name], -sizes[name], name))
    for name in by_remainder[:missing]:
        shares[name] += 1
    return shares
