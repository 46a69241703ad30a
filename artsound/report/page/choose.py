"""Which pairs the page shows with media: all, or a sample that is stratified over style."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

WORST: Final = 50
_SHARE: Final = 10  # at most a tenth of the sample are the least similar pairs


@dataclass(frozen=True)
class Choice:
    """The pairs that were chosen.

    Attributes:
        rows: their positions, ascending.
        total: how many there were to choose from.
        worst: how many of them are there because they are the least similar of all.
    """

    rows: list[int]
    total: int
    worst: int

    @property
    def whole(self) -> bool:
        """Say whether all pairs were chosen."""
        return len(self.rows) == self.total


def choose(
    keys: Sequence[int],
    styles: Sequence[str | None],
    similarity: Sequence[float],
    *,
    pairs: int,
    seed: int,
) -> Choice:
    """Choose pairs: the least similar ones, and a sample of the rest stratified over style.

    Args:
        keys: the track of each pair.
        styles: the style of each pair's artwork; None counts as a style.
        similarity: of each pair.
        pairs: how many are wanted.
        seed: of the draw.

    Returns:
        All of them if there are no more than wanted, else exactly as many as wanted. The least
        similar are taken first, so that the tail is seen as it is.
    """
    total = len(keys)
    if total <= pairs:
        return Choice(list(range(total)), total, 0)
    ascending = sorted(range(total), key=lambda row: (similarity[row], keys[row]))
    worst = ascending[: min(WORST, pairs // _SHARE)]
    seen = set(worst)
    strata: dict[str, list[int]] = {}
    for row in range(total):
        if row not in seen:
            strata.setdefault(styles[row] or "", []).append(row)
    quotas = allot({name: len(rows) for name, rows in strata.items()}, pairs - len(worst))
    chosen = list(worst)
    for name, rows in strata.items():
        rows.sort(key=lambda row: (_place(keys[row], seed), keys[row]))
        chosen += rows[: quotas[name]]
    return Choice(sorted(chosen), total, len(worst))


def allot(sizes: dict[str, int], places: int) -> dict[str, int]:
    """Share places among strata by size: each gets one if they suffice, then largest remainders.

    Args:
        sizes: rows of each stratum, at least one each.
        places: how many to share out, at most the sum of the sizes.
    """
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    quotas = {name: 1 if place < places else 0 for place, name in enumerate(names)}
    left = places - sum(quotas.values())
    # Of what is left by the first seat, so that no stratum gets more than it has.
    rest = {name: sizes[name] - quotas[name] for name in names}
    total = sum(rest.values())
    if not left or not total:
        return quotas
    exact = {name: Fraction(left * rest[name], total) for name in names}
    for name in names:
        quotas[name] += int(exact[name])
    remaining = places - sum(quotas.values())
    by_remainder = sorted(names, key=lambda name: (-(exact[name] % 1), name))
    for name in by_remainder[:remaining]:
        quotas[name] += 1
    return quotas


def _place(key: int, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{key}".encode()).digest()
