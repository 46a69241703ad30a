"""What filling Art2Mus's caches costs, with full-size models of random weights, and reading them.

Filling: the VAE of AudioLDM 2 on log-mels, and CLIP ViT-B/32 or ViT-L/14 on pictures, a batch at a
time; the way to the models (decoding 30 s of stereo at 44.1 kHz, resampling, log-mel); and the
caches' own share. Reading: random rows of a cache of 13 GB, the paper's 95,295 clips, in a sparse
file. Medians of so many rounds; of what only computes on a CPU the time is the processor's, so that
on one thread (the default) other jobs on the machine count little.

Usage: python -m tests.perf.bench_art2mus_caches [--rounds 3] [--threads 1] [--device cpu]
           [--batches 1,4]
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile
import torch

from art2mus.data import Media, Pair
from art2mus.data.build_caches import vae_moments
from art2mus.data.caches import ArrayCache
from art2mus.mel import CLIP_SAMPLES, log_mel, training_clip
from tests.perf import full_size

CLIPS = 95_295
SHAPE = (16, 256, 16)


def _seconds(
    rounds: int, call: Callable[[], object], device: torch.device, *, wall: bool = False
) -> float:
    clock = time.perf_counter if wall or device.type == "cuda" else time.process_time
    call()
    found = []
    for _ in range(rounds):
        began = clock()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        found.append(clock() - began)
    return statistics.median(found)


def _line(name: str, seconds: float, items: int, unit: str) -> None:
    each = seconds / items
    hours = each * CLIPS / 3600
    print(
        f"{name:44} {each:10.5f} s/{unit:5} {1 / each:10.1f} /s  {hours:8.2f} h for {CLIPS:,}",
        flush=True,
    )


def _models(rounds: int, batches: list[int], device: torch.device) -> None:
    vae = full_size.vae().eval().to(device)
    backbone: Any = SimpleNamespace(vae=vae, device=device, dtype=torch.float32, name="random")
    for batch in batches:
        mels = torch.randn(batch, 1024, 64, device=device)

        def encode(mels: torch.Tensor = mels) -> object:
            return vae_moments(backbone, mels)

        _line(f"VAE, batch {batch}", _seconds(rounds, encode, device), batch, "clip")
    for name, large in (("CLIP ViT-B/32", False), ("CLIP ViT-L/14", True)):
        tower = full_size.clip(large=large).eval().to(device)
        for batch in batches:
            pixels = torch.randn(batch, 3, 224, 224, device=device)

            def embed(pixels: torch.Tensor = pixels, tower: Any = tower) -> object:
                with torch.no_grad():
                    return tower(pixel_values=pixels).image_embeds.cpu()

            _line(f"{name}, batch {batch}", _seconds(rounds, embed, device), batch, "image")


def _front_end(rounds: int) -> None:
    random = np.random.default_rng(0)
    music = (0.1 * random.normal(size=(30 * 44_100, 2))).astype(np.float32)
    cpu = torch.device("cpu")
    for kind in ("MP3", "FLAC"):
        stream = io.BytesIO()
        soundfile.write(stream, music, 44_100, format=kind)
        pair = Pair("", "", 0, "", "", "", 0.0)
        media = Media(pair, 0, "", None, {"bytes": stream.getvalue()})
        seconds = _seconds(rounds, media.audio, cpu)
        _line(f"decoding 30 s of {kind}", seconds, 1, "clip")
    waveform = torch.from_numpy(np.ascontiguousarray(music.T))
    seconds = _seconds(rounds, lambda: training_clip(waveform, 44_100), cpu)
    _line("resampling, cutting, levelling", seconds, 1, "clip")
    clip = torch.randn(1, CLIP_SAMPLES) * 0.1
    _line("log-mel", _seconds(rounds, lambda: log_mel(clip), cpu), 1, "clip")


def _caches(rounds: int, place: Path) -> None:
    cpu = torch.device("cpu")
    rows = np.ones((4, *SHAPE), np.float16)
    cache = ArrayCache(place / "grown", SHAPE, np.float16)
    count = iter(range(1_000_000))

    def append() -> None:
        cache.append([f"{next(count):064x}" for _ in range(4)], rows)

    _line(
        "committing latents, 4 at a time", _seconds(rounds * 10, append, cpu, wall=True), 4, "clip"
    )
    keys = [f"{number:064x}" for number in range(CLIPS)]
    ArrayCache(place / "large", SHAPE, np.float16).append(keys[:1], rows[:1])
    with (place / "large/rows.bin").open("r+b") as stream:
        stream.truncate(CLIPS * rows[0].nbytes)
    with (place / "large/keys.txt").open("a") as lines:
        lines.writelines(f"{key}\n" for key in keys[1:])

    def open_all() -> object:
        return ArrayCache(place / "large", SHAPE, np.float16).rows(keys)[CLIPS - 1]

    seconds = _seconds(rounds, open_all, cpu, wall=True)
    print(f"{f'opening a cache of {CLIPS:,}':44} {seconds:10.5f} s")
    view = ArrayCache(place / "large", SHAPE, np.float16).rows(keys)
    asked = np.random.default_rng(0).permutation(CLIPS)[:1000]
    seconds = _seconds(rounds, lambda: [view[row].copy() for row in asked], cpu, wall=True)
    _line("reading random rows (from the page cache)", seconds, len(asked), "clip")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batches", default="1,4")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    print(f"{given.threads} threads, {given.device}, float32")
    with torch.no_grad():
        _front_end(given.rounds)
    _models(given.rounds, [int(n) for n in given.batches.split(",")], torch.device(given.device))
    with tempfile.TemporaryDirectory() as folder:
        _caches(given.rounds, Path(folder))


if __name__ == "__main__":
    main()
