"""How well a fused caption keeps its segments' captions: ROUGE-1, BERT-Score, ACScore (eq. 2).

The paper does not say what the reference is. Here it is the segment captions joined in order, and
both scores are F1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artsound.errors import ArtsoundError
from artsound.models.base import TextSimilarity

if TYPE_CHECKING:
    from rouge_score import rouge_scorer

ALPHA: Final = 0.30


def reference(segments: Sequence[str]) -> str:
    """Return the text that a fused caption is held against: the segment captions, in order."""
    return " ".join(segment.strip() for segment in segments if segment.strip())


@cache
def _rouge() -> rouge_scorer.RougeScorer:
    from rouge_score import rouge_scorer  # with nltk, a second that only scoring waits for

    return rouge_scorer.RougeScorer(["rouge1"], use_stemmer=False)


def rouge1(segments: Sequence[str], caption: str) -> float:
    """Return ROUGE-1 F1 of a fused caption (Lin 2004), by rouge-score, without stemming.

    Args:
        segments: the segment captions in temporal order.
        caption: the fused caption.

    Returns:
        From 0 to 1; 0 where either side has no word.
    """
    return float(_rouge().score(reference(segments), caption)["rouge1"].fmeasure)


def bert_score(segments: Sequence[str], caption: str, scorer: TextSimilarity) -> float:
    """Return BERT-Score F1 of a fused caption against its segments (Zhang et al. 2020).

    Args:
        segments: the segment captions in temporal order.
        caption: the fused caption.
        scorer: the model that compares texts.

    Returns:
        One score, 0 where either text is empty.
    """
    return bert_scores([segments], [caption], scorer)[0]


def bert_scores(
    segments: Sequence[Sequence[str]], captions: Sequence[str], scorer: TextSimilarity
) -> list[float]:
    """Return `bert_score` of many captions in one batch.

    Args:
        segments: the segment captions of each track.
        captions: the fused captions, one a track.
        scorer: the model that compares texts.

    Raises:
        ArtsoundError: there is not one sequence of segments for each caption.
    """
    if len(segments) != len(captions):
        raise ArtsoundError(
            f"{len(segments)} sequences of segment captions for {len(captions)} captions"
        )
    return scorer.f1([reference(_texts(parts)) for parts in segments], list(captions))


def _texts(segments: Sequence[object]) -> list[str]:
    if isinstance(segments, str) or not all(isinstance(segment, str) for segment in segments):
        raise ArtsoundError("segment captions must be a sequence of texts for each caption")
    return [str(segment) for segment in segments]


def ac_score(rouge1: ArrayLike, bert: ArrayLike, alpha: float = ALPHA) -> NDArray[np.float64]:
    """Return ACScore, `alpha * rouge1 + (1 - alpha) * bert` (equation 2).

    Args:
        rouge1: ROUGE-1 scores, a scalar or any shape.
        bert: BERT-Scores of the same shape.
        alpha: ROUGE-1's share.

    Returns:
        float64 of the scores' shape; of shape () for scalars.

    Raises:
        ArtsoundError: the shapes differ, or a score is not finite.
    """
    rouges, berts = np.asarray(rouge1, np.float64), np.asarray(bert, np.float64)
    if rouges.shape != berts.shape:
        raise ArtsoundError(
            f"ROUGE-1 scores of shape {rouges.shape} do not fit BERT-Scores of shape {berts.shape}"
        )
    if not (np.isfinite(rouges).all() and np.isfinite(berts).all()):
        raise ArtsoundError("a ROUGE-1 score or a BERT-Score is not finite")
    return np.asarray(alpha * rouges + (1.0 - alpha) * berts)
