"""Train, test and validation: 90/10, stratified over style, disjoint, seeded, stable (section 5.2).

An artwork's id and the seed give it a place in [0, 1), as even as a coin. The places below
`held_out` are held out; those in the lower half of them are for validation, the lowest first, as
long as there is room; the rest of them are test. All pairs of an artwork are in its split, so no
artwork is seen in training and in testing.

Why no quotas by style: a rule that looks only at the rows that there are, whatever their order, and
never moves one when others are added, decides each row by that row alone (add the others to it, one
by one: it must stay where it was when it was alone). So exact quotas and rows that stay exclude
each other, unless the rule remembers. Here each style is thinned by the same odds, which holds
out the same share of every style but for chance (a standard deviation of `sqrt(0.09 / n)` for a
style of n artworks), and no row ever crosses between train and the rest. Only the limit on
validation needs the other rows: once validation is full, an added artwork can push out the last one
to test, one for one; nothing moves the other way. With the splits of the release before, which is
the memory that the rule lacks, nothing moves at all.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, Literal

Split = Literal["train", "test", "validation"]
SPLITS: Final[tuple[Split, ...]] = ("train", "test", "validation")
RULE: Final = (
    "sha256 of seed/artwork_id: the first 64 bits, as a fraction of 1, below held_out are held out;"
    " the lowest of those below half of it, up to max_validation rows, are validation"
)
_PLACES: Final = 1 << 64


def assign_splits(
    artwork_ids: Sequence[str],
    *,
    held_out: float = 0.10,
    max_validation: int = 100,
    seed: int = 0,
    previous: Mapping[str, Split] | None = None,
) -> list[Split]:
    """Give every pair its split; the order of the pairs does not matter.

    Args:
        artwork_ids: the artwork of each pair; one may be in several pairs.
        held_out: share of the artworks that are test or validation.
        max_validation: most pairs in validation.
        seed: of the hash.
        previous: splits that artworks had before, which they keep.

    Returns:
        One split a pair, in order.
    """
    rows = Counter(artwork_ids)
    kept = {name: split for name, split in (previous or {}).items() if name in rows}
    # Fraction, because 0.1 in binary is not what a reader computes with.
    limit = int(Fraction(str(held_out)) * _PLACES)
    drawn = sorted(
        (place, name) for name in rows if name not in kept and (place := _place(name, seed)) < limit
    )
    found: dict[str, Split] = dict(kept)
    room = max_validation - sum(rows[name] for name in kept if kept[name] == "validation")
    for place, name in drawn:
        room = room - rows[name] if 2 * place < limit else -1
        found[name] = "validation" if room >= 0 else "test"
    return [found.get(name, "train") for name in artwork_ids]


def _place(artwork_id: str, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}/{artwork_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def describe_splits(
    styles: Sequence[str | None], splits: Sequence[Split], held_out: float
) -> dict[str, Any]:
    """Return what the manifest says of the splits: counts by style, and which styles are rare.

    A style is rare if its share of the held-out pairs is less than one pair.

    Args:
        styles: the style of each pair; None where the artwork has none.
        splits: the split of each pair.
        held_out: share of the pairs that is held out.
    """
    counts: dict[str, Counter[str]] = {}
    for style, split in zip(styles, splits, strict=True):
        counts.setdefault(style or "", Counter())[split] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return {
        "styles": {name: {split: found[split] for split in SPLITS} for name, found in ordered},
        "rare_styles": [name for name, found in ordered if found.total() * held_out < 1],
        "styles_only_in_train": [
            name for name, found in ordered if found["train"] == found.total()
        ],
    }


def as_split(name: str) -> Split:
    """Return a split's name as one of `SPLITS`; any other name counts as train."""
    return name if name in SPLITS else "train"
