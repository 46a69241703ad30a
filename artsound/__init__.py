"""ArtSound: from artworks and music to a captioned, scored and paired dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from artsound.builder import build
    from artsound.loading import load
    from artsound.recipe import Recipe

__all__ = ["Recipe", "__version__", "build", "load"]

_HOMES = {
    "Recipe": "artsound.recipe",
    "build": "artsound.builder",
    "load": "artsound.loading",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use: `import artsound` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'artsound' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
