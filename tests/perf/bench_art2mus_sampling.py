"""Sampling seconds of `Art2MusPipeline` beside diffusers' `AudioLDM2Pipeline`, and its solvers.

Speed: AudioLDM 2's U-Net of full size (346.9 million parameters) with random weights and the tiny
test backbone's other parts, both pipelines given the same conditioning, seeds and steps, ours the
U-Net in the form that `Backbone` gives it; the time is that of the whole call with latents as
output, their turns interleaved, and the best round counts. On one thread (the default) it is the
processor's, so that other jobs on the machine count little.

Quality: DDIM and DPM-Solver++ by passes of the U-Net and by their distance from DDIM at 999 steps,
all that the schedule has, from the same noise. `--backbone` names a trained prior (AudioLDM 2, or
what `art2mus toy` writes). A random U-Net says nothing about solvers: without a trained one, the
denoiser of two Gaussians is taken, which is known exactly.

Usage: python -m tests.perf.bench_art2mus_sampling [--steps 2] [--rounds 2] [--batch 1]
           [--items 2] [--guidance 3.5] [--backbone FOLDER] [--threads 1]
           [--only speed|solvers]
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.backbone.parts import faster
from art2mus.conditioning import Conditioning, PromptEncoder
from art2mus.pipeline import Art2MusPipeline
from art2mus.sampling.denoise import denoise
from art2mus.sampling.noise import starting_noise
from art2mus.sampling.schedulers import make_scheduler, set_steps
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.perf import full_size
from tests.perf.turns import best

SOLVERS = (
    ("ddim", 200),
    ("ddim", 100),
    ("ddim", 50),
    ("ddim", 25),
    ("dpm-solver++", 40),
    ("dpm-solver++", 25),
    ("dpm-solver++", 20),
)


def speed(folder: Path, steps: int, rounds: int, batch: int) -> None:
    """Print both pipelines' seconds a call, with guidance."""
    diffusers_logging.disable_progress_bar()
    kinds: Any = diffusers
    path = write_tiny_backbone(folder / "tiny", language_model="GPT2LMHeadModel")
    theirs = kinds.AudioLDM2Pipeline.from_pretrained(path)
    backbone = Backbone.open(path)
    torch.manual_seed(0)
    unet = full_size.unet().eval().requires_grad_(False)
    theirs.unet = copy.deepcopy(unet)
    unet = faster(unet, "unet")
    parts = (backbone.language_model, unet, backbone.vae, backbone.vocoder, backbone.scheduler)
    ours: Any = Art2MusPipeline(ImageAligner(1024, 16, backbone.hidden_dim).eval(), *parts)
    for pipe in (theirs, ours):
        pipe.set_progress_bar_config(disable=True)
    random = torch.Generator().manual_seed(0)

    def conditioning(rows: int) -> Conditioning:
        mask = torch.ones(rows, 10, dtype=torch.long)
        mask[:, 8:] = 0
        return Conditioning(
            torch.randn(rows, 8, full_size.HIDDEN, generator=random),
            torch.randn(rows, 10, full_size.TEXT, generator=random),
            mask,
        )

    positive, negative = conditioning(batch), conditioning(1)
    ours.extractor = lambda text: lambda embeds: positive  # both are given what GPT-2 would say
    away = negative.repeat(batch)
    given = {
        "prompt_embeds": positive.text,
        "attention_mask": positive.text_mask,
        "generated_prompt_embeds": positive.loa,
        "negative_prompt_embeds": away.text,
        "negative_attention_mask": away.text_mask,
        "negative_generated_prompt_embeds": away.loa,
    }
    found: dict[str, torch.Tensor] = {}

    def run_ours() -> None:
        found["ours"] = ours(
            image_embeds=torch.zeros(batch, 1024),
            num_inference_steps=steps,
            negative=negative,
            seed=list(range(batch)),
            output_type="latent",
        ).audios

    def run_theirs() -> None:
        found["theirs"] = theirs(
            **given,
            audio_length_in_s=10.0,
            num_inference_steps=steps,
            guidance_scale=3.5,
            generator=[torch.Generator().manual_seed(seed) for seed in range(batch)],
            output_type="latent",
        ).audios

    mine, other = best(rounds, [run_ours, run_theirs])
    size = sum(weight.numel() for weight in unet.parameters()) / 1e6
    difference = float((found["ours"] - found["theirs"]).abs().max())
    print(
        f"U-Net of {size:.1f} million parameters, 10 s, batch {batch}, {steps} steps, guidance 3.5"
    )
    print(f"{'':12} {'s a call':>9} {'s a step':>9}")
    for name, taken in (("ours", mine), ("diffusers", other)):
        print(f"{name:12} {taken:9.2f} {taken / steps:9.2f}")
    print(f"ratio {other / mine:.3f} (over 1: ours is faster); latents differ by {difference:.1e}")


