"""Retrieval: where a clip's own artwork ranks among all artworks of the set, by cosine.

The artworks of the evaluated pairs are sorted by their cosine with a generated clip, each artwork
once. R@k is the share of clips whose own artwork is among the first k; the median rank is 1 at
best. Ties share the mean of their ranks, so music that is the same for every artwork scores chance.
Chance depends on the number of artworks, which the details give.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from art2mus.benchmark.bootstrap import mean_interval, statistic_interval
from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric

_REPLICATES: Final = 1000
_TIE: Final = 1e-9


def retrieval_ranks(generated: ArrayLike, artworks: ArrayLike) -> tuple[Floats, int]:
    """Return the rank of each clip's own artwork, shape (n,), from 1, and how many there are.

    Args:
        generated: unit embeddings of the generated clips, shape (n, d).
        artworks: those of their artworks, shape (n, d); equal rows are one artwork.
    """
    clips, pictures = np.asarray(generated, np.float64), np.asarray(artworks, np.float64)
    distinct, own = np.unique(pictures, axis=0, return_inverse=True)
    ranks = np.empty(len(clips))
    for row, clip in enumerate(clips):
        cosines = distinct @ clip
        mine = cosines[own.reshape(-1)[row]]
        above = int((cosines > mine + _TIE).sum())
        tied = int((np.abs(cosines - mine) <= _TIE).sum())
        ranks[row] = above + (tied + 1) / 2
    return ranks, len(distinct)


def _recall(
    k: int, generated: Sequence[Array], artworks: Sequence[Array], random: np.random.Generator
) -> Measurement:
    ranks, pool = retrieval_ranks(np.stack(list(generated)), np.stack(list(artworks)))
    items = (ranks <= k).astype(np.float64)
    details = {"artworks": pool, "chance": min(1.0, k / pool)}
    return Measurement(float(items.mean()), mean_interval(items, random), items, details)


def _median(
    generated: Sequence[Array], artworks: Sequence[Array], random: np.random.Generator
) -> Measurement:
    ranks, pool = retrieval_ranks(np.stack(list(generated)), np.stack(list(artworks)))
    value = float(np.median(ranks))

    def resampled(times: NDArray[np.int64]) -> float:
        return float(np.median(np.repeat(ranks, times)))

    interval = statistic_interval(value, resampled, len(ranks), random, _REPLICATES, lowest=1.0)
    details = {"artworks": pool, "chance": (pool + 1) / 2}
    return Measurement(value, interval, ranks, details)


_CAVEAT: Final = "artworks of one style are hard to tell apart by their music, for people too"

R_AT_1, R_AT_10 = (
    Metric(
        name=f"retrieval-r{k}",
        version="1",
        higher_is_better=True,
        feature="vector",
        counterpart="artwork",
        measure=partial(_recall, k),
        summary=f"share of clips whose own artwork is among the {k} nearest of the set",
        caveat=_CAVEAT,
    )
    for k in (1, 10)
)
MEDIAN_RANK: Final = Metric(
    name="retrieval-median-rank",
    version="1",
    higher_is_better=False,
    feature="vector",
    counterpart="artwork",
    measure=_median,
    summary="median rank of the clip's own artwork among those of the set",
    caveat=_CAVEAT,
)
