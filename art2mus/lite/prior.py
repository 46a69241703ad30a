"""Training the toy prior: what AudioLDM 2 has learned from years of audio, on minutes of music.

The U-Net and GPT-2 learn together. A clip's embedding becomes tokens by a linear map of its own,
GPT-2 continues them into the Language of Audio, and the U-Net denoises the clip with these and the
fixed prompt (equation 5 of the paper). Now and then they are replaced by the negative prompt's, so
that classifier-free guidance has something to lead away from. The map is thrown away at the end: an
aligner has to find its own way from images to tokens, through the frozen prior alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from art2mus.backbone import Backbone
from art2mus.conditioning import NEGATIVE_PROMPT, PROMPT, Conditioning, PromptEncoder, rollout
from art2mus.diffusion import add_noise, noise_loss
from art2mus.lite.state import EVERY, StateFile
from artsound.errors import UsageError

Report = Callable[[str, int, int], None]
_TOKENS: Final = 8
_FLOOR: Final = 0.01


@dataclass(frozen=True)
class PriorSettings:
    """How the toy prior is trained.

    Attributes:
        steps: of the optimiser.
        batch: clips a step.
        frames: latent frames of a step's excerpts; 256 are 10.24 s.
        learning_rate: at its highest; it falls to nothing along a cosine.
        dropout: how often the negative prompt stands in for the music.
        blur: standard deviation of the noise on embeddings, whose own is 1: an image's embedding
            never lies where a clip's does.
        seed: of the weights and all that is drawn.
    """

    steps: int = 1000
    batch: int = 8
    frames: int = 128
    learning_rate: float = 1e-3
    dropout: float = 0.1
    blur: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"--steps {self.steps}: the toy prior needs at least one")


class AudioTokens(nn.Module):
    """Embeddings of clips to GPT-2's input: the stand-in for AudioMAE, used only here."""

    centre: Tensor
    spread: Tensor

    def __init__(self, embeddings: Tensor, hidden: int, blur: float) -> None:
        super().__init__()
        self.register_buffer("centre", embeddings.mean(0))
        squared = (embeddings - embeddings.mean(0)).square().mean()
        self.register_buffer("spread", squared.sqrt().clamp_min(1e-6))
        self.projection = nn.Linear(embeddings.shape[1], _TOKENS * hidden)
        self.blur = blur

    def forward(self, embeddings: Tensor, generator: torch.Generator) -> Tensor:
        """Return tokens [B, 8, H] of embeddings [B, E], blurred."""
        scaled = (embeddings - self.centre) / self.spread
        noise = torch.randn(scaled.shape, generator=generator)
        tokens: Tensor = self.projection(scaled + self.blur * noise)
        return tokens.view(len(tokens), _TOKENS, -1)


