"""Small archives and small media to test on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

RATE = 44100


def write_zip(path: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def music(seconds: float = 6.0, channels: int = 2) -> NDArray[np.float32]:
    """A tone in noise, shape (samples, channels)."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    wave = 0.25 * np.sin(2 * np.pi * 440 * time) + 0.03 * noise
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encoded(wave: NDArray[np.float32], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE, format=kind, **options)
    return buffer.getvalue()


def picture(width: int = 80, height: int = 60) -> Image.Image:
    """Noise on a gradient: every format has something to store to the last row."""
    values = np.random.default_rng(0).integers(0, 64, (height, width, 3))
    values[..., 0] += np.linspace(0, 191, width).astype(int)
    values[..., 1] += np.linspace(0, 191, height).astype(int)[:, None]
    return Image.fromarray(values.astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
