"""Generating models by name, and any other class as `module:Class`.

A new model is one file with a class that fits `base.Model`, and one line here.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from art2mus.benchmark.models.base import Model
from artsound.errors import UsageError

_HERE: Final = "art2mus.benchmark.models"


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a model.

    Attributes:
        target: `module:Class`; the class has its `Settings` in the attribute `settings_class`.
        kind: a model, or a control that shows what a metric makes of what is no model.
        takes: what it is given of a pair.
        weights: where they come from.
        license: of the weights, or of what is passed on.
        summary: one line for people.
        gigabytes: size of the download, about.
        note: what a reader of a table has to know of its row; no full stop.
    """

    target: str
    kind: Literal["model", "control"]
    takes: str
    weights: str
    license: str
    summary: str
    gigabytes: float = 0.0
    note: str = ""


MODELS: Final[Mapping[str, ModelEntry]] = {
    "art2mus": ModelEntry(
        f"{_HERE}.art2mus:Art2Mus",
        "model",
        "the artwork",
        "a checkpoint of `art2mus train`, and the AudioLDM 2 that it names",
        "its parts', in its art2mus.json; AudioLDM 2: CC-BY-NC-SA-4.0",
        "the paper's: artwork, aligner, frozen AudioLDM 2; art2mus:CKPT or --checkpoint",
        4.6,
    ),
    "audioldm2": ModelEntry(
        f"{_HERE}.audioldm2:AudioLDM2",
        "model",
        "the artwork's caption",
        "cvssp/audioldm2",
        "CC-BY-NC-SA-4.0",
        "diffusers' AudioLDM 2 with the caption as its prompt, as in the paper",
        4.6,
    ),
    "audioldm2-music": ModelEntry(
        f"{_HERE}.audioldm2:AudioLDM2Music",
        "model",
        "the artwork's caption",
        "cvssp/audioldm2-music",
        "CC-BY-NC-SA-4.0",
        "the same, trained on music alone",
        4.6,
    ),
    "mozarts-touch": ModelEntry(
        f"{_HERE}.mozarts_touch:MozartsTouch",
        "model",
        "the artwork's caption",
        "facebook/musicgen-medium; Qwen/Qwen3-14B behind an endpoint",
        "CC-BY-NC-4.0 (MusicGen), Apache-2.0 (Qwen3)",
        "the caption made a short musical description by a chat model, then MusicGen",
        8.0,
        "the chat model's prompt is ours, and not Mozart's Touch's default one, which the paper"
        " takes: its values may differ from the paper's row",
    ),
    "ground-truth": ModelEntry(
        f"{_HERE}.controls:GroundTruth",
        "control",
        "the pair's own music",
        "none",
        "the tracks', in the release",
        "the music itself: what a perfect copy scores",
    ),
    "shuffled": ModelEntry(
        f"{_HERE}.controls:Shuffled",
        "control",
        "another pair's music",
        "none",
        "the tracks', in the release",
        "real music for the wrong artwork: what quality alone scores",
        note="the ground truth's clips in another order: metrics of whole sets (FAD, kernel"
        " distances) cannot tell the two apart where all pairs are scored",
    ),
    "silence": ModelEntry(
        f"{_HERE}.controls:Silence", "control", "nothing", "none", "none", "digital silence"
    ),
    "noise": ModelEntry(
        f"{_HERE}.controls:Noise",
        "control",
        "nothing",
        "none",
        "none",
        "white noise, -20 dB of full scale, 16 kHz",
    ),
}


@dataclass(frozen=True)
class Named:
    """A model that was asked for.

    Attributes:
        name: in tables and records.
        model: it, not loaded.
        entry: what the registry knows; None for a class of the user's.
    """

    name: str
    model: Model
    entry: ModelEntry | None


def make(wanted: str, options: Mapping[str, str]) -> Named:
    """Return a model by its name, by `name:CHECKPOINT`, or a class by `module:Class`.

    Args:
        wanted: which; names of the registry go before modules.
        options: its settings.

    Raises:
        UsageError: there is none of that name, or a setting does not fit it.
    """
    name, colon, rest = wanted.partition(":")
    if name in MODELS:
        given = {**options, **({"checkpoint": rest} if colon else {})}
        return Named(name, _registered(name, given), MODELS[name])
    if colon:
        from art2mus.benchmark.models.custom import Custom

        return Named(wanted, Custom(wanted, options), None)
    if (Path(wanted) / "art2mus.json").is_file():
        raise UsageError(f"{wanted} is a checkpoint: write art2mus:{wanted}")
    near = difflib.get_close_matches(name, MODELS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"unknown model {wanted!r}: {hint}there is {', '.join(MODELS)}; or a class of your own,"
        " module:Class"
    )


def settings_of(entry: ModelEntry) -> dict[str, Any]:
    """Return the names and defaults of a model's settings; `...` for one that must be given."""
    fields = _class(entry).settings_class.model_fields
    return {name: ... if one.is_required() else one.default for name, one in fields.items()}


def _class(entry: ModelEntry) -> Any:
    module, _, attribute = entry.target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _registered(name: str, options: Mapping[str, str]) -> Model:
    kind = _class(MODELS[name])
    try:
        settings = kind.settings_class.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = ", ".join(kind.settings_class.model_fields) or "none"
        what = {
            "missing": "has to be given",
            "extra_forbidden": "no such setting",
        }.get(first["type"], first["msg"])
        raise UsageError(f"{name}: --set {key}=...: {what}; its settings: {known}") from error
    made: Model = kind(settings)
    return made