def pretrain(
    backbone: Backbone,
    latents: Tensor,
    embeddings: Tensor,
    settings: PriorSettings,
    report: Report | None = None,
    *,
    state: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[float]:
    """Train a backbone's U-Net and GPT-2, in place, on latents and what they sound like.

    The result is a pure function of the arguments (on one machine and as many threads), whether the
    training ran through or was stopped and went on.

    Args:
        backbone: a toy; its other parts stay as they are.
        latents: scaled as the U-Net sees them, [n, 8, 256, 16].
        embeddings: of the same clips, [n, E].
        settings: how.
        report: told what is done, how much of it, and of how much.
        state: a file that is written every `EVERY` steps, and that the training goes on from where
            an equal one has left it; None to keep none.
        say: told in a line how that went.

    Returns:
        Each step's loss.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        trained = _Trained(backbone, embeddings, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    losses: list[float] = []
    kept = None if state is None else StateFile(state, settings, latents, embeddings)
    if kept is not None and (found := kept.read()) is not None:
        losses = trained.restore(found, generator)
        say(f"going on after step {len(losses):,}")
    elif kept is not None and kept.path.exists():
        say("what was begun here is damaged, or of other music or settings: beginning anew")
    for step in range(len(losses), settings.steps):
        losses.append(trained.step(latents, embeddings, generator))
        if report:
            report("training the toy prior", step + 1, settings.steps)
        if kept is not None and (step + 1) % EVERY == 0:
            kept.write(trained.held(losses, generator))
    for part in (backbone.unet, backbone.language_model):
        part.eval().requires_grad_(False)
    return losses


def noisy_weight(alphas_cumprod: Tensor) -> Tensor:
    """Return the weight of each timestep, of mean 1: about the same share of the loss for all.

    The nearer to pure noise, the less is left to be wrong about the noise, in proportion to abar_t:
    unweighted, the timesteps that decide what kind of music it will be, and that a condition can
    tell most about, would hardly be learned.
    """
    weight = 1 / (alphas_cumprod + _FLOOR)
    return weight / weight.mean()


class _Trained:
    """The parts that learn, and one step of it."""

    def __init__(self, backbone: Backbone, embeddings: Tensor, settings: PriorSettings) -> None:
        self.settings = settings
        self.backbone = backbone
        self.prompts = PromptEncoder(backbone)
        self.text, self.mask = self.prompts.text([PROMPT])
        self.tokens = AudioTokens(embeddings, backbone.hidden_dim, settings.blur)
        # In eval mode, which the rollout asks for: there is no dropout to be missed.
        learn = (backbone.unet, backbone.language_model, self.tokens)
        self.weights = [
            weight for part in learn for weight in part.requires_grad_(True).parameters()
        ]
        self.optimizer = torch.optim.AdamW(self.weights, settings.learning_rate, weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, settings.learning_rate, total_steps=settings.steps + 1, pct_start=0.1
        )

    def step(self, latents: Tensor, embeddings: Tensor, generator: torch.Generator) -> float:
        """Take one step of the optimiser; returns its loss."""
        count, frames = self.settings.batch, min(self.settings.frames, latents.shape[2])
        rows = torch.randint(len(latents), (count,), generator=generator)
        begin = int(torch.randint(latents.shape[2] - frames + 1, (), generator=generator))
        clean = latents[rows, :, begin : begin + frames]
        noise = torch.randn(clean.shape, generator=generator)
        alphas = self.backbone.scheduler.alphas_cumprod
        timesteps = torch.randint(len(alphas), (count,), generator=generator)
        tokens: Tensor = self.tokens(embeddings[rows], generator)
        loa = rollout(self.backbone.language_model, tokens, self.backbone.loa_tokens)
        dropped = torch.rand(count, generator=generator) < self.settings.dropout
        condition = self._with_negative(loa, dropped)
        predicted = self.backbone.unet(
            add_noise(clean, noise, alphas, timesteps),
            timesteps,
            encoder_hidden_states=condition.loa,
            encoder_hidden_states_1=condition.text,
            encoder_attention_mask_1=condition.text_mask,
            return_dict=False,
        )[0]
        each = noise_loss(predicted, noise, alphas, timesteps, gamma=None)
        loss = (each * noisy_weight(alphas)[timesteps]).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())

    def held(self, losses: list[float], generator: torch.Generator) -> dict[str, Any]:
        """Return what the next step depends on, and the losses so far."""
        return {
            "losses": losses,
            "weights": [weight.detach() for weight in self.weights],
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": generator.get_state(),
        }

    @torch.no_grad()
    def restore(self, held: Mapping[str, Any], generator: torch.Generator) -> list[float]:
        """Become what `held` was taken from; returns its losses."""
        for weight, saved in zip(self.weights, held["weights"], strict=True):
            weight.copy_(saved)
        self.optimizer.load_state_dict(held["optimizer"])
        self.schedule.load_state_dict(held["schedule"])
        generator.set_state(held["generator"])
        return list(held["losses"])

    def _with_negative(self, loa: Tensor, dropped: Tensor) -> Conditioning:
        """Return the conditions of a batch, the negative prompt's in the rows that are dropped."""
        negative = self.prompts.negative([NEGATIVE_PROMPT])
        drop = dropped[:, None, None]
        return Conditioning(
            torch.where(drop, negative.loa, loa),
            torch.where(drop, negative.text, self.text),
            torch.where(dropped[:, None], negative.text_mask, self.mask),
        )
