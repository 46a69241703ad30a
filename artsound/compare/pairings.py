"""Tables 5 and 12: the similarity of the pairs that each strategy makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew

from artsound import paper
from artsound.embeddings import read_vectors
from artsound.errors import ArtsoundError
from artsound.models.base import FloatArray
from artsound.pairing import Matching, match
from artsound.pairing.matching import UNPAIRED
from artsound.pairing.neighbours import occurrences
from artsound.pairing.strategies import STRATEGIES
from artsound.stage import Build
from artsound.status import status
from artsound.table import Cell, Table

# Called with (what, done, total).
Progress = Callable[[str, int, int], None]

NEIGHBOURS: Final = 10
FIGURES: Final = ("n", "min", "max", "mean", "sd")
_SD: Final = "sd is that of the pairs as a population."


@dataclass(frozen=True)
class Paired:
    """What a strategy's embeddings give.

    Attributes:
        tracks: ids, in the order of the matchings.
        artworks: ids, likewise.
        greedy: the paper's pairs.
        optimal: the pairs with the largest total similarity.
        hubness: skewness of the artworks' occurrences among the tracks' nearest neighbours.
    """

    tracks: Sequence[Any]
    artworks: Sequence[Any]
    greedy: Matching
    optimal: Matching
    hubness: float

    def chosen(self) -> dict[Any, Any]:
        """Return the artwork of each track that greedy paired."""
        return {
            track: self.artworks[image]
            for track, image in zip(self.tracks, self.greedy.image, strict=True)
            if image != UNPAIRED
        }


def figures(similarity: NDArray[np.float64]) -> tuple[Cell, ...]:
    """Return n, min, max, mean and sd of the pairs that were made."""
    made = similarity[~np.isnan(similarity)]
    low, high = float(made.min()), float(made.max())
    return len(made), low, high, float(made.mean()), float(made.std())


def paper_figures(known: paper.Figures) -> tuple[Cell, ...]:
    """Return the paper's n, min, max, mean and sd."""
    return known.n, known.minimum, known.maximum, known.mean, known.sd


def hubness(audio: FloatArray, images: FloatArray) -> float:
    """Return the skewness of N_10 (Radovanovic et al. 2010): 0 where no artwork is a hub."""
    counts = occurrences(audio, images, NEIGHBOURS)
    return float(skew(counts)) if counts.std() else 0.0


def _unheard(what: str, done: int, total: int) -> None:
    """Stand for a `Progress` where nobody looks."""


def pair_strategies(build: Build, progress: Progress = _unheard) -> dict[str, Paired]:
    """Pair by each strategy whose two embeddings the workspace has, every part of them.

    Raises:
        ArtsoundError: it has those of none.
    """
    embedder = build.recipe.pairing.embedder
    built = {stage.table for stage in status(build.workspace) if stage.state == "done"}
    found = {}
    for strategy, (image, audio) in STRATEGIES.items():
        tables = [f"embeddings/{embedder}/{what}" for what in (image, audio)]
        if not built.issuperset(tables):
            continue
        artworks, images = read_vectors(build, tables[0], embedder)
        tracks, sounds = read_vectors(build, tables[1], embedder)
        if artworks and tracks:
            greedy = match(sounds, images, progress=partial(progress, f"{strategy}, greedy"))
            optimal = match(
                sounds, images, "optimal", progress=partial(progress, f"{strategy}, optimal")
            )
            found[strategy] = Paired(tracks, artworks, greedy, optimal, hubness(sounds, images))
    if not found:
        raise ArtsoundError(
            f"{build.workspace.root} has no whole embeddings to pair: run `artsound build` to its"
            " end"
        )
    return found


def strategies_table(build: Build, found: Mapping[str, Paired]) -> Table:
    """Return table 5, ours and the paper's rows."""
    rows: list[tuple[Cell, ...]] = []
    for strategy in STRATEGIES:
        if strategy in found:
            rows.append((strategy, "ours", *figures(found[strategy].greedy.similarity)))
        else:
            rows.append((strategy, "not built, or in part", *[None] * len(FIGURES)))
        rows.append((strategy, "paper", *paper_figures(paper.STRATEGIES[strategy])))
    return Table(
        "table_5",
        "Table 5: similarity of greedy pairs by strategy",
        ("strategy", "whose", *FIGURES),
        tuple(rows),
        (f"Ours are by {build.recipe.pairing.embedder}, the paper's by ImageBind. {_SD}",),
    )


def beyond_table(build: Build, found: Mapping[str, Paired]) -> Table:
    """Return what table 5 does not show: the tail, hubness, and what greedy leaves."""
    rows: list[tuple[Cell, ...]] = []
    for strategy, paired in found.items():
        greedy, optimal = paired.greedy.similarity, paired.optimal.similarity
        low = np.nanpercentile(greedy, [1, 5]).tolist()
        better = np.nanpercentile(optimal, [1, 5]).tolist()
        gain = float(np.nanmean(optimal) - np.nanmean(greedy))
        rows.append((strategy, *low, *better, gain, paired.optimal.gap, paired.hubness))
    return Table(
        "pairings_beyond",
        "Beyond the paper: the tail, optimal against greedy, hubs",
        (
            "strategy",
            "greedy p1",
            "greedy p5",
            "optimal p1",
            "optimal p5",
            "gain of mean",
            "gap at most",
            f"skewness of N_{NEIGHBOURS}",
        ),
        tuple(rows),
        (
            f"By {build.recipe.pairing.embedder}. p1 and p5: the similarity that 1 and 5 % of the"
            " pairs do not reach. The gain is optimal's mean less greedy's; the gap is how far"
            " optimal's mean may lie below the best possible.",
        ),
    )


def overlap_table(found: Mapping[str, Paired]) -> Table:
    """Return how often two strategies give a track the same artwork."""
    rows: list[tuple[Cell, ...]] = []
    for one, other in combinations(found, 2):
        first, second = found[one].chosen(), found[other].chosen()
        both = first.keys() & second.keys()
        same = sum(first[track] == second[track] for track in both)
        share = 100 * same / len(both) if both else math.nan
        chance = 100 / max(len(found[one].artworks), len(found[other].artworks))
        rows.append((f"{one}, {other}", len(both), same, share, chance))
    return Table(
        "pairings_overlap",
        "Tracks that two strategies give the same artwork",
        ("strategies", "tracks", "same artwork", "%", "% by chance"),
        tuple(rows),
    )
