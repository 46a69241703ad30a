"""ImageBind score: the cosine between a generated clip and its artwork, or its ground-truth music.

Equation 14 of the paper: IBSc = e_art . e_gen / (|e_art| |e_gen|), the mean over pairs. With
another embedder of images and audio the same formula gives that embedder's score, and carries its
name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric, mean_of


def imagebind_score(generated: ArrayLike, counterpart: ArrayLike) -> Floats:
    """Return the cosine of each pair, shape (n,), in [-1, 1]; 0 where a vector is zero.

    Args:
        generated: embeddings of the generated music, shape (n, d).
        counterpart: of the artworks, or of the ground-truth music, shape (n, d).

    Raises:
        ValueError: the shapes differ.
    """
    a, b = np.asarray(generated, np.float64), np.asarray(counterpart, np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"embeddings of shapes {a.shape} and {b.shape}: expected (n, d) twice")
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("nd,nd->n", a, b)
    cosines = np.divide(products, lengths, out=np.zeros(len(a)), where=lengths > 0)
    made: Floats = np.clip(cosines, -1.0, 1.0)
    return made


def measure(
    generated: Sequence[Array], counterpart: Sequence[Array], random: np.random.Generator
) -> Measurement:
    """Measure; both hold an embedding a pair, shape (d,)."""
    items = imagebind_score(np.stack(list(generated)), np.stack(list(counterpart)))
    return mean_of(items, random)


SCORE_ARTWORK: Final = Metric(
    name="score-artwork",
    version="1",
    higher_is_better=True,
    feature="vector",
    counterpart="artwork",
    measure=measure,
    summary="cosine between the embeddings of the generated music and of its artwork",
    caveat="pairs were chosen by such a cosine, which favours models that use the same embedder;"
    " by a weak embedder noise may lie as near to an artwork as its own music",
)
SCORE_MUSIC: Final = Metric(
    name="score-music",
    version="1",
    higher_is_better=True,
    feature="vector",
    counterpart="music",
    measure=measure,
    summary="cosine between the embeddings of the generated music and of the pair's own music",
    caveat="one artwork fits much music: another good piece may score low",
)
