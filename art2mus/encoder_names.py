"""Which embedders of `artsound.models` can be a visual encoder; nothing is loaded to know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from artsound.errors import UsageError
from artsound.models.base import Modality
from artsound.models.catalogue import CATALOGUE
from artsound.models.registry import require

# What the paper and this project's pages call them.
ALIASES: Final[Mapping[str, str]] = {"clip": "clip-vit-b-32", "lite": "lite-conse"}


def encoder_name(name: str) -> str:
    """Return the registry name of a visual encoder.

    Raises:
        UsageError: there is no such embedder, or it does not embed images.
        MissingDependency: a package that it needs is not installed.
    """
    full = ALIASES.get(name, name)
    if "image" not in require("embedder", full).modalities:
        able = ", ".join(embedders_of("image"))
        raise UsageError(f"{full} does not embed images: name one of {able}")
    return full


def embedders_of(*modalities: Modality) -> list[str]:
    """Return the registry names of the embedders of all these modalities, sorted."""
    entries = CATALOGUE["embedder"].items()
    return sorted(name for name, entry in entries if set(modalities) <= entry.modalities)


def encoder_licence(name: str) -> str:
    """Return the licence of an encoder's weights."""
    return CATALOGUE["embedder"][encoder_name(name)].license
