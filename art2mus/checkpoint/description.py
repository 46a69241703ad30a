"""What a checkpoint says of itself: `art2mus.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Self

from art2mus.encoder_names import encoder_licence
from art2mus.encoders import VisualEncoder
from artsound.errors import UsageError
from artsound.models.checkpoints import CheckpointError

if TYPE_CHECKING:
    from art2mus.backbone import Backbone

FORMAT: Final = 1
_PROMPTS: Final = ("prompt", "negative_prompt")
_BACKBONE_LICENCES: Final[Mapping[str, str]] = {"cvssp/audioldm2": "CC-BY-NC-SA-4.0"}
_UNKNOWN: Final = "not stated"


@dataclass(frozen=True)
class Description:
    """What an aligner was trained with, and how far.

    Attributes:
        encoder: registry name of the visual encoder.
        encoder_dim: the size of its embeddings.
        encoder_fingerprint: `VisualEncoder.fingerprint`.
        tokens: how many an image becomes.
        backbone: a repository, or the absolute path of a folder.
        backbone_revision: the repository's commit; empty for a folder.
        backbone_fingerprint: `Backbone.fingerprint`.
        toy: whether the backbone is a toy prior.
        prompt: the fixed prompt.
        negative_prompt: what guidance led away from in validation.
        release: the dataset, a repository or a folder's name.
        release_revision: its commit or version.
        step: how many optimiser steps were taken.
        seed: of the training.
        recipe: the training's settings.
        licences: of `encoder`, `backbone` and `release`, SPDX where there is an id.
        metrics: of the last validation, by name.
        validated: after how many steps that was; 0 where there was none.
        validation_split: which split of the release it was on.
        validation_artworks: how many of its artworks were taken; 0 where that is not recorded.
        encoder_options: of the encoder, as `VisualEncoder.load` takes them.
    """

    encoder: str
    encoder_dim: int
    encoder_fingerprint: str
    tokens: int
    backbone: str
    backbone_revision: str
    backbone_fingerprint: str
    toy: bool
    prompt: str
    negative_prompt: str
    release: str
    release_revision: str
    step: int
    seed: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    validated: int = 0
    validation_split: str = ""
    validation_artworks: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any], where: str) -> Self:
        """Return what a JSON object says, checked.

        Args:
            content: the object; `format` and `weights` are not looked at.
            where: the file, for the error.

        Raises:
            CheckpointError: something is missing, unknown or of another type.
        """
        known = {one.name: str(one.type) for one in fields(cls)}
        needed = {one.name for one in fields(cls)
                  if one.default is MISSING and one.default_factory is MISSING}  # fmt: skip
        kinds: dict[str, type] = {"str": str, "int": int, "bool": bool}
        given = {key: value for key, value in content.items() if key not in {"format", "weights"}}
        for name in sorted(given.keys() - known.keys()):
            raise CheckpointError(
                f"{where} has {name!r}, which this version does not know: upgrade"
            )
        for name, kind in known.items():
            wanted = kinds.get(kind, dict)
            if name not in given:
                if name not in needed:
                    continue
                raise CheckpointError(f"{where} does not say {name!r}: it is no Art2Mus checkpoint")
            value = given[name]
            if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
                raise CheckpointError(f"{where}: {name} = {value!r} should be of type {kind}")
        return cls(**given)


def check_encoder(description: Description, encoder: VisualEncoder) -> None:
    """Check that an encoder is the one that a checkpoint was trained with.

    What it computes in may differ; its weights and options may not.

    Raises:
        UsageError: it is another encoder, or other weights of it.
    """
    if (encoder.name, encoder.dimension) != (description.encoder, description.encoder_dim):
        raise UsageError(
            f"the checkpoint was trained with {description.encoder} ({description.encoder_dim}"
            f" numbers), not with {encoder.name} ({encoder.dimension}): name"
            f" {description.encoder}, or a checkpoint for {encoder.name}"
        )
    mine, theirs = (
        found.partition("-")[0] for found in (description.encoder_fingerprint, encoder.fingerprint)
    )
    if mine != theirs:
        raise UsageError(
            f"the checkpoint was trained with other weights of {encoder.name} ({mine[:12]}, not"
            f" {theirs[:12]}): give the encoder's checkpoint that it was trained with"
        )


def component_licences(encoder: str, backbone: Backbone, release: str = "") -> dict[str, str]:
    """Return the licences of what an aligner was trained with, as far as they are known.

    Args:
        encoder: its registry name.
        backbone: the backbone.
        release: what the release says of its own.
    """
    known = _BACKBONE_LICENCES.get(backbone.name, _UNKNOWN)
    return {
        "encoder": encoder_licence(encoder),
        "backbone": "toy prior, that of its training data" if backbone.toy else known,
        "release": release or "mixed, stated on every row",
    }
