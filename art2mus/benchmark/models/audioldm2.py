"""AudioLDM 2 (Liu et al. 2024, arXiv 2308.05734) through diffusers, given artwork captions.

The paper's text baselines (section 5.4): the caption is the prompt. Captions longer than the text
encoders read are cut by diffusers, which warns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from art2mus.benchmark.models.base import (
    Precision,
    Settings,
    Sound,
    Task,
    public_name,
    sound_of,
)
from art2mus.benchmark.models.torch_parts import precision_of
from artsound.errors import ArtsoundError, UsageError

if TYPE_CHECKING:
    from art2mus.backbone import Backbone
    from art2mus.data import Media


class AudioLDM2Settings(Settings):
    """Settings of `audioldm2` and `audioldm2-music`.

    Attributes:
        checkpoint: a folder or a repository in place of the registered one.
        revision: of the repository.
        steps: of DDIM.
        guidance: scale of classifier-free guidance.
        negative_prompt: what to lead away from.
        precision: what it computes in.
    """

    checkpoint: str | None = None
    revision: str | None = None
    steps: int = Field(default=200, ge=1, le=999)
    guidance: float = Field(default=3.5, allow_inf_nan=False)
    negative_prompt: str = "Low quality"
    precision: Precision = "auto"


class AudioLDM2:
    """The text-to-audio model.

    Args:
        settings: see there.
    """

    settings_class = AudioLDM2Settings
    repository: ClassVar = "cvssp/audioldm2"
    hours: ClassVar = 1_150_000  # table 7

    def __init__(self, settings: AudioLDM2Settings) -> None:
        self.settings = settings
        self._backbone: Backbone

    def open(self, task: Task) -> Mapping[str, Any]:
        """Find the checkpoint; see `Model.open`."""
        from art2mus.backbone import Backbone

        wanted = self.settings
        dtype = precision_of(wanted.precision, task.device)
        self._backbone = Backbone.open(
            wanted.checkpoint or self.repository,
            revision=wanted.revision,
            dtype=dtype,
            device=task.device,
        )
        if self._backbone.toy:
            raise UsageError(
                f"{self._backbone.name} is a toy prior: it reads no captions; give AudioLDM 2"
                " itself with --checkpoint"
            )
        return {
            **wanted.model_dump(include={"steps", "guidance", "negative_prompt"}),
            "dtype": str(dtype).removeprefix("torch."),
            "fingerprint": self._backbone.fingerprint,
        }

    def about(self) -> Mapping[str, Any]:
        """Say what it was trained on."""
        given = self.settings.checkpoint
        if given is not None and given != self.repository:
            return {"checkpoint": public_name(given)}
        return {"checkpoint": self.repository, "training_hours": self.hours}

    def load(self) -> None:
        """Put diffusers' pipeline together of the checkpoint's parts."""
        from diffusers import AudioLDM2Pipeline
        from transformers import ClapFeatureExtractor

        parts = self._backbone
        kind: Any = AudioLDM2Pipeline  # diffusers' annotations are not complete
        self._pipeline = kind(
            vae=parts.vae,
            text_encoder=parts.text_encoder,
            text_encoder_2=parts.text_encoder_2,
            projection_model=parts.projection_model,
            language_model=_with_head(parts.language_model),
            tokenizer=parts.tokenizer,
            tokenizer_2=parts.tokenizer_2,
            # Only ranks several waveforms of a prompt: one is made.
            feature_extractor=ClapFeatureExtractor(),
            unet=parts.unet,
            scheduler=parts.scheduler,
            vocoder=parts.vocoder,
        )
        self._pipeline.set_progress_bar_config(disable=True)

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Generate from the artworks' captions.

        Raises:
            ArtsoundError: an artwork has no caption.
        """
        import torch

        captions = captions_of(items)
        made = self._pipeline(
            prompt=captions,
            negative_prompt=[self.settings.negative_prompt] * len(captions),
            audio_length_in_s=seconds,
            num_inference_steps=self.settings.steps,
            guidance_scale=self.settings.guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        ).audios
        return [
            sound_of(
                one,
                self._backbone.sample_rate,
                f"the music for {item.pair.pair_id}",
                {"prompt": caption},
            )
            for one, item, caption in zip(made, items, captions, strict=True)
        ]


class AudioLDM2Music(AudioLDM2):
    """The same, trained on music alone."""

    repository = "cvssp/audioldm2-music"
    hours = 665_000


def captions_of(items: Sequence[Media]) -> list[str]:
    """Return the artworks' captions.

    Raises:
        ArtsoundError: one has none; names the pair.
    """
    for item in items:
        if not item.pair.artwork_caption.strip():
            raise ArtsoundError(
                f"{item.where}: pair {item.pair.pair_id} has no artwork caption: this model"
                " generates from captions"
            )
    return [item.pair.artwork_caption for item in items]


def _with_head(base: Any) -> Any:
    """Return GPT-2 as diffusers wants it, whichever way the checkpoint declares it.

    The head is not used; its weights are the embeddings'.
    """
    import torch
    from transformers import GPT2LMHeadModel

    with torch.device("meta"):
        model: Any = GPT2LMHeadModel(base.config)
    model.transformer = base
    model.lm_head.weight = base.wte.weight
    return model.eval()
