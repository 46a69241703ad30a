"""The parts of a chat message: text, images as data: URIs, audio as base64 WAV."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from PIL import Image

from artsound.models.base import FloatArray

Part = dict[str, Any]

_JPEG_QUALITY: Final = 95
_FULL_SCALE: Final = 32767


def text_part(text: str) -> Part:
    """Return a part of text."""
    return {"type": "text", "text": text}


def image_part(image: Image.Image, side: int) -> Part:
    """Return an image as a JPEG in a data: URI.

    It is sent at quality 95 without chroma subsampling.

    Args:
        image: the image, of any mode.
        side: an image whose longer side has more pixels is scaled down to it.
    """
    rgb = image.convert("RGB")
    scale = side / max(rgb.size)
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in rgb.size)
        rgb = rgb.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def audio_part(waveform: FloatArray, sample_rate: int) -> Part:
    """Return audio as a 16-bit mono WAV in base64.

    Args:
        waveform: samples in [-1, 1], shape (samples,); louder ones are clipped.
        sample_rate: in Hz.
    """
    samples = np.rint(np.clip(waveform, -1.0, 1.0) * _FULL_SCALE).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sample_rate)
        stream.writeframes(samples.tobytes())
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def user_message(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return the messages of a single question.

    Text alone is sent as a string, which the templates of text models expect.
    """
    if all(part["type"] == "text" for part in parts):
        return [{"role": "user", "content": "\n".join(part["text"] for part in parts)}]
    return [{"role": "user", "content": list(parts)}]
