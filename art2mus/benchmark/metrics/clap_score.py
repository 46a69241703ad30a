"""CLAP score: the cosine between a generated clip and the caption of its pair's music.

With CLAP (Wu et al. 2023, arXiv 2211.06687) as MusicGen reports it (Copet et al. 2023, arXiv
2306.05284): the mean over pairs of the cosine between the text's and the audio's embeddings.
"""

from __future__ import annotations

from typing import Final

from art2mus.benchmark.metrics.base import Metric
from art2mus.benchmark.metrics.imagebind_score import measure

CLAP_SCORE: Final = Metric(
    name="score-caption",
    version="1",
    higher_is_better=True,
    feature="vector",
    counterpart="caption",
    measure=measure,
    summary="cosine between the embeddings of the generated music and of the music's caption",
    caveat="the caption describes the paired music and was written by a model",
)
