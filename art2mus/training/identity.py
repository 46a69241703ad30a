"""What a training is of, and whether one that was stopped may go on with what it is given now."""

from __future__ import annotations

from art2mus.backbone import Backbone
from art2mus.checkpoint import Description, component_licences
from art2mus.data import Release
from art2mus.encoders import VisualEncoder
from art2mus.training.folder import RunFolder
from art2mus.training.settings import Encoder, TrainSettings
from art2mus.training.state import Position
from artsound.errors import UsageError


def check_settings(folder: RunFolder, held: Position, settings: TrainSettings) -> None:
    """Refuse to go on with settings that would have given other weights until here.

    Raises:
        UsageError: names the first such setting.
    """
    before = TrainSettings.model_validate(held.settings)
    different = settings.differences(before)
    if different:
        was, now = (one.flat().get(different[0]) for one in (before, settings))
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        raise UsageError(
            f"{folder.root} was trained with {different[0]} = {was!r}, not {now!r}{more}: go on"
            " with the same settings, name another folder, or begin anew with --restart"
        )


def standing(
    folder: RunFolder,
    held: Position | None,
    settings: TrainSettings,
    release: Release,
    encoder: VisualEncoder,
    backbone: Backbone,
) -> Position:
    """Return where the training stands: at its start, or where it was stopped.

    Where validation judges by something else than before, the best until here is forgotten, and
    the checkpoint at hand is judged anew.

    Raises:
        UsageError: it was another release, or were other weights, until here.
    """
    identity = {
        "release": release.fingerprint,
        "encoder": encoder.fingerprint,
        "backbone": backbone.fingerprint,
    }
    said = settings.model_dump(mode="json")
    if held is None:
        return Position(said, identity)
    for what, fingerprint in identity.items():
        if held.identity.get(what) != fingerprint:
            was = held.identity.get(what, "")
            raise UsageError(
                f"{folder.root} was trained with another {what} ({was[:12]}, not"
                f" {fingerprint[:12]}): go on with the same one, or begin anew with --restart"
            )
    before = TrainSettings.model_validate(held.settings).validation
    if before.judged_by() != settings.validation.judged_by():
        held.best, held.metrics, held.validated = None, {}, 0
    held.settings = said
    return held


def describe(
    settings: TrainSettings, release: Release, encoder: VisualEncoder, backbone: Backbone
) -> Description:
    """Return what the checkpoints say of themselves, at step 0 and without metrics."""
    options = settings.encoders.get(settings.encoder, Encoder()).options
    return Description(
        encoder=encoder.name,
        encoder_dim=encoder.dimension,
        encoder_fingerprint=encoder.fingerprint,
        tokens=settings.aligner.tokens,
        backbone=backbone.name,
        backbone_revision=backbone.revision,
        backbone_fingerprint=backbone.fingerprint,
        toy=backbone.toy,
        prompt=settings.prompt,
        negative_prompt=settings.negative_prompt,
        release=release.name,
        release_revision=release.revision or release.version,
        step=0,
        seed=settings.seed,
        recipe=settings.model_dump(mode="json"),
        licences=component_licences(encoder.name, backbone),
        encoder_options=dict(options),
    )
