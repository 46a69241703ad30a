"""The toy prior's evidence: an aligner on artworks that neither it nor its prior has seen.

A small release holds out a pair or two, too few to tell anything. So all its pairs are split into
folds; for each, a prior is trained on the music of the others and an aligner on their pairs (or, as
by the lite recipe, on their music in the artworks' place), both from nothing, and
`controls.measure` looks at the fold that was left out. With few pairs the split itself decides
much; several splits, averaged over, take most of that away.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from torch import Tensor

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.conditioning import PROMPT, PromptEncoder
from art2mus.diffusion import draw
from art2mus.lite.backbone import train_toy
from art2mus.lite.controls import Held, Losses, measure
from art2mus.lite.music import Music
from art2mus.lite.prior import PriorSettings
from art2mus.training.aligner_inputs import AlignerInputs
from art2mus.training.objective import Objective
from art2mus.training.settings import StandIns, TrainSettings
from artsound.errors import UsageError

Report = Callable[[str, int, int], None]
LITE: Final = TrainSettings.read("lite")
_FRAMES: Final = 240  # latent frames of a clip that sound; the rest of 10.24 s is silent


@dataclass(frozen=True)
class FoldSettings:
    """How each fold is trained and looked at; by default as by the lite recipe, but for longer.

    Attributes:
        folds: into how many parts the pairs are split.
        splits: how many times they are, each time in another way.
        prior: how the prior is trained.
        tokens: of the aligner.
        steps: of the aligner's training.
        batch: clips a step.
        frames: latent frames of a step's excerpt.
        held_frames: of a held-out clip's; all that sound are 240.
        learning_rate: of AdamW.
        weight_decay: likewise.
        ema_decay: of the average of the aligner's weights, which is what is looked at.
        embedding_noise: see `TrainSettings`.
        stand_ins: how music stands in for artworks, likewise.
        seed: of the folds, the aligner and the noise; each split adds one.
    """

    folds: int = 5
    splits: int = 1
    prior: PriorSettings = field(default_factory=PriorSettings)
    tokens: int = LITE.aligner.tokens
    steps: int = 400
    batch: int = 8
    frames: int = 64
    held_frames: int = _FRAMES
    learning_rate: float = LITE.optimizer.learning_rate
    weight_decay: float = LITE.optimizer.weight_decay
    ema_decay: float = LITE.ema_decay or 0.0
    embedding_noise: float = LITE.embedding_noise
    stand_ins: StandIns = LITE.stand_ins
    seed: int = 0


@dataclass(frozen=True)
class Fold:
    """One fold's result.

    Attributes:
        held: the pairs that were held out.
        losses: theirs.
        training: the aligner's loss at each step.
    """

    held: tuple[int, ...]
    losses: Losses
    training: tuple[float, ...]


def folds(count: int, parts: int, seed: int) -> list[list[int]]:
    """Return the pairs 0 .. count - 1 in so many parts, shuffled, each in ascending order.

    Raises:
        UsageError: a part would have fewer than two pairs, or there is but one part.
    """
    if parts < 2 or count < 2 * parts:
        raise UsageError(f"{parts} folds of {count} pairs: take 2 to {count // 2}")
    order = np.random.default_rng(seed).permutation(count)
    return [sorted(int(pair) for pair in order[part::parts]) for part in range(parts)]


def cross_validate(
    music: Music,
    images: Tensor,
    work: Path,
    settings: FoldSettings | None = None,
    *,
    prior: Path | None = None,
    report: Report | None = None,
) -> Iterator[Fold]:
    """Yield the folds' results, one after the other.

    Args:
        music: clips of all pairs; their rows are the pairs' numbers.
        images: the artworks' embeddings, [pairs, E]; of the music's space, if that stands in.
        work: where the folds' backbones are written; one that is there from before is used.
        settings: how.
        prior: a finished backbone to use in all folds, which may have heard the held-out music (as
            AudioLDM 2 has heard the Free Music Archive), though nobody showed it an artwork.
        report: told what is done, how much of it, and of how much.

    Raises:
        UsageError: there are too few pairs for so many folds.
    """
    asked = settings or FoldSettings()
    parts_of_splits = [
        (replace(asked, seed=asked.seed + split), f"split-{split}-fold-{number}", held)
        for split in range(asked.splits)
        for number, held in enumerate(folds(len(images), asked.folds, asked.seed + split))
    ]
    for place, (chosen, name, held) in enumerate(parts_of_splits):
        if report:
            report("folds", place, len(parts_of_splits))
        others = [pair for pair in range(len(images)) if pair not in held]
        heard = music.of(others)
        folder = prior or work / name
        if prior is None and not folder.exists():
            train_toy(heard, folder, chosen.prior, report=report)
        backbone = Backbone.open(folder)
        objective = _objective(backbone)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(chosen.seed)
            aligner = ImageAligner(images.shape[1], chosen.tokens, backbone.hidden_dim)
        untrained = copy.deepcopy(aligner).eval()
        inputs = AlignerInputs.of(
            images[heard.rows], heard.embeddings, chosen.stand_ins, chosen.embedding_noise
        )
        moments = _moments(backbone, heard)
        training = train_aligner(aligner, objective, moments, inputs, chosen, report)
        parts = [
            _excerpt(_moments(backbone, music.of([pair])), chosen.held_frames) for pair in held
        ]
        losses = measure(objective, aligner, untrained, Held(images[held], parts), seed=chosen.seed)
        yield Fold(tuple(held), losses, tuple(training))


def train_aligner(
    aligner: ImageAligner,
    objective: Objective,
    moments: Tensor,
    inputs: AlignerInputs,
    settings: FoldSettings,
    report: Report | None = None,
) -> list[float]:
    """Train an aligner in place on clips and their artworks; returns each step's loss.

    The loop of `art2mus train` in short, on all clips of a track instead of one.

    Args:
        aligner: the weights' average, in eval mode, afterwards.
        objective: the frozen half.
        moments: of the clips, [n, 2C, T, H].
        inputs: what it is shown of the same rows.
        settings: how.
        report: told what is done, how much of it, and of how much.
    """
    optimizer = torch.optim.AdamW(
        aligner.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.steps + 1, pct_start=0.1
    )
    generator = torch.Generator().manual_seed(settings.seed)
    shape = (moments.shape[1] // 2, settings.frames, moments.shape[3])
    average = EMAModel(aligner.parameters(), decay=settings.ema_decay)
    losses = []
    for step in range(settings.steps):
        rows = torch.randint(len(moments), (settings.batch,), generator=generator)
        begin = int(torch.randint(_FRAMES - settings.frames + 1, (), generator=generator))
        drawn = [draw(settings.seed, step, place, shape) for place in range(settings.batch)]
        batch = {
            "moments": moments[rows, :, begin : begin + settings.frames],
            "embedding": torch.stack(
                [
                    inputs.embedding(row, settings.seed, step, place)
                    for place, row in enumerate(rows.tolist())
                ]
            ),
            "timestep": torch.tensor([one.timestep for one in drawn]),
            "posterior": torch.stack([one.posterior for one in drawn]),
            "noise": torch.stack([one.noise for one in drawn]),
        }
        loss = objective(aligner, batch).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(aligner.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.step(aligner.parameters())
        losses.append(float(loss.detach()))
        if report:
            report("training an aligner", step + 1, settings.steps)
    average.copy_to(aligner.parameters())
    aligner.eval()
    return losses


def _objective(backbone: Backbone) -> Objective:
    text, _ = PromptEncoder(backbone).text([PROMPT])
    return Objective(
        unet=backbone.unet,
        language_model=backbone.language_model,
        loa_tokens=backbone.loa_tokens,
        text=text,
        text_mask=None,
        alphas_cumprod=backbone.scheduler.alphas_cumprod,
        scaling_factor=float(backbone.vae.config.scaling_factor),
    )


@torch.no_grad()
def _moments(backbone: Backbone, music: Music) -> Tensor:
    found: Tensor = backbone.vae.encode(music.mels[:, None]).latent_dist.parameters
    return found


def _excerpt(moments: Tensor, frames: int) -> Tensor:
    begin = (_FRAMES - frames) // 2
    return moments[:, :, begin : begin + frames]
