"""Small real parts of a training, shared by its tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AudioLDM2UNet2DConditionModel
from torch import Tensor, nn

from art2mus.backbone import Backbone
from art2mus.conditioning import PromptEncoder, rollout
from art2mus.diffusion import draw
from art2mus.training.examples import Batch
from art2mus.training.objective import Guidance, Objective, padding
from tests.art2mus.tiny_backbone import HIDDEN, TEXT, write_tiny_backbone

_UNet: Any = AudioLDM2UNet2DConditionModel  # diffusers' constructors are not typed
SHAPE: Final = (8, 8, 4)  # a latent's; (8, 256, 16) in a real training
EMBEDDING: Final = 20
PROMPT: Final = "Music representing the content of this artwork"


def batch_of(rows: list[int], *, seed: int, epoch: int) -> Batch:
    """Return made-up rows of caches with the noise of an epoch, as `Examples` would give them."""
    drawn = [draw(seed, epoch, row, SHAPE) for row in rows]
    made = [torch.Generator().manual_seed(row) for row in rows]
    return {
        "moments": torch.stack(
            [torch.randn(2 * SHAPE[0], *SHAPE[1:], generator=one) for one in made]
        ),
        "embedding": torch.stack([torch.randn(EMBEDDING, generator=one) for one in made]),
        "timestep": torch.tensor([one.timestep for one in drawn]),
        "posterior": torch.stack([one.posterior for one in drawn]),
        "noise": torch.stack([one.noise for one in drawn]),
    }


def objective_of(
    backbone: Backbone,
    *,
    guidance: Guidance | None = None,
    dtype: torch.dtype = torch.float32,
    unet: nn.Module | None = None,
) -> Objective:
    """Return the frozen half of a step on a backbone, with the paper's prompt."""
    text, mask = PromptEncoder(backbone).text([PROMPT])
    return Objective(
        unet=unet or (backbone.unet if dtype == torch.float32 else backbone.unet.to(dtype)),
        language_model=backbone.language_model.to(dtype),
        loa_tokens=backbone.loa_tokens,
        text=text,
        text_mask=padding(mask),
        alphas_cumprod=backbone.scheduler.alphas_cumprod,
        scaling_factor=backbone.vae.config.scaling_factor,
        guidance=guidance,
    )


def plain_rollout(gpt2: nn.Module, tokens: Tensor, steps: int) -> Tensor:
    """Return what GPT-2 appends, reading everything anew at each step."""
    given = tokens
    for _ in range(steps):
        states = gpt2(inputs_embeds=given).last_hidden_state
        given = torch.cat([given, states[:, -1:]], dim=1)
    return given[:, -steps:]


@dataclass(frozen=True)
class TaughtPrior:
    """A tiny backbone that can play two pieces, each by its own Language of Audio tokens."""

    objective: Objective
    latents: Tensor
    embeddings: Tensor

    def batch(self, epoch: int) -> Batch:
        """Return each piece four times, with other noise each."""
        which = [0, 1] * 4
        drawn = [draw(0, epoch, row, SHAPE) for row in range(len(which))]
        # A log-variance of -30 leaves nothing to chance but the noise.
        means = self.latents[which]
        return {
            "moments": torch.cat([means, torch.full_like(means, -30.0)], dim=1),
            "embedding": self.embeddings[which],
            # Where the noise hides which piece it is, and not all of the piece: the key decides.
            "timestep": torch.tensor([200 + one.timestep * 3 // 10 for one in drawn]),
            "posterior": torch.stack([one.posterior for one in drawn]),
            "noise": torch.stack([one.noise for one in drawn]),
        }

    @torch.no_grad()
    def loss(self, aligner: Any, *, swapped: bool) -> float:
        """Return the mean loss, with each artwork's own music or with the other's."""
        losses = []
        for epoch in range(1000, 1008):
            batch = self.batch(epoch)
            if swapped:
                batch["embedding"] = batch["embedding"].roll(1, dims=0)
            losses.append(self.objective(aligner, batch).mean())
        return float(torch.stack(losses).mean())


def taught_prior(folder: Path, steps: int = 700) -> TaughtPrior:
    """Teach a tiny U-Net two latents, keyed by what GPT-2 makes of two prompts, and freeze it."""
    backbone = Backbone.open(write_tiny_backbone(folder))
    torch.manual_seed(0)
    unet: Any = _UNet(
        sample_size=None,
        in_channels=8,
        out_channels=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=8,
        cross_attention_dim=([None, HIDDEN, TEXT],) * 2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    objective = objective_of(backbone, unet=unet)
    latents = torch.randn(2, *SHAPE) / objective.scaling_factor
    with torch.no_grad():
        keys = rollout(backbone.language_model, torch.randn(2, 5, backbone.hidden_dim), 8)
    prior = TaughtPrior(objective, latents, torch.eye(2, EMBEDDING))
    optimizer = torch.optim.AdamW(unet.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(steps):
        batch = prior.batch(5000 + epoch)
        predicted = unet(
            objective.noisy(batch),
            batch["timestep"],
            encoder_hidden_states=keys[[0, 1] * 4],
            encoder_hidden_states_1=objective.text.expand(8, -1, -1),
        ).sample
        optimizer.zero_grad()
        (predicted - batch["noise"]).square().mean().backward()
        optimizer.step()
        schedule.step()
    unet.eval().requires_grad_(False)
    return prior
