"""A seeded sample that has its strata in the population's shares (paper, appendix B)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence


def allocate(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Share out a sample among strata in proportion to their sizes, by largest remainders.

    Of equal remainders the larger stratum comes first, then the one that sorts first. No stratum
    gives more than it has; all are taken whole where `count` is not below their sum.

    Args:
        sizes: the size of each stratum.
        count: the size of the sample.
    """
    total = sum(sizes.values())
    count = min(count, total)
    if not total:
        return dict.fromkeys(sizes, 0)
    shares = {name: divmod(size * count, total) for name, size in sizes.items()}
    given = {name: whole for name, (whole, _) in shares.items()}
    by_remainder = sorted(sizes, key=lambda name: (-shares[name][1], -sizes[name], name))
    for name in by_remainder[: count - sum(given.values())]:
        given[name] += 1
    return given


def stratified_sample(strata: Mapping[str, str], count: int, seed: int) -> list[str]:
    """Return a sample of items, in the order of their ids.

    An item's chance to be drawn is a hash of the seed and its id, so that neither the order of the
    items nor those of other strata matter.

    Args:
        strata: the stratum of each item's id.
        count: the size of the sample.
        seed: changes which items are drawn.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for item, stratum in strata.items():
        members[stratum].append(item)
    given = allocate({name: len(items) for name, items in members.items()}, count)
    drawn: list[str] = []
    for name, items in members.items():
        drawn += sorted(items, key=lambda item: _draw(seed, item))[: given[name]]
    return sorted(drawn)


def _draw(seed: int, item: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{seed}:{item}".encode()).digest(), item


def strata_of(rows: Sequence[Mapping[str, object]], key: str, stratum: str) -> dict[str, str]:
    """Return the stratum of each row's id, both as text; rows without one are `unknown`."""
    return {str(row[key]): str(row[stratum] or "unknown") for row in rows}
