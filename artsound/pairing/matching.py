"""What pairing returns, and what can be asked of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.errors import ArtsoundError, UsageError
from artsound.pairing.similarity import Side, as_matrix, side_of, similarity_of

Method = Literal["greedy", "optimal", "sequential", "nearest"]
METHODS: Final = ("greedy", "optimal", "sequential", "nearest")
Objective = Literal["similarity", "tail-averse"]
OBJECTIVES: Final = ("similarity", "tail-averse")
# The row of a track that got no artwork.
UNPAIRED: Final = -1

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Options:
    """How to pair, besides the method; see `match`."""

    objective: Objective = "similarity"
    gap: float = 2.5e-4
    csls: int = 0
    max_per_artwork: int = 1
    min_similarity: float = -1.0
    backend: str = "auto"
    block_rows: int = 0
    shortlist: int = 0
    checkpoint: Path | None = None
    progress: Progress = field(default=silent, compare=False)


@dataclass(frozen=True)
class Matching:
    """Which artwork each track got; one entry a track, in the tracks' order.

    A track without an artwork (there were fewer of them than tracks, or no pair similar enough) has
    image -1, similarity NaN and order -1.

    Attributes:
        image: row of the artwork, int64, shape (n,).
        similarity: cosine of the pair, float64, shape (n,).
        order: when the pair is made, 0 for the first, int64, shape (n,). Greedy makes its pairs in
            falling similarity and sequential in the order of the tracks; where a method has no
            order of its own, that is falling similarity too.
        gap: for `optimal`, how far at the most the mean over the pairs of the objective lies below
            the best possible one; NaN for the other methods.
        work: similarities computed by products, as a multiple of n m.
    """

    image: NDArray[np.int64]
    similarity: NDArray[np.float64]
    order: NDArray[np.int64]
    gap: float = math.nan
    work: float = math.nan


def check_options(method: str, options: Options) -> None:
    """Refuse what no data could satisfy.

    Raises:
        UsageError: says which option and why.
    """
    if method not in METHODS:
        raise UsageError(f"unknown pairing method {method!r}: available: {', '.join(METHODS)}")
    if options.objective not in OBJECTIVES:
        raise UsageError(
            f"unknown objective {options.objective!r}: available: {', '.join(OBJECTIVES)}"
        )
    if options.objective != "similarity" and method != "optimal":
        raise UsageError(f"objective {options.objective} is for method optimal, not {method}")
    if not options.gap > 0:
        raise UsageError(f"gap = {options.gap}: must be above 0")
    if options.csls < 0:
        raise UsageError(f"csls = {options.csls}: a number of neighbours, or 0 for none")
    if options.max_per_artwork < 1:
        raise UsageError(f"max_per_artwork = {options.max_per_artwork}: must be at least 1")
    if options.max_per_artwork > 1 and method == "nearest":
        raise UsageError("max_per_artwork: method nearest knows no limit; use another method")
    if not -1.0 <= options.min_similarity <= 1.0:
        raise UsageError(
            f"min_similarity = {options.min_similarity}: a cosine lies between -1 and 1"
        )


def both_sides(audio: ArrayLike, images: ArrayLike) -> tuple[Side, Side]:
    """Check both sides and normalise them.

    Raises:
        ArtsoundError: see `artsound.pairing.match`.
    """
    tracks, artworks = as_matrix(audio, "audio"), as_matrix(images, "image")
    if tracks.shape[1] != artworks.shape[1]:
        raise ArtsoundError(
            f"audio vectors have {tracks.shape[1]} dimensions and image vectors "
            f"{artworks.shape[1]}: embed both with one model"
        )
    return side_of(tracks, "audio"), side_of(artworks, "image")


def matching_of(
    tracks: Side,
    artworks: Side,
    image: NDArray[np.int64],
    value: NDArray[np.floating] | None = None,
    *,
    gap: float = math.nan,
    work: float = math.nan,
) -> Matching:
    """Return the matching that gives each track an artwork, or `UNPAIRED`: int64, shape (n,).

    Args:
        tracks: one side.
        artworks: the other.
        image: the artworks.
        value: what orders the pairs, shape (n,); the similarity where it is not given.
        gap: see `Matching`.
        work: see `Matching`.
    """
    paired = np.flatnonzero(image != UNPAIRED)
    similarity = np.full(len(image), np.nan)
    similarity[paired] = similarity_of(tracks, artworks, paired, image[paired])
    order = np.full(len(image), -1, dtype=np.int64)
    value = similarity if value is None else value
    order[paired[np.lexsort((paired, -value[paired]))]] = np.arange(len(paired))
    return Matching(image, similarity, order, gap, work)


def above(matching: Matching, least: float) -> Matching:
    """Take back the pairs that are less similar than `least`; -1 takes none, rounding apart."""
    if least <= -1.0:
        return matching
    with np.errstate(invalid="ignore"):
        dropped = matching.similarity < least
    if not dropped.any():
        return matching
    if (dropped | (matching.image == UNPAIRED)).all():
        raise ArtsoundError(
            f"min_similarity = {least}: no pair is that similar; the best has "
            f"{np.nanmax(matching.similarity):.4f}"
        )
    image = np.where(dropped, UNPAIRED, matching.image)
    similarity = np.where(dropped, np.nan, matching.similarity)
    order = np.full_like(matching.order, -1)
    kept = np.flatnonzero(image != UNPAIRED)
    order[kept[np.argsort(matching.order[kept])]] = np.arange(len(kept))
    return replace(matching, image=image, similarity=similarity, order=order)
