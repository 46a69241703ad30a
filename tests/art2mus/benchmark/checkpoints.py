"""VGGish and Cnn14 checkpoints in the published files' layout, of full size, with made-up weights.

The weights are stretches of one short sequence, so that any machine makes the same ones in a blink.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

_PERIOD = 65_537
_POOL = np.random.RandomState(0).standard_normal(_PERIOD).astype(np.float32)

VGGISH = {
    **{
        f"features.{place}": (width, inner, 3, 3)
        for place, inner, width in (
            (0, 1, 64),
            (3, 64, 128),
            (6, 128, 256),
            (8, 256, 256),
            (11, 256, 512),
            (13, 512, 512),
        )
    },
    "embeddings.0": (4096, 12288),
    "embeddings.2": (4096, 4096),
    "embeddings.4": (128, 4096),
}
PANNS_WIDTHS = (1, 64, 128, 256, 512, 1024, 2048)


def numbers(shape: tuple[int, ...], key: int, scale: float) -> torch.Tensor:
    """Return made-up numbers of about that standard deviation."""
    size = int(np.prod(shape))
    start = key * 7_919 % _PERIOD
    flat = np.resize(np.roll(_POOL, -start), size)
    # A stretch that repeats would make rows alike: its sign changes with each repetition's parity.
    flat = flat * np.where(np.arange(size) // _PERIOD % 2, -1.0, 1.0).astype(np.float32)
    return torch.from_numpy((flat * np.float32(scale)).reshape(shape))


def vggish() -> dict[str, torch.Tensor]:
    """Return the tensors of `vggish-10086976.pth`."""
    made = {}
    for key, (name, shape) in enumerate(VGGISH.items()):
        fan = int(np.prod(shape[1:]))
        made[f"{name}.weight"] = numbers(shape, key, float(np.sqrt(2 / fan)))
        made[f"{name}.bias"] = numbers(shape[:1], key + 100, 0.05)
    return made


def vggish_pca() -> dict[str, NDArray[np.float32]]:
    """Return the arrays of `vggish_pca_params-970ea276.pth`."""
    return {
        "pca_eigen_vectors": numbers((128, 128), 40, 0.3).numpy(),
        "pca_means": numbers((128,), 41, 0.5).numpy(),
    }


def panns(sample_rate: int, window: int, fmax: int) -> dict[str, Any]:
    """Return what `Cnn14_mAP=0.431.pth` and `Cnn14_16k_mAP=0.438.pth` hold."""
    model: dict[str, torch.Tensor] = {}
    mel = librosa.filters.mel(sr=sample_rate, n_fft=window, n_mels=64, fmin=50, fmax=fmax)
    model["logmel_extractor.melW"] = torch.from_numpy(np.ascontiguousarray(mel.T))
    bins = np.arange(window // 2 + 1)[:, None] * np.arange(window)[None]
    transform = np.exp(-2j * np.pi * bins / window)
    transform *= librosa.filters.get_window("hann", window, fftbins=True)
    for part, values in (("real", transform.real), ("imag", transform.imag)):
        name = f"spectrogram_extractor.stft.conv_{part}.weight"
        model[name] = torch.from_numpy(values.astype(np.float32)[:, None])
    _norm(model, "bn0", 64, 1)
    for number, (inner, width) in enumerate(itertools.pairwise(PANNS_WIDTHS), start=1):
        for conv, channels in ((1, inner), (2, width)):
            scale = float(np.sqrt(2 / (9 * channels)))
            name = f"conv_block{number}"
            kernels = numbers((width, channels, 3, 3), 10 * number + conv, scale)
            model[f"{name}.conv{conv}.weight"] = kernels
            _norm(model, f"{name}.bn{conv}", width, 10 * number + conv)
    for name, shape in (("fc1", (2048, 2048)), ("fc_audioset", (527, 2048))):
        model[f"{name}.weight"] = numbers(shape, len(name), float(np.sqrt(2 / 2048)))
        model[f"{name}.bias"] = numbers(shape[:1], len(name) + 1, 0.05)
    sampler = {"indexes": np.arange(40), "pointer": 7}
    return {"iteration": 600_000, "model": model, "sampler": sampler}


def _norm(model: dict[str, torch.Tensor], name: str, width: int, key: int) -> None:
    model[f"{name}.weight"] = 1.0 + numbers((width,), key + 200, 0.1)
    model[f"{name}.bias"] = numbers((width,), key + 300, 0.1)
    model[f"{name}.running_mean"] = numbers((width,), key + 400, 0.1)
    model[f"{name}.running_var"] = 1.0 + numbers((width,), key + 500, 0.1).abs()
    model[f"{name}.num_batches_tracked"] = torch.tensor(600_000)


def write(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a checkpoint as `torch.save` does."""
    torch.save(dict(content), path)
    return path


def write_as_of_2020(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a checkpoint as torch 1.0 and numpy 1 did, which made the published ones."""
    torch.save(dict(content), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    return path


def waveforms(sample_rate: int) -> list[NDArray[np.float32]]:
    """Return two clips of 2.5 s: a chord that fades, and noise."""
    time = np.arange(round(2.5 * sample_rate)) / sample_rate
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 277.2, 329.6))
    noise = np.random.RandomState(1).standard_normal(time.size)
    return [
        (0.2 * chord * np.exp(-time)).astype(np.float32),
        (0.1 * noise).astype(np.float32),
    ]
