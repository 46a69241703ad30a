"""A training step of the full-size AudioLDM 2 with random weights, beside others in one run.

* ours: latents, image embeddings and prompts from the caches, the aligner, the rollout, the U-Net,
  the loss, backward and AdamW; the U-Net and GPT-2 in the form that a training gives them;
* straightforward: as the authors' 2024 code does it, with the same result to learn from: the VAE
  encodes the mel-spectrogram, FLAN-T5 the prompt and the negative one, CLAP and GPT-2 the negative
  one too, GPT-2 reads all anew at each step of a rollout, and the U-Net has both branches of the
  guidance inside the loss, with gradients;
* bare: nothing but the U-Net as diffusers loads it, forward and backward to what conditions it;
* bare_ours: the same of the U-Net in our form.

Everything is in float32 and built in memory from the sizes of the published configurations;
nothing is read or written. The turns are interleaved and the best counts. On one thread (the
default) time is the processor's, so that other jobs count little; on more, and on a GPU, it is the
clock's. Memory is the peak of a process that takes two steps of one kind and loads only what that
kind needs.

Usage: python -m tests.perf.bench_art2mus_training [--rounds 3] [--threads 1] [--batch 1]
           [--device cpu|cuda] [--no-memory]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from art2mus.aligner import ImageAligner
from art2mus.backbone.parts import faster
from art2mus.diffusion import add_noise, noise_loss
from art2mus.training.objective import Objective
from tests.perf import full_size
from tests.perf.turns import best

KINDS: Final = ("ours", "straightforward", "bare", "bare_ours")
TOKENS: Final = 16
PROMPT: Final = 10  # FLAN-T5's tokens of the fixed prompt


class Parts:
    """The backbone's parts of full size, each made when it is first needed."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._made: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self._made:
            torch.manual_seed(0)
            with torch.device(self.device):
                self._made[name] = MAKERS[name]().eval().requires_grad_(False)
        return self._made[name]


MAKERS: Final[dict[str, Callable[[], Any]]] = {
    "unet": full_size.unet,
    "vae": full_size.vae,
    "gpt2": full_size.gpt2,
    "t5": full_size.t5,
    "clap": full_size.clap,
    "projection": full_size.projection,
}
PARTS: Final = tuple(MAKERS)
MAKERS["unet_ours"] = lambda: faster(full_size.unet(), "unet").to(memory_format=torch.channels_last)
MAKERS["gpt2_ours"] = lambda: faster(full_size.gpt2(), "language_model")


