"""Frozen linear layers by oneDNN's convolution beside torch's own, and what networks gain by it.

Layers: those of AudioLDM 2's U-Net at batch 1, of CLIP ViT-B/32 and of ImageBind at batch 8, with
the gradient to what they read. Networks: full size with random weights, forward only. The turns are
interleaved and the best counts; on one thread (the default) it is the processor's time.

Usage: python -m tests.perf.bench_fast_linear [--rounds 10] [--threads 1] [--only layers|networks]
"""

from __future__ import annotations

import argparse
import copy
import functools
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from artsound.models.fast_linear import as_convolutions, mkl_is_slow
from tests.perf import full_size
from tests.perf.turns import best

# What they belong to, rows, inputs, outputs.
LAYERS: Final = (
    ("U-Net", 1024, 256, 256),
    ("U-Net", 1024, 256, 2048),
    ("U-Net", 1024, 1024, 256),
    ("U-Net", 256, 384, 3072),
    ("U-Net", 256, 1536, 384),
    ("U-Net", 64, 640, 640),
    ("U-Net", 64, 2560, 640),
    ("CLIP", 8 * 50, 768, 3072),
    ("CLIP", 8 * 50, 3072, 768),
    ("ImageBind", 8 * 257, 1280, 5120),
    ("ImageBind", 8 * 257, 5120, 1280),
)


def layers(rounds: int) -> None:
    """Print each layer's rate both ways, in GFLOP/s."""
    print(f"{'GFLOP/s':10} {'rows':>5} {'in':>5} {'out':>5}           {'torch':>6} {'ours':>6}")
    for name, rows, inputs, outputs in LAYERS:
        plain = nn.Linear(inputs, outputs).requires_grad_(False)
        fast = as_convolutions(copy.deepcopy(plain))
        x, gradient = torch.randn(rows, inputs, requires_grad=True), torch.randn(rows, outputs)
        ways = (functools.partial(plain, x), functools.partial(fast, x))
        with torch.no_grad():
            forward = best(rounds, ways)
        back = functools.partial(
            torch.autograd.grad, inputs=x, grad_outputs=gradient, retain_graph=True
        )
        backward = best(rounds, [functools.partial(back, way()) for way in ways])
        work = 2e-9 * rows * inputs * outputs
        for pass_, (theirs, ours) in {"forward": forward, "backward": backward}.items():
            print(f"{name:10} {rows:5} {inputs:5} {outputs:5} {pass_:9}", end="")
            print(f" {work / theirs:6.0f} {work / ours:6.0f} {theirs / ours:5.2f}x")


def networks(rounds: int) -> None:
    """Print the seconds of whole networks both ways, and how far their values lie apart."""
    latents, text = torch.randn(1, 8, 256, 16), torch.randn(1, 10, full_size.TEXT)
    loa = torch.randn(1, 8, full_size.HIDDEN)
    step = torch.tensor([500])

    def denoise(unet: Any) -> Tensor:
        condition = {"encoder_hidden_states": loa, "encoder_hidden_states_1": text}
        noise: Tensor = unet(latents, step, **condition, return_dict=False)[0]
        return noise

    def see(clip: Any) -> Tensor:
        embeddings: Tensor = clip(images).image_embeds
        return embeddings

    images = torch.randn(8, 3, 224, 224)
    makers: list[tuple[str, Callable[[], Any], Callable[[Any], Tensor]]] = [
        ("AudioLDM 2's U-Net, batch 1", full_size.unet, denoise),
        ("CLIP ViT-B/32, batch 8", lambda: full_size.clip(large=False), see),
        ("CLIP ViT-L/14, batch 8", lambda: full_size.clip(large=True), see),
    ]
    print(f"{'s a batch':28} {'torch':>7} {'ours':>7} {'ratio':>6} {'relative difference':>20}")
    for name, make, use in makers:
        plain = make().eval().requires_grad_(False)
        fast = as_convolutions(copy.deepcopy(plain))
        with torch.inference_mode():
            theirs, ours = best(rounds, [functools.partial(use, way) for way in (plain, fast)])
            wanted = use(plain)
            difference = float((use(fast) - wanted).norm() / wanted.norm())
        print(f"{name:28} {theirs:7.2f} {ours:7.2f} {theirs / ours:5.2f}x {difference:20.1e}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=["layers", "networks"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads; taken on this machine by itself: {mkl_is_slow()}")
    if options.only != "networks":
        layers(options.rounds)
    if options.only != "layers":
        networks(max(1, options.rounds // 4))


if __name__ == "__main__":
    main()
