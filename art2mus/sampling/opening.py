"""Opening what a checkpoint names, its backbone and its visual encoder, or what stands in."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from art2mus.backbone import Backbone
from art2mus.checkpoint.description import Description, check_encoder
from art2mus.encoder_names import encoder_name
from art2mus.encoders import VisualEncoder
from artsound.errors import UsageError

_log = logging.getLogger(__name__)


def open_backbone(
    description: Description,
    given: str | Path | Backbone | None,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Backbone:
    """Return the backbone that a checkpoint belongs to, or the one that is given in its place.

    One whose weights are others than those that the aligner was trained with is taken, with a
    warning: it may be a copy in another format.

    Raises:
        UsageError: it has not AudioLDM 2's layout.
        ArtsoundError: it is not here and cannot be brought.
    """
    if isinstance(given, Backbone):
        opened = given
    else:
        name = description.backbone if given is None else given
        revision = description.backbone_revision if given is None else None
        opened = Backbone.open(name, revision=revision, dtype=dtype, device=device)
    if description.backbone_fingerprint and opened.fingerprint != description.backbone_fingerprint:
        _log.warning(
            "%s is not the backbone that this checkpoint was trained with (%s): what it generates"
            " may be noise",
            opened.name,
            description.backbone,
        )
    return opened


def open_encoder(
    description: Description,
    given: str | VisualEncoder | None,
    *,
    checkpoint: str | None = None,
    device: str | torch.device = "cpu",
) -> VisualEncoder:
    """Return the visual encoder that a checkpoint belongs to.

    Args:
        description: the checkpoint's.
        given: an open encoder or its name; the one that the checkpoint names if None.
        checkpoint: its weights, where they are not its registered ones.
        device: where it computes.

    Raises:
        UsageError: it is another one than the aligner was trained with.
        ArtsoundError: its weights are not here and cannot be brought.
    """
    if isinstance(given, VisualEncoder):
        encoder = given
    else:
        name = given or description.encoder
        check_encoder_name(description, name)
        options = description.encoder_options
        encoder = VisualEncoder.load(
            name, checkpoint=checkpoint, options=options, device=str(device)
        )
    check_encoder(description, encoder)
    return encoder


def check_encoder_name(description: Description, name: str) -> None:
    """Refuse another encoder than a checkpoint's by its name, before its weights are loaded.

    Raises:
        UsageError: it is another one, or there is none of that name.
    """
    if encoder_name(name) != encoder_name(description.encoder):
        raise UsageError(
            f"the checkpoint was trained on embeddings of {description.encoder}, not of {name}:"
            " leave the encoder out, or give a checkpoint that was trained with it"
        )
