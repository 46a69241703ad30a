"""A tiny backbone and a checkpoint of an untrained aligner for it, for the lite encoder."""

from __future__ import annotations

from pathlib import Path

import torch

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import Description, component_licences, save_checkpoint
from art2mus.conditioning import NEGATIVE_PROMPT, PROMPT
from art2mus.encoders import VisualEncoder
from tests.art2mus.tiny_backbone import HIDDEN, write_tiny_backbone

TOKENS = 4


def write_tiny_checkpoint(folder: Path, backbone: Path | None = None, *, seed: int = 0) -> Path:
    """Write `folder/checkpoint`, and `folder/backbone` unless one is given; return the first."""
    opened = Backbone.open(backbone or write_tiny_backbone(folder / "backbone"))
    encoder = VisualEncoder.load("lite")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        aligner = ImageAligner(encoder.dimension, TOKENS, HIDDEN)
    description = Description(
        encoder=encoder.name,
        encoder_dim=encoder.dimension,
        encoder_fingerprint=encoder.fingerprint,
        tokens=TOKENS,
        backbone=opened.name,
        backbone_revision=opened.revision,
        backbone_fingerprint=opened.fingerprint,
        toy=opened.toy,
        prompt=PROMPT,
        negative_prompt=NEGATIVE_PROMPT,
        release="made up",
        release_revision="1.0.0",
        step=7,
        seed=seed,
        licences=component_licences(encoder.name, opened),
    )
    save_checkpoint(folder / "checkpoint", aligner, description)
    return folder / "checkpoint"
