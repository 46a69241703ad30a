"""Predictions for a release, made of its own music or of none: what the evaluation is tried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from art2mus.data import Release

Audio = NDArray[np.float32]
SECONDS = 10


def controls(
    release: Release, split: str, folder: Path, rows: Sequence[int]
) -> dict[str, dict[str, Path]]:
    """Write ground truth, shuffled music, silence and noise for some pairs; by set and pair."""
    ids, clips, rates = [], [], []
    for media in release.media(split, rows):
        audio, rate = media.audio()
        ids.append(media.pair.pair_id)
        clips.append(audio[:, : SECONDS * rate])
        rates.append(rate)
    count = len(ids)
    random = np.random.default_rng(0)
    made: dict[str, Callable[[int], tuple[Any, int]]] = {
        "ground-truth": lambda row: (clips[row], rates[row]),
        "shuffled": lambda row: (clips[(row + 1) % count], rates[(row + 1) % count]),
        "silence": lambda row: (np.zeros((1, SECONDS * 16_000), np.float32), 16_000),
        "noise": lambda row: (0.1 * random.standard_normal((1, SECONDS * 16_000)), 16_000),
    }
    return {
        name: {
            pair_id: write(folder / name / f"{pair_id}.wav", *make(row))
            for row, pair_id in enumerate(ids)
        }
        for name, make in made.items()
    }


def write(path: Path, samples: Any, rate: int, subtype: str = "PCM_24") -> Path:
    """Write samples of shape (channels, samples)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples).T, rate, subtype=subtype)
    return path


def tone(rate: int, seconds: float = 2.0, hertz: float = 440.0) -> Audio:
    """Return a tone, shape (samples,)."""
    time = np.arange(round(rate * seconds)) / rate
    made: Audio = (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    return made
