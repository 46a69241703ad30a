from __future__ import annotations

import base64
import io

import numpy as np
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from artsound.models.base import FloatArray
from artsound.models.chat.parts import audio_part, image_part, text_part, user_message


def _opened(part: dict[str, dict[str, str]]) -> Image.Image:
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_an_image_travels_as_a_jpeg_of_the_same_colours() -> None:
    ramp = np.linspace(0, 255, 200, dtype=np.uint8)
    pixels = np.stack([np.tile(ramp, (100, 1))] * 3, axis=-1)
    pixels[:, :, 2] = 40
    there = np.asarray(_opened(image_part(Image.fromarray(pixels), 1024)))
    assert there.shape == pixels.shape
    assert np.abs(there.astype(int) - pixels).max() <= 6


def test_a_large_image_is_scaled_down_and_a_small_one_is_left() -> None:
    assert _opened(image_part(Image.new("RGB", (3000, 1500)), 1024)).size == (1024, 512)
    assert _opened(image_part(Image.new("RGB", (5000, 2)), 1000)).size == (1000, 1)
    assert _opened(image_part(Image.new("RGBA", (30, 20)), 1024)).size == (30, 20)


def test_the_same_image_gives_the_same_bytes() -> None:
    image = Image.effect_noise((300, 200), 60).convert("RGB")
    assert image_part(image, 128) == image_part(image.copy(), 128)


@given(
    hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(-2, 2, width=32)),
    st.sampled_from([8000, 16_000, 48_000]),
)
def test_audio_travels_as_16_bit_samples(waveform: FloatArray, rate: int) -> None:
    part = audio_part(waveform, rate)
    assert part["input_audio"]["format"] == "wav"
    data = base64.b64decode(part["input_audio"]["data"])
    samples, found = soundfile.read(io.BytesIO(data), dtype="int16")
    assert found == rate
    assert samples.shape == waveform.shape
    expected = np.clip(waveform, -1, 1).astype(np.float64) * 32767
    assert np.all(np.abs(samples - expected) <= 0.5 + 1e-3)


def test_text_alone_is_a_plain_string_and_media_come_first() -> None:
    assert user_message([text_part("a")]) == [{"role": "user", "content": "a"}]
    image = image_part(Image.new("RGB", (20, 20)), 64)
    content = user_message([image, text_part("a")])[0]["content"]
    assert [part["type"] for part in content] == ["image_url", "text"]
