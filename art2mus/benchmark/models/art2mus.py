"""Checkpoints of `art2mus train`: the paper's model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from art2mus.benchmark.models.base import Precision, Settings, Sound, Task, sound_of
from art2mus.benchmark.models.torch_parts import precision_of
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.aligner import ImageAligner
    from art2mus.backbone import Backbone
    from art2mus.checkpoint import Description
    from art2mus.data import Media


class Art2MusSettings(Settings):
    """Settings of `art2mus`; the defaults are the paper's.

    Attributes:
        checkpoint: a folder that training wrote, or a repository.
        revision: of the repository.
        backbone: in place of the one that the checkpoint names.
        encoder_checkpoint: the visual encoder's weights, where not its registered ones.
        steps: of the sampler.
        guidance: scale of classifier-free guidance.
        negative_prompt: the checkpoint's if None.
        scheduler: `ddim` or `dpm-solver++`.
        precision: of the backbone.
    """

    checkpoint: str
    revision: str | None = None
    backbone: str | None = None
    encoder_checkpoint: str | None = None
    steps: int = Field(default=200, ge=1, le=999)
    guidance: float = Field(default=3.5, allow_inf_nan=False)
    negative_prompt: str | None = None
    scheduler: Literal["ddim", "dpm-solver++"] = "ddim"
    precision: Precision = "auto"


class Art2Mus:
    """The pipeline of a checkpoint.

    Args:
        settings: see there.

    Raises:
        UsageError: the checkpoint is neither a folder nor called as repositories are.
    """

    settings_class = Art2MusSettings

    def __init__(self, settings: Art2MusSettings) -> None:
        wanted = settings.checkpoint
        if "/" not in wanted and not Path(wanted).expanduser().is_dir():
            raise UsageError(
                f"art2mus:{wanted}: there is no folder {wanted!r}, and a repository is called"
                " owner/name: give the folder that `art2mus train --out` wrote"
            )
        self.settings = settings
        self._aligner: ImageAligner
        self._description: Description
        self._backbone: Backbone
        self._device = "cpu"

    def open(self, task: Task) -> Mapping[str, Any]:
        """Open the checkpoint and find its backbone; see `Model.open`."""
        from safetensors.torch import save

        from art2mus.checkpoint import load_checkpoint
        from art2mus.sampling.opening import open_backbone

        wanted = self.settings
        self._device = task.device
        dtype = precision_of(wanted.precision, task.device)
        self._aligner, self._description = load_checkpoint(
            wanted.checkpoint, revision=wanted.revision
        )
        self._backbone = open_backbone(
            self._description, wanted.backbone, dtype=dtype, device=task.device
        )
        weights = {name: one.contiguous() for name, one in self._aligner.state_dict().items()}
        return {
            **wanted.model_dump(
                include={"steps", "guidance", "scheduler"},
            ),
            "negative_prompt": self._negative,
            "prompt": self._description.prompt,
            "dtype": str(dtype).removeprefix("torch."),
            "aligner_sha256": hashlib.sha256(save(weights)).hexdigest(),
            "encoder_fingerprint": self._description.encoder_fingerprint,
            "backbone_fingerprint": self._backbone.fingerprint,
        }

    def about(self) -> Mapping[str, Any]:
        """Say what the checkpoint says of itself."""
        said = self._description
        return {
            "encoder": said.encoder,
            "tokens": said.tokens,
            "step": said.step,
            "trained_on": f"{said.release}@{said.release_revision}",
            "licences": dict(said.licences),
            "toy_prior": self._backbone.toy,
        }

    def load(self) -> None:
        """Load the backbone and the encoder, which is checked against the checkpoint's."""
        from art2mus.pipeline import Art2MusPipeline
        from art2mus.sampling.opening import open_encoder
        from art2mus.sampling.pipeline_parts import TEXT_PARTS

        encoder = open_encoder(
            self._description,
            None,
            checkpoint=self.settings.encoder_checkpoint,
            device=self._device,
        )
        self._aligner.to(self._device)  # type: ignore[arg-type]
        self._pipeline = Art2MusPipeline.from_backbone(
            self._backbone, self._aligner, encoder=encoder, description=self._description
        )
        self._pipeline.encode_text(self._description.prompt)
        if self.settings.guidance > 1:
            self._pipeline.encode_negative(self._negative)
        self._backbone.release(*TEXT_PARTS)
        self._pipeline.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Generate from the artworks."""
        made = self._pipeline(
            [item.image() for item in items],
            duration_s=seconds,
            num_inference_steps=self.settings.steps,
            guidance_scale=self.settings.guidance,
            negative_prompt=self._negative,
            seed=list(seeds),
            scheduler=self.settings.scheduler,
        )
        rate = self._pipeline.sample_rate
        return [
            sound_of(one, rate, f"art2mus: the music for {item.pair.pair_id}")
            for one, item in zip(made.audios, items, strict=True)  # type: ignore[union-attr]
        ]

    @property
    def _negative(self) -> str:
        given = self.settings.negative_prompt
        return self._description.negative_prompt if given is None else given
