"""Small real media made on the fly, each file another."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
import soundfile
from PIL import Image

_RATE: Final = 8000


def images(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of JPEGs of 32 pixels a side."""
    for number in range(count):
        values = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(values).resize((32, 32)).save(buffer, "JPEG", quality=60)
        yield f"artist-{number % 97}_picture-{number}-1900.jpg", buffer.getvalue()


def clips(count: int) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and bytes of MP3s of five seconds, tones of a frequency of their own."""
    times = np.arange(int(5.2 * _RATE)) / _RATE
    for number in range(count):
        frequency = 100 + 3000 * ((number * 0.618034) % 1)  # golden ratio: no two come near
        buffer = io.BytesIO()
        wave = 0.3 * np.sin(2 * np.pi * frequency * times)
        soundfile.write(buffer, wave, _RATE, format="MP3")
        yield 1 + number, buffer.getvalue()