def solvers(name: str | None, items: int, guidance: float) -> None:
    """Print each solver's passes of the U-Net and its distance from DDIM at 999 steps."""
    if name is None:
        print("two Gaussians, exactly known (no --backbone): root mean square from DDIM-999")
        sampler = gaussians(items)
    else:
        backbone = Backbone.open(name)
        print(f"{backbone.name}: root mean square of latents from DDIM-999, guidance {guidance:g}")
        sampler = prior(backbone, items, guidance)
    reference = sampler("ddim", 999)
    scale = float(reference.square().mean().sqrt())
    print(f"{'solver':14} {'passes':>7} {'distance':>9} {'relative':>9}")
    for solver, steps in SOLVERS:
        distance = float((sampler(solver, steps) - reference).square().mean().sqrt())
        print(f"{solver:14} {steps:7} {distance:9.4f} {distance / scale:9.4f}")


def gaussians(items: int) -> Callable[[str, int], torch.Tensor]:
    """Return a sampler whose denoiser is the best one for two Gaussians."""
    base = full_size.scheduler()
    alphas = base.alphas_cumprod.double()
    noise = starting_noise((8, 250, 16), items, seeds=range(items)).double()
    mean, spread = 0.8, 0.2

    def sample(solver: str, steps: int) -> torch.Tensor:
        scheduler = make_scheduler(solver, base)
        z = noise
        for t in set_steps(scheduler, steps, "cpu"):
            a = alphas[int(t)]
            variance = a * spread**2 + 1 - a
            side = torch.tanh(a.sqrt() * mean * z / variance)
            clean = (a.sqrt() * spread**2 * z + (1 - a) * mean * side) / variance
            epsilon = (z - a.sqrt() * clean) / (1 - a).sqrt()
            z = scheduler.step(epsilon, t, z, return_dict=False)[0]
        return z

    return sample


def prior(backbone: Backbone, items: int, guidance: float) -> Callable[[str, int], torch.Tensor]:
    """Return a sampler of a trained prior, on its own conditioning of the prompt as a text."""
    prompts = PromptEncoder(backbone)
    positive = prompts.negative(["Music representing the content of this artwork"]).repeat(items)
    negative = prompts.negative(["Low quality"])
    noise = starting_noise((backbone.unet.config.in_channels, 64, 16), items, seeds=range(items))

    def sample(solver: str, steps: int) -> torch.Tensor:
        scheduler = make_scheduler(solver, backbone.scheduler)
        with torch.no_grad():
            return denoise(
                backbone.unet,
                scheduler,
                noise,
                positive,
                negative if guidance > 1 else None,
                guidance_scale=guidance,
                timesteps=set_steps(scheduler, steps, "cpu"),
                on_step=lambda step, timestep, latents: latents,
            )

    return sample


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--items", type=int, default=2, help="noises for the solvers' distances")
    parser.add_argument("--backbone", help="a trained prior: a folder or a repository")
    parser.add_argument("--guidance", type=float, default=3.5, help="of the solvers' table")
    parser.add_argument("--only", choices=["speed", "solvers"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only != "solvers":
        with tempfile.TemporaryDirectory() as folder:
            speed(Path(folder), options.steps, options.rounds, options.batch)
        print()
    if options.only != "speed":
        solvers(options.backbone, options.items, options.guidance)


if __name__ == "__main__":
    main()
