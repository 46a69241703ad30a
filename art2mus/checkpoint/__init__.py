"""Checkpoints: the aligner, what it says of itself, and its model card."""

from art2mus.checkpoint.description import Description, check_encoder, component_licences
from art2mus.checkpoint.folder import (
    load_checkpoint,
    push_checkpoint,
    save_checkpoint,
)

__all__ = [
    "Description",
    "check_encoder",
    "component_licences",
    "load_checkpoint",
    "push_checkpoint",
    "save_checkpoint",
]
