"""One pass from a batch of the caches to each example's loss, through the frozen backbone.

    embedding -> aligner -> tokens -> GPT-2 rollout -> Language of Audio tokens -\
    moments -> latents -> noisy latents -----------------------------------------> U-Net -> loss
    the prompt through FLAN-T5, read from the cache -----------------------------/

Nothing here is under `no_grad` but the unconditional branch of guidance: the aligner's gradient
flows through the frozen U-Net and GPT-2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art2mus.conditioning import Conditioning, rollout
from art2mus.diffusion import add_noise, noise_loss, sample_latents
from art2mus.training.examples import Batch


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance inside the loss, as the authors' 2024 code has it.

    Attributes:
        scale: 3.5 there.
        negative: what it leads away from, of one row.
        mask: of the negative text, [1, S]; None where nothing is padded.
    """

    scale: float
    negative: Conditioning
    mask: Tensor | None


@dataclass(frozen=True)
class Objective:
    """The frozen half of a training step.

    Attributes:
        unet: AudioLDM 2's, frozen.
        language_model: its GPT-2 without a head, frozen.
        loa_tokens: how many Language of Audio tokens are rolled out.
        text: the prompt through FLAN-T5, [1, S, T].
        text_mask: 1 where the prompt has a token, [1, S]; None where it has one everywhere.
        alphas_cumprod: abar of every timestep, [T].
        scaling_factor: of the VAE.
        gamma: of the min-SNR weight; None for the plain loss.
        guidance: inside the loss; None for the paper's equations.
    """

    unet: nn.Module
    language_model: nn.Module
    loa_tokens: int
    text: Tensor
    text_mask: Tensor | None
    alphas_cumprod: Tensor
    scaling_factor: float
    gamma: float | None = 5.0
    guidance: Guidance | None = None

    @property
    def dtype(self) -> torch.dtype:
        """What the frozen parts compute in."""
        return next(self.unet.parameters()).dtype

    def noisy(self, batch: Batch) -> Tensor:
        """Return the noisy latents z_t of a batch, [B, C, ...], in float32."""
        latents = sample_latents(batch["moments"], batch["posterior"], self.scaling_factor)
        return add_noise(latents, batch["noise"], self.alphas_cumprod, batch["timestep"])

    def __call__(self, aligner: Any, batch: Batch) -> Tensor:
        """Return each example's loss, [B], in float32.

        Args:
            aligner: embeddings [B, E] to tokens [B, N, H].
            batch: of `Examples`.
        """
        tokens = aligner(batch["embedding"].float()).to(self.dtype)
        loa = rollout(self.language_model, tokens, steps=self.loa_tokens)
        noisy = self.noisy(batch).to(self.dtype)
        predicted = self._predict(noisy, batch["timestep"], loa, self.text, self.text_mask)
        if self.guidance is not None:
            predicted = self._guided(self.guidance, predicted, noisy, batch["timestep"])
        return noise_loss(
            predicted, batch["noise"], self.alphas_cumprod, batch["timestep"], self.gamma
        )

    def _guided(
        self, guidance: Guidance, predicted: Tensor, noisy: Tensor, timesteps: Tensor
    ) -> Tensor:
        """Return the prediction led away from the negative prompt, whose branch has no gradient."""
        negative = guidance.negative
        with torch.no_grad():
            away = self._predict(
                noisy,
                timesteps,
                negative.loa.to(self.dtype).expand(len(noisy), -1, -1),
                negative.text,
                guidance.mask,
            )
        return away + guidance.scale * (predicted - away)

    def _predict(
        self, noisy: Tensor, timesteps: Tensor, loa: Tensor, text: Tensor, mask: Tensor | None
    ) -> Tensor:
        count = len(noisy)
        result: Tensor = self.unet(
            noisy,
            timesteps,
            encoder_hidden_states=loa,
            encoder_hidden_states_1=text.to(self.dtype).expand(count, -1, -1),
            encoder_attention_mask_1=None if mask is None else mask.expand(count, -1),
            return_dict=False,
        )[0]
        return result


def padding(mask: Tensor) -> Tensor | None:
    """Return a text's mask, or None where nothing is padded: faster, and the same result."""
    return None if bool(mask.all()) else mask
