"""Retrieval: where a clip's own artwork ranks among all artworks of the set, by cosine.

The artworks of the evaluated pairs are sorted by their cosine with a generated clip, each artwork
once. R@k is the share of clips whose own artwork is among the first k; the median rank is 1 at
best. Ties share the mean of their ranks, so music that is the same for every artwork scores chance.
Chance depends on the number of artworks, which the details give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from art2mus.benchmark.bootstrap import median_interval
from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric, mean_of

_TIE: Final = 1e-9
_last: tuple[bytes, tuple[Floats, int]] | None = None


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


def ranks_of(generated: Sequence[Array], artworks: Sequence[Array]) -> tuple[Floats, int]:
    """Return `retrieval_ranks`; three metrics rest on the same ones, so the last are kept."""
    global _last
    clips, pictures = np.stack(list(generated)), np.stack(list(artworks))
    key = hashlib.sha256(clips.tobytes() + pictures.tobytes()).digest()
    if _last is None or _last[0] != key:
        _last = key, retrieval_ranks(clips, pictures)
    return _last[1]


def _recall(
    k: int, generated: Sequence[Array], artworks: Sequence[Array], random: np.random.Generator
) -> Measurement:
    ranks, pool = ranks_of(generated, artworks)
    items = (ranks <= k).astype(np.float64)
    return _said(mean_of(items, random, artworks=pool, chance=min(1.0, k / pool)))


def _median(
    generated: Sequence[Array], artworks: Sequence[Array], random: np.random.Generator
) -> Measurement:
    ranks, pool = ranks_of(generated, artworks)
    details = {"artworks": pool, "chance": (pool + 1) / 2}
    interval = median_interval(ranks, random)
    return _said(Measurement(float(np.median(ranks)), interval, ranks, details))


def _said(found: Measurement) -> Measurement:
    if found.interval is None:
        return found
    return replace(found, details={**found.details, "interval_of": "the pairs; all artworks stay"})


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
