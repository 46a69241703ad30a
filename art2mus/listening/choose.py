"""Drawing the artworks: seeded, and from each style as many as its share is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from art2mus.data import Pair
from artsound.errors import UsageError

_NAMED: Final = 3


def eligible(pairs: Sequence[Pair], models: Mapping[str, Mapping[str, object]]) -> list[int]:
    """Return the rows that every model has a prediction for, each artwork once.

    Args:
        pairs: of the split.
        models: predictions by model and pair.
    """
    rows, seen = [], set()
    for row, pair in enumerate(pairs):
        artwork = pair.artwork_id or pair.pair_id
        if artwork not in seen and all(pair.pair_id in found for found in models.values()):
            seen.add(artwork)
            rows.append(row)
    return rows


def draw(pairs: Sequence[Pair], rows: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw rows, stratified over style.

    A systematic sample of the rows sorted by style, in each style and over the styles in random
    order: of a style with the share p come floor(count p) or ceil(count p) rows (Cochran, "Sampling
    Techniques", chapter 8).

    Args:
        pairs: of the split.
        rows: to draw from.
        count: how many, at most as many as there are.
        seed: the same gives the same.

    Returns:
        Row numbers, in the split's order.
    """
    random = np.random.default_rng(seed)
    styles: dict[str, list[int]] = {}
    for row in random.permutation(np.asarray(rows, int)):
        styles.setdefault(pairs[row].style, []).append(int(row))
    # In a style the rows are in random order now, and so are the styles.
    line = [row for style in styles.values() for row in style]
    places = np.floor((random.random() + np.arange(count)) * len(line) / count).astype(int)
    return sorted(line[place] for place in np.minimum(places, len(line) - 1))


def check_enough(
    rows: Sequence[int],
    count: int,
    pairs: Sequence[Pair],
    models: Mapping[str, Mapping[str, object]],
    others: Iterable[tuple[str, Sequence[Pair]]] = (),
) -> None:
    """Refuse to draw more artworks than can be heard.

    Args:
        rows: what `eligible` found.
        count: how many artworks are asked for.
        pairs: of the split.
        models: predictions by model and pair.
        others: the names and pairs of the release's other splits; read only where rows are too few.

    Raises:
        UsageError: they are too few; names what each model lacks, or the split that it is of.
    """
    if len(rows) >= count:
        return
    lacks = []
    for name, found in models.items():
        if missing := [pair.pair_id for pair in pairs if pair.pair_id not in found]:
            more = ", ..." if len(missing) > _NAMED else ""
            lacks.append(f"{name} lacks {len(missing)} ({', '.join(missing[:_NAMED])}{more})")
    why = f"; {'; '.join(lacks)}" if lacks else ""
    elsewhere = [(len(eligible(there, models)), name) for name, there in others]
    most, split = max(elsewhere, default=(0, ""))
    if most > len(rows):
        fewer = "" if most >= count else f" --artworks {most}"
        remedy = f"of the split {split} {most} can, so give --split {split}{fewer}"
    elif rows:
        remedy = f"sample them, or give --artworks {len(rows)}"
    else:
        remedy = "sample every model on this split"
    raise UsageError(
        f"{len(rows)} artworks of the split's {len(pairs)} pairs can be heard from every model, and"
        f" --artworks is {count}{why}: {remedy}"
    )
