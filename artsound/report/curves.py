"""Similarity by order of pairing: how fast it falls, and how much of the fall is greedy's.

Greedy pairing takes the best pair first, so its last tracks get what is left: the limit that the
paper names. The optimal assignment shows how much of that any one-to-one pairing would have to
pay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from artsound.pairing import match
from artsound.pairing.matching import Method
from artsound.pairing.strategies import STRATEGIES
from artsound.report.columns import by_order
from artsound.report.data import Data
from artsound.report.progress import Say
from artsound.table import Cell, Table

# Tracks times artworks: up to here an optimal assignment takes seconds.
LARGEST: Final = 4_000_000
_TENTHS: Final = 10
_COMPARED: Final[tuple[Method, ...]] = ("greedy", "optimal")


def strategy_label(strategy: str) -> str:
    """Return a strategy as people read it: what of the artwork, and what of the music."""
    return " – ".join(what.replace("_", " ") for what in STRATEGIES[strategy])  # noqa: RUF001


@dataclass(frozen=True)
class Curve:
    """The similarities of one strategy's pairs in the order in which they are made.

    Attributes:
        strategy: which embeddings are compared.
        method: how they are paired.
        built: whether these are the workspace's own pairs; else they were made for the report.
        similarity: float64, shape (pairs,).
    """

    strategy: str
    method: str
    built: bool
    similarity: NDArray[np.float64]


def curves(data: Data, say: Say) -> list[Curve]:
    """Return the pairs' curves, and for small matrices those of greedy and optimal beside them."""
    found = []
    for strategy, pairs in data.pairs.items():
        similarity = by_order(pairs)
        if not len(similarity):
            continue
        own = str(pairs["method"][0].as_py())
        found.append(Curve(strategy, own, True, similarity))
        found += _others(data, strategy, own, len(pairs), say)
    return found


def _others(data: Data, strategy: str, own: str, tracks: int, say: Say) -> list[Curve]:
    artworks = 0 if data.artworks is None else len(data.artworks)
    if not tracks * artworks or tracks * artworks > LARGEST:
        return []
    image, audio = (
        data.vectors(data.recipe.pairing.embedder, what) for what in STRATEGIES[strategy]
    )
    if image is None or audio is None:
        return []
    chosen = data.recipe.pairing
    found = []
    for method in _COMPARED:
        if method == own:
            continue
        say(f"pairing {strategy}, {method}")
        made = match(
            audio[1],
            image[1],
            method,
            gap=chosen.gap,
            max_per_artwork=chosen.max_per_artwork,
            min_similarity=chosen.min_similarity,
        )
        paired = made.order >= 0
        order = np.argsort(made.order[paired], kind="stable")
        found.append(Curve(strategy, method, False, made.similarity[paired][order]))
    return found


def curves_table(found: list[Curve], embedder: str) -> Table:
    """Return the mean similarity of each tenth of the pairs, in the order of pairing."""
    rows: list[tuple[Cell, ...]] = []
    for tenth in range(_TENTHS):
        row: list[Cell] = [f"{10 * tenth}-{10 * (tenth + 1)} %"]
        for curve in found:
            part = np.array_split(curve.similarity, _TENTHS)[tenth]
            row.append(float(part.mean()) if len(part) else None)
        rows.append(tuple(row))
    for name, value in _ENDS.items():
        rows.append((name, *[value(curve.similarity) for curve in found]))
    computed = any(not curve.built for curve in found)
    note = (
        "Pairs marked * were made for this report from the workspace's embeddings."
        if computed
        else f"Optimal beside greedy needs embeddings and at most {LARGEST:,} tracks times"
        " artworks here; beyond that `artsound compare pairings` computes it."
    )
    return Table(
        "similarity_by_order",
        "Similarity by order of pairing: the mean of each tenth",
        ("pairs", *[f"{one.strategy}, {one.method}{'' if one.built else ' *'}" for one in found]),
        tuple(rows),
        (f"Mean cosine similarity by {embedder}; 0-10 % are paired first. {note}",),
    )


_ENDS: Final[Mapping[str, Callable[[NDArray[np.float64]], float]]] = {
    "all": lambda values: float(values.mean()),
    "1 % lie below": lambda values: float(np.percentile(values, 1)),
    "smallest": lambda values: float(values.min()),
}
