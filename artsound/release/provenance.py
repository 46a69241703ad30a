"""Which model stands behind which released column, as the recipe has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from artsound.recipe import Recipe
from artsound.release.terms import non_commercial


@dataclass(frozen=True)
class Provenance:
    """A model and what it made.

    Attributes:
        role: the role it played.
        name: its registry name.
        weights: where its weights come from, with their version or revision.
        license: the weights' licence.
        summary: one line for people.
        columns: the columns of the default configuration that it shaped.
        non_commercial: whether its licence forbids commercial use.
        lite: whether it is a small stand-in.
    """

    role: str
    name: str
    weights: str
    license: str
    summary: str
    columns: tuple[str, ...]
    non_commercial: bool
    lite: bool


def provenance(recipe: Recipe, models: Iterable[Mapping[str, Any]]) -> list[Provenance]:
    """Return what the manifest's models made.

    Args:
        recipe: the build's recipe.
        models: the manifest's `models`: role, name, weights, license, summary and, where the
            registry knows one, `revision`.
    """
    behind = columns_behind(recipe)
    return [
        Provenance(
            model["role"].replace("_", " "),
            model["name"],
            " @ ".join(filter(None, (model["weights"], model.get("revision")))),
            model["license"],
            model["summary"],
            behind.get((model["role"], model["name"]), ()),
            non_commercial(model["license"]),
            model["name"].startswith("lite-"),
        )
        for model in models
    ]


def columns_behind(recipe: Recipe) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the columns of the default configuration by the (role, name) that shaped them."""
    images, tracks = recipe.image_captions, recipe.audio_captions
    uses = [
        ("artwork_captioner", images.captioner, ("artwork_caption",)),
        ("image_text_scorer", images.clip_scorer, ("clip_score", "ic_score")),
        ("image_text_scorer", images.pac_scorer, ("pac_score", "ic_score")),
        ("segment_captioner", recipe.segment_captions.captioner, ("music_caption",)),
        ("fuser", tracks.fuser, ("music_caption",)),
        ("text_similarity", tracks.similarity, ("bert_score", "ac_score")),
        ("embedder", recipe.pairing.embedder, ("similarity", "artwork_id", "track_id")),
    ]
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for role, name, shaped in uses:
        if name:
            before = found.get((role, name), ())
            found[role, name] = tuple(dict.fromkeys(before + shaped))
    return found
