"""Scores of captions: ICScore (artworks) and ACScore (music), and what they are made of."""

from __future__ import annotations

from artsound.scores.audio_caption import ac_score, bert_score, rouge1
from artsound.scores.image_caption import clip_score, ic_score, pac_score

__all__ = ["ac_score", "bert_score", "clip_score", "ic_score", "pac_score", "rouge1"]
