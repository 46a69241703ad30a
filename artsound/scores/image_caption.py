"""How well a caption fits its artwork: CLIP-Score, PAC-Score and ICScore (paper, equation 1)."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.errors import ArtsoundError

CLIP_WEIGHT: Final = 2.5
PAC_WEIGHT: Final = 2.0
GAMMA: Final = 0.35

Scores = NDArray[np.float64]


def clip_score(
    image_features: ArrayLike, text_features: ArrayLike, weight: float = CLIP_WEIGHT
) -> Scores:
    """Return CLIP-Score, `weight * max(cos, 0)`, clipped to [0, 1].

    Hessel et al. 2021, arXiv 2104.08718; their code has no upper limit, the paper's table 1 does.

    Args:
        image_features: shape (n, d), any length; a zero vector scores 0.
        text_features: shape (n, d), row i belonging to image i.
        weight: stretches the cosines that occur over [0, 1].

    Returns:
        float64, shape (n,).

    Raises:
        ArtsoundError: the shapes differ, or a row has a value that is not finite.
    """
    images, texts = _features(image_features, "image"), _features(text_features, "text")
    if images.shape != texts.shape:
        raise ArtsoundError(
            f"image features of shape {images.shape} do not fit text features of shape "
            f"{texts.shape}: give one caption an image, embedded by one model"
        )
    cosines = np.einsum("nd,nd->n", _unit(images), _unit(texts))
    scores: Scores = np.clip(weight * np.maximum(cosines, 0.0), 0.0, 1.0)
    return scores


def pac_score(
    image_features: ArrayLike, text_features: ArrayLike, weight: float = PAC_WEIGHT
) -> Scores:
    """Return PAC-Score: CLIP-Score's formula on a model fine-tuned with positive augmentation.

    Sarto et al. 2023, arXiv 2303.12112. Arguments, result and errors as in `clip_score`.
    """
    return clip_score(image_features, text_features, weight)


def ic_score(clip: ArrayLike, pac: ArrayLike | None, gamma: float = GAMMA) -> Scores:
    """Return ICScore, `gamma * clip + (1 - gamma) * pac` (equation 1).

    Args:
        clip: CLIP-Scores, a scalar or any shape.
        pac: PAC-Scores of the same shape, or None where the recipe has no PAC-Score model:
            ICScore is the CLIP-Score alone then, which `ic_score_basis` records.
        gamma: CLIP-Score's share.

    Returns:
        float64 of the scores' shape; of shape () for scalars.

    Raises:
        ArtsoundError: the shapes differ, or a score is not finite.
    """
    clips = _finite(clip, "CLIP-Score")
    if pac is None:
        return clips
    pacs = _finite(pac, "PAC-Score")
    if clips.shape != pacs.shape:
        raise ArtsoundError(
            f"CLIP-Scores of shape {clips.shape} do not fit PAC-Scores of shape {pacs.shape}"
        )
    return np.asarray(gamma * clips + (1.0 - gamma) * pacs)


def ic_score_basis(pac: ArrayLike | None) -> Literal["clip", "clip+pac"]:
    """Return what an ICScore with this PAC-Score is made of."""
    return "clip" if pac is None else "clip+pac"


def _features(values: ArrayLike, name: str) -> Scores:
    features = np.asarray(values, dtype=np.float64)
    if features.ndim != 2:
        raise ArtsoundError(f"{name} features have shape {features.shape}; expected (n, d)")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if bad.size:
        raise ArtsoundError(f"{name} features, row {bad[0]}: not finite; embed that item again")
    return features


def _unit(features: Scores) -> Scores:
    # Scaling by the largest component first keeps the norm clear of under- and overflow.
    peak = np.abs(features).max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(features, peak, out=np.zeros_like(features), where=peak > 0)
    norm = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit: Scores = np.divide(scaled, norm, out=np.zeros_like(scaled), where=norm > 0)
    return unit


def _finite(values: ArrayLike, name: str) -> Scores:
    scores = np.asarray(values, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ArtsoundError(f"a {name} is not finite")
    return scores
