"""Ranking several waveforms of one artwork: by how close they are to it in a joint space.

With ImageBind this is the ImageBind score of image and audio (section 5.3 of the paper); with the
lite embedder it is the cosine in ConSE's space, a stand-in that goes by its own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artsound.errors import UsageError
from artsound.models.registry import load

if TYPE_CHECKING:
    from art2mus.encoders import VisualEncoder

FloatArray = NDArray[np.float32]


class Ranker:
    """Scores music against artworks in the space of an embedder.

    Args:
        embedder: an embedder of `artsound.models` that has images and audio.

    Raises:
        UsageError: it has not both.
    """

    def __init__(self, embedder: Any) -> None:
        if not can_rank(embedder):
            raise UsageError(
                f"{embedder.name} does not embed both images and music, so it cannot rank: name"
                " one that does, such as imagebind"
            )
        self._embedder = embedder
        self.name: str = embedder.name

    def embed(self, images: Sequence[Any]) -> FloatArray:
        """Return the unit vectors of images, float32, shape (n, d)."""
        found: FloatArray = self._embedder.embed_images(images)
        return found

    def scores(
        self, artworks: FloatArray, waveforms: Sequence[FloatArray], sample_rate: int
    ) -> FloatArray:
        """Return the cosine of each artwork and its waveform, float32, shape (n,).

        Args:
            artworks: unit vectors, shape (n, d).
            waveforms: n mono waveforms.
            sample_rate: in Hz.
        """
        heard = self._embedder.embed_audio(list(waveforms), sample_rate)
        cosines: FloatArray = (artworks * heard).sum(axis=1, dtype=np.float32)
        return cosines


def encoder_ranker(encoder: VisualEncoder) -> Ranker | None:
    """Return what ranks in the space of a visual encoder; None where that has no music in it."""
    return Ranker(encoder.embedder) if can_rank(encoder.embedder) else None


def load_ranker(name: str) -> Ranker:
    """Return what ranks in the space of a registered embedder, or of its short name.

    Raises:
        UsageError: there is no such embedder, or it has not both images and music.
        ArtsoundError: its weights are not here and cannot be brought.
    """
    from art2mus.encoder_names import encoder_name

    return Ranker(load("embedder", encoder_name(name)))


def can_rank(embedder: Any) -> bool:
    """Say whether an embedder has both images and audio."""
    return {"image", "audio"} <= set(embedder.modalities)


def best_first(scores: FloatArray, per_artwork: int) -> NDArray[np.int64]:
    """Return the order of waveforms that puts each artwork's best first, shape (n,).

    Artworks keep their places; of equal scores the earlier one comes first.

    Args:
        scores: shape (artworks * per_artwork,), an artwork's waveforms side by side.
        per_artwork: how many each has.
    """
    rows = -np.asarray(scores, np.float64).reshape(-1, per_artwork)
    order = np.argsort(rows, axis=1, kind="stable")
    return (order + per_artwork * np.arange(len(rows))[:, None]).reshape(-1)