class Step:
    """One kind of step, with its aligner and optimiser.

    Args:
        kind: of `KINDS`.
        parts: of the backbone.
        batch: examples a step.
    """

    def __init__(self, kind: str, parts: Parts, batch: int) -> None:
        self.parts = parts
        self.batch = batch
        self.schedule = full_size.scheduler().alphas_cumprod.to(parts.device)
        self.take: Callable[[], None] = getattr(self, f"_{kind}")
        torch.manual_seed(0)
        self.aligner = ImageAligner(1024, TOKENS).to(parts.device)
        self.optimizer = torch.optim.AdamW(self.aligner.parameters(), lr=2e-5, fused=kind == "ours")
        self.text = self._normal(1, PROMPT, full_size.TEXT)
        self.held = {
            "moments": self._normal(batch, 16, 256, 16).half(),
            "embedding": torch.nn.functional.normalize(self._normal(batch, 1024), dim=-1),
            "timestep": torch.randint(0, 1000, (batch,), device=parts.device),
            "posterior": self._normal(batch, 8, 256, 16),
            "noise": self._normal(batch, 8, 256, 16),
        }
        self.mel = self._normal(batch, 1, 1024, 64)
        self.ids = torch.randint(5, 30_000, (batch, PROMPT), device=parts.device)
        self.loa = self._normal(batch, 8, full_size.HIDDEN).requires_grad_()

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.parts.device)

    def _learn(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.aligner.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _ours(self) -> None:
        objective = Objective(
            unet=self.parts.unet_ours,
            language_model=self.parts.gpt2_ours,
            loa_tokens=8,
            text=self.text,
            text_mask=None,
            alphas_cumprod=self.schedule,
            scaling_factor=full_size.SCALING_FACTOR,
        )
        self._learn(objective(self.aligner, self.held).mean())

    def _straightforward(self) -> None:
        parts, noise, timesteps = self.parts, self.held["noise"], self.held["timestep"]
        with torch.no_grad():
            latents = parts.vae.encode(self.mel).latent_dist.sample() * full_size.SCALING_FACTOR
            text, away = (parts.t5(self.ids)[0] for _ in range(2))
            clap = parts.clap(self.ids).text_embeds[:, None]
            joined = parts.projection(hidden_states=clap, hidden_states_1=away).hidden_states
            negative = self._uncached(joined)
        loa = self._uncached(self.aligner(self.held["embedding"]))
        noisy = add_noise(latents, noise, self.schedule, timesteps)
        both = parts.unet(
            torch.cat([noisy, noisy]),
            torch.cat([timesteps, timesteps]),
            encoder_hidden_states=torch.cat([negative, loa]),
            encoder_hidden_states_1=torch.cat([away, text]),
            return_dict=False,
        )[0]
        without, with_ = both.chunk(2)
        guided = without + 3.5 * (with_ - without)
        self._learn(noise_loss(guided, noise, self.schedule, timesteps).mean())

    def _uncached(self, given: Tensor) -> Tensor:
        for _ in range(8):
            states = self.parts.gpt2(inputs_embeds=given, use_cache=False).last_hidden_state
            given = torch.cat([given, states[:, -1:]], dim=1)
        return given[:, -8:]

    def _bare(self) -> None:
        self._only(self.parts.unet)

    def _bare_ours(self) -> None:
        self._only(self.parts.unet_ours)

    def _only(self, unet: Any) -> None:
        predicted = unet(
            self.held["noise"],
            self.held["timestep"],
            encoder_hidden_states=self.loa,
            encoder_hidden_states_1=self.text.expand(self.batch, -1, -1),
            return_dict=False,
        )[0]
        predicted.square().mean().backward()
        self.loa.grad = None


def peak(kind: str, options: argparse.Namespace) -> float:
    """Return the peak memory of a process that takes two steps, in GiB."""
    command = [sys.executable, "-m", "tests.perf.bench_art2mus_training", "--peak", kind]
    command += ["--batch", str(options.batch), "--device", options.device]
    command += ["--threads", str(options.threads)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def print_peak(kind: str, options: argparse.Namespace) -> None:
    """Take two steps and print the peak of this process's memory, or of the GPU's, in GiB."""
    step = Step(kind, Parts(options.device), options.batch)
    step.take()
    step.take()
    if options.device == "cuda":
        print(torch.cuda.max_memory_allocated() / 2**30)
        return
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 2**20)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--peak", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak:
        print_peak(options.peak, options)
        return
    parts = Parts(options.device)
    steps = {kind: Step(kind, parts, options.batch) for kind in KINDS}
    sizes = {name: sum(p.numel() for p in getattr(parts, name).parameters()) for name in PARTS}
    print(", ".join(f"{name} {size / 1e6:.1f} M" for name, size in sizes.items()))
    times = best(options.rounds, [step.take for step in steps.values()], options.device)
    del steps, parts
    where = f"{options.device}, batch {options.batch}, {options.threads} threads"
    print(f"{where}\n{'':16} {'s/step':>8} {'steps/s':>8} {'ours':>8} {'peak GiB':>9}")
    for kind, spent in zip(KINDS, times, strict=True):
        memory = "" if options.no_memory else f"{peak(kind, options):9.1f}"
        print(f"{kind:16} {spent:8.2f} {1 / spent:8.3f} {spent / times[0]:7.2f}x {memory}")


if __name__ == "__main__":
    main()
