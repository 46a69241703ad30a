"""README.md of a checkpoint: the model card, filled in from its description and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2

from artsound import paper
from artsound.models.settings import is_local

if TYPE_CHECKING:
    from art2mus.checkpoint.description import Description

_NON_COMMERCIAL: Final = "CC-BY-NC-SA-4.0"


def model_card(description: Description, aligner: Mapping[str, Any]) -> str:
    """Return the card; equal descriptions give equal bytes.

    It names no path of the machine that trained: of folders, the name alone.

    Args:
        description: what the aligner was trained with.
        aligner: `ImageAligner.settings`.
    """
    recipe = _flat(description.recipe)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, from the checkpoint's own description
    )
    return environment.get_template("model_card.md.j2").render(
        made=description,
        aligner=aligner,
        backbone=_public(description.backbone),
        release=_public(description.release),
        backbone_on_hub=not is_local(description.backbone),
        release_on_hub=not is_local(description.release),
        share_alike=_NON_COMMERCIAL in description.licences.values(),
        recipe=recipe,
        stand_ins=float(recipe.get("stand_ins.share", 0)),
        metrics=sorted(description.metrics.items(), key=lambda one: _natural(one[0])),
        compares_sets=any(name.startswith("fad") for name in description.metrics),
        paper=paper,
    )


def _template(name: str) -> str:
    return resources.files("art2mus").joinpath("cards", name).read_text("utf-8")


def _public(name: str) -> str:
    return Path(name).name if is_local(name) else name


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts names as people do, `loss@50` before `loss@450`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as `group.name`, in order; of paths, the last name alone."""
    flat: dict[str, str] = {}
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, str) and Path(value).is_absolute():
            flat[f"{prefix}{name}"] = Path(value).name
        elif value is not None:
            flat[f"{prefix}{name}"] = str(value)
    return flat
