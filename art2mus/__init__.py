"""Art2Mus: music for an artwork, from a small aligner in front of a frozen AudioLDM 2.

The companion of `artsound`: it trains, samples and benchmarks image-to-music models on a released
dataset. Source: the paper, sections 4 and 5 (arXiv 2602.17599).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artsound import __version__

if TYPE_CHECKING:
    from art2mus.aligner import ImageAligner
    from art2mus.conditioning import VisualConditioningExtractor
    from art2mus.pipeline import Art2MusPipeline

__all__ = [
    "Art2MusPipeline",
    "ImageAligner",
    "VisualConditioningExtractor",
    "__version__",
]

_HOMES = {
    "Art2MusPipeline": "art2mus.pipeline",
    "ImageAligner": "art2mus.aligner",
    "VisualConditioningExtractor": "art2mus.conditioning",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use: `import art2mus` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'art2mus' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
