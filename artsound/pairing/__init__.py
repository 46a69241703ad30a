"""Pairing tracks with artworks by the similarity of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from numpy.typing import ArrayLike

from artsound.pairing.greedy import pair_greedily, pair_sequentially
from artsound.pairing.matching import (
    Matching,
    Method,
    Objective,
    Options,
    Progress,
    above,
    both_sides,
    check_options,
    silent,
)
from artsound.pairing.neighbours import pair_nearest
from artsound.pairing.optimal import pair_optimally
from artsound.pairing.similarity import Side

__all__ = ["Matching", "match"]

_METHODS: Final[Mapping[str, Callable[[Side, Side, Options], Matching]]] = {
    "greedy": pair_greedily,
    "optimal": pair_optimally,
    "sequential": pair_sequentially,
    "nearest": pair_nearest,
}


def match(
    audio: ArrayLike,
    images: ArrayLike,
    method: Method = "greedy",
    *,
    objective: Objective = "similarity",
    gap: float = 2.5e-4,
    csls: int = 0,
    max_per_artwork: int = 1,
    min_similarity: float = -1.0,
    backend: str = "auto",
    block_rows: int = 0,
    shortlist: int = 0,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> Matching:
    """Pair tracks with artworks by the cosine similarity of their vectors.

    Methods:
        * `greedy`: the most similar pair first, one to one (paper, eq. 3-4 and section 3.3); of
          equally similar pairs that of the lowest track, then of the lowest artwork.
        * `optimal`: one to one with the largest total similarity, to within `gap` a pair.
        * `sequential`: each track, in order, takes the best artwork left (eq. 4 read literally).
        * `nearest`: each track takes its best artwork, however often that is taken.

    Args:
        audio: the tracks' vectors, shape (n, d), of any length; may be memory-mapped. A zero
            vector has similarity 0 with everything.
        images: the artworks' vectors, shape (m, d), likewise.
        method: see above.
        objective: what `optimal` maximises: the total `similarity` s, or `tail-averse` the total
            of -t exp(-s / t) with t = 0.15, which gives up a little of the best pairs for better
            worst ones.
        gap: what `optimal` may lie below the best, a pair; small problems are solved exactly.
        csls: compare by CSLS with this many neighbours (Conneau et al. 2018, eq. 3), which
            discounts artworks that are near to everything; 0 compares by the cosine. The
            similarity returned is the cosine all the same.
        max_per_artwork: how many tracks may share an artwork; not for `nearest`.
        min_similarity: pairs less similar than this are not made.
        backend: what computes the products: `auto`, `float32`, `bfloat16`, `cuda` or `faiss`. All
            give the same pairs; `optimal` the same gap.
        block_rows: tracks whose similarities are in memory at a time; 0 chooses for about 0.5 GB.
        shortlist: candidates kept a track; 0 chooses. No influence on the result.
        checkpoint: a file to keep the state in about once a minute, and to continue from; removed
            at the end.
        progress: called with (done, total), in similarities or whatever unit the method has.

    Raises:
        UsageError: no such method, objective or backend, or an impossible constraint.
        ArtsoundError: a side is empty, the dimensions differ, or a value is not finite; names the
            row.
    """
    options = Options(
        objective,
        gap,
        csls,
        max_per_artwork,
        min_similarity,
        backend,
        block_rows,
        shortlist,
        checkpoint,
        progress,
    )
    check_options(method, options)
    tracks, artworks = both_sides(audio, images)
    return above(_METHODS[method](tracks, artworks, options), min_similarity)
