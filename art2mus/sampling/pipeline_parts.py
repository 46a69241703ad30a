"""What `Art2MusPipeline` is made of: its parts opened, put together, and saved as a checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import (
    Description,
    load_checkpoint,
    push_checkpoint,
    save_checkpoint,
)
from art2mus.conditioning import (
    NEGATIVE_PROMPT,
    PROMPT,
    Conditioning,
    PromptEncoder,
    check_fit,
)
from art2mus.encoders import VisualEncoder
from art2mus.sampling.opening import open_backbone, open_encoder
from artsound.errors import UsageError

TEXT_PARTS = ("text_encoder", "text_encoder_2", "projection_model")


class PipelineParts(DiffusionPipeline):
    """The components of an Art2Mus pipeline, where they come from, and the prompts' encodings.

    The text encoders run once a prompt, on the backbone's device, and what they gave is kept: they
    are no components, so that `to` and the offloading never move them.

    Args:
        aligner: the trained `ImageAligner`.
        language_model: the backbone's GPT-2.
        unet: its denoiser.
        vae: what decodes its latents.
        vocoder: what makes sound of log-mels.
        scheduler: its noise schedule; `__call__` makes fresh schedulers of it.
        backbone: where the text encoders are loaded from when a prompt is new.
        encoder: embeds images; without one, `image_embeds` are needed.
        description: what `save_pretrained` writes beside the aligner.
    """

    model_cpu_offload_seq: Any = "aligner->language_model->unet->vae->vocoder"

    aligner: ImageAligner
    language_model: Any
    unet: Any
    vae: Any
    vocoder: Any
    scheduler: Any

    def __init__(
        self,
        aligner: ImageAligner,
        language_model: Any,
        unet: Any,
        vae: Any,
        vocoder: Any,
        scheduler: Any,
        *,
        backbone: Backbone | None = None,
        encoder: VisualEncoder | None = None,
        description: Description | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(  # type: ignore[no-untyped-call]
            aligner=aligner,
            language_model=language_model,
            unet=unet,
            vae=vae,
            vocoder=vocoder,
            scheduler=scheduler,
        )
        self.backbone = backbone
        self.encoder = encoder
        self.description = description
        self._texts: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._negatives: dict[tuple[str, str], Conditioning] = {}

    @classmethod
    def from_backbone(
        cls,
        backbone: Backbone,
        aligner: ImageAligner,
        *,
        encoder: VisualEncoder | None = None,
        description: Description | None = None,
    ) -> Self:
        """Return a pipeline of an open backbone's parts and an aligner, none of them copied.

        Raises:
            UsageError: they do not fit one another.
        """
        check_fit(aligner, backbone, encoder)
        return cls(
            aligner,
            backbone.language_model,
            backbone.unet,
            backbone.vae,
            backbone.vocoder,
            backbone.scheduler,
            backbone=backbone,
            encoder=encoder,
            description=description,
        )

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        backbone: str | Path | Backbone | None = None,
        encoder: str | VisualEncoder | None = None,
        encoder_checkpoint: str | None = None,
        revision: str | None = None,
        torch_dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> Self:
        """Return a pipeline from a checkpoint that holds only the aligner.

        Args:
            pretrained_model_name_or_path: a folder that training wrote, or a repository on the Hub.
            backbone: AudioLDM 2's folder or repository, or an open backbone; the one that the
                checkpoint names if None.
            encoder: the visual encoder, or its name; the one that the checkpoint names if None.
            encoder_checkpoint: the encoder's weights, where they are not its registered ones.
            revision: of the checkpoint's repository.
            torch_dtype: of the backbone, float32 or bfloat16; the aligner stays in float32.
            device: where it computes.

        Raises:
            UsageError: there is no such checkpoint, or it is of another encoder or backbone.
            ArtsoundError: a part is missing, damaged or cannot be downloaded.
        """
        aligner, description = load_checkpoint(pretrained_model_name_or_path, revision=revision)
        opened = open_backbone(description, backbone, dtype=torch_dtype, device=device)
        seeing = open_encoder(description, encoder, checkpoint=encoder_checkpoint, device=device)
        aligner.to(torch.device(device))  # type: ignore[arg-type]
        pipeline = cls.from_backbone(opened, aligner, encoder=seeing, description=description)
        # Both prompts are encoded now, so that the text encoders, half the memory, need not stay.
        pipeline.encode_text(description.prompt)
        pipeline.encode_negative(description.negative_prompt)
        if opened is not backbone:
            opened.release(*TEXT_PARTS)
        return pipeline

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, **kwargs: Any
    ) -> None:
        """Write a checkpoint: the aligner and what it belongs to; the backbone is only named.

        Args:
            save_directory: the folder.
            kwargs: `push_to_hub=True` uploads it too, to `repo_id`; `private` as there.

        Raises:
            UsageError: the pipeline was put together without a description.
        """
        if self.description is None:
            raise UsageError(
                "this pipeline does not know its encoder and backbone: give it a `description`"
                " (art2mus.checkpoint.folder.Description) before saving"
            )
        folder = Path(save_directory)
        save_checkpoint(folder, self.aligner, self.description)
        if kwargs.get("push_to_hub"):
            repository = str(kwargs.get("repo_id") or folder.name)
            push_checkpoint(folder, repository, private=bool(kwargs.get("private")))

    def push_to_hub(  # type: ignore[override]
        self, repo_id: str, *, private: bool = False
    ) -> str:
        """Upload the checkpoint with its own model card; returns the commit's address.

        Args:
            repo_id: the model repository, made where there is none.
            private: whether it is made private.

        Raises:
            UsageError: the pipeline was put together without a description.
            ArtsoundError: the Hub cannot be reached, or refuses.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "checkpoint"
            self.save_pretrained(folder)
            return push_checkpoint(folder, repo_id, private=private)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move the components, as diffusers' own; prompts to come are encoded there too."""
        moved: Self = super().to(*args, **kwargs)
        if self.backbone is not None and self.backbone.device != self.device:
            self.backbone.release(*TEXT_PARTS)
            self.backbone.device = self.device
        return moved

    @property
    def loa_tokens(self) -> int:
        """How many Language-of-Audio tokens an artwork becomes: 8."""
        return int(getattr(self.language_model.config, "max_new_tokens", None) or 8)

    @property
    def sample_rate(self) -> int:
        """Of the generated sound, in Hz."""
        return int(self.vocoder.config.sampling_rate)

    @property
    def prompt(self) -> str:
        """The fixed prompt that stands beside every artwork."""
        return self.description.prompt if self.description else PROMPT

    @torch.no_grad()
    def encode_text(self, prompt: str = PROMPT) -> tuple[torch.Tensor, torch.Tensor]:
        """Return FLAN-T5's states of a prompt, shape (1, s, d), and their mask; encoded once.

        Raises:
            UsageError: the pipeline has no backbone to encode it.
        """
        if prompt not in self._texts:
            self._texts[prompt] = self._prompts().text([prompt])
        return self._texts[prompt]

    @torch.no_grad()
    def encode_negative(self, prompt: str = NEGATIVE_PROMPT) -> Conditioning:
        """Return a negative prompt's conditioning by the backbone's own text path; encoded once.

        It depends on how long the pipeline's own prompt is, which guidance leads to.

        Raises:
            UsageError: the pipeline has no backbone to encode it.
        """
        key = (self.prompt, prompt)
        if key not in self._negatives:
            self._negatives[key] = self._prompts().negative([prompt], prompt=self.prompt)
        return self._negatives[key]

    def _prompts(self) -> PromptEncoder:
        if self.backbone is None:
            raise UsageError(
                "the pipeline has no backbone to encode a prompt: give `text` and `negative`"
            )
        return PromptEncoder(self.backbone)
