"""What of a training can be known to fail before torch is imported, which takes many seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from art2mus.encoder_names import embedders_of, encoder_name
from art2mus.training.plan import Plan, launched
from art2mus.training.settings import TrainSettings
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.data import Release

_LOA_TOKENS: Final = 8  # what a backbone has whose configuration does not say
_POSITIONS: Final = 1024


def refuse_file(out: Path) -> None:
    """Raise UsageError if a training's folder is a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: --out names a folder")


def check_plan(release: Release, settings: TrainSettings, processes: int | None = None) -> Plan:
    """Return the steps of a training, once its batches and its tokens are known to fit.

    Args:
        release: only the size of its split is looked at.
        settings: the recipe.
        processes: how many train together; those of this launch if None.

    Raises:
        UsageError: the release has no such split, or it is smaller than a batch; or there is no
            such encoder, or it does not embed the music that is to stand in for artworks; or the
            backbone is a folder whose GPT-2 has fewer positions than the tokens take.
        MissingDependency: a package that the encoder needs is not installed.
    """
    _check_encoder(settings)
    release.require(settings.split)
    plan = Plan.make(release.splits[settings.split], settings, processes or launched())
    _check_room(settings)
    return plan


def _check_encoder(settings: TrainSettings) -> None:
    name = encoder_name(settings.encoder)
    able = embedders_of("image", "audio")
    if settings.stand_ins.share and name not in able:
        raise UsageError(
            f"stand_ins.share = {settings.stand_ins.share:g}: {name} does not embed music; --set"
            f" stand_ins.share=0, or take {', '.join(able)}"
        )


def _check_room(settings: TrainSettings) -> None:
    """Do what `conditioning.check_fit` does, as far as a folder's configuration tells."""
    where = Path(settings.backbone).expanduser() / "language_model" / "config.json"
    try:
        config = json.loads(where.read_text("utf-8"))
        positions = int(config.get("n_positions", _POSITIONS))
        steps = int(config.get("max_new_tokens") or _LOA_TOKENS)
    except (OSError, ValueError, TypeError, AttributeError):
        return  # a repository, or a damaged folder: opening it says what is wrong
    room = positions - steps + 1
    aligner = settings.aligner
    if aligner.tokens + (2 if aligner.boundary_tokens else 0) > room:
        raise UsageError(no_room(aligner.tokens, settings.backbone, room))


def no_room(tokens: int, backbone: str, room: int) -> str:
    """Return what is said where GPT-2 has fewer positions than the tokens take."""
    return (
        f"tokens = {tokens}: GPT-2 of {backbone} has room for {room} vectors, start and end"
        " included; take fewer tokens"
    )
