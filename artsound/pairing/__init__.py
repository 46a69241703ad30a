"""Pairing tracks with artworks by the similarity of their embeddings."""

from __future__ import annotations

from artsound.pairing.greedy import Matching, match

__all__ = ["Matching", "match"]
