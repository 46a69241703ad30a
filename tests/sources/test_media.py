"""Media checks: every kind of image comes to RGB, every way to break a file has its reason."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from artsound.schema import REASONS, Reason, Status
from artsound.sources.media import (
    CONVERTED,
    DETECTED,
    FLATTENED,
    ORIENTED,
    MediaLimits,
    check_audio,
    check_image,
    decode_audio,
    decode_image,
)
from artsound.sources.sample import data

PICTURE = (data() / "artgraph/imagesf2/wassily-kandinsky_composition-viii-1923.jpg").read_bytes()
CLIP = (data() / "fma/fma_large/201/201007.mp3").read_bytes()  # 9.6 s


def _encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _noise(mode: str, size: tuple[int, int] = (40, 30)) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize(
    ("encoded", "repairs"),
    [
        (_encoded(_noise("RGB"), "JPEG"), ()),
        (_encoded(_noise("CMYK"), "JPEG"), (CONVERTED,)),
        (_encoded(_noise("L"), "JPEG"), (CONVERTED,)),
        (_encoded(_noise("RGB")), (DETECTED,)),
        (_encoded(_noise("P")), (DETECTED, CONVERTED)),
        (_encoded(_noise("1")), (DETECTED, CONVERTED)),
        (_encoded(_noise("RGBA")), (DETECTED, FLATTENED, CONVERTED)),
        (_encoded(_noise("LA")), (DETECTED, FLATTENED, CONVERTED)),
        (_encoded(_noise("P"), transparency=3), (DETECTED, FLATTENED, CONVERTED)),
        (_encoded(_noise("RGB"), transparency=(1, 2, 3)), (DETECTED, FLATTENED, CONVERTED)),
        (_encoded(_noise("RGB"), "WEBP"), (DETECTED,)),
        (_encoded(_noise("L").convert("I"), "TIFF"), (DETECTED, CONVERTED)),
    ],
)
def test_every_mode_comes_to_rgb(encoded: bytes, repairs: tuple[str, ...]) -> None:
    image, made = decode_image(encoded, "picture.jpg")
    assert image.mode == "RGB"
    assert image.size == (40, 30)
    assert made == repairs


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 10, 20))
    flat, _ = decode_image(_encoded(image))
    assert flat.getpixel((15, 5)) == (255, 255, 255)
    assert flat.getpixel((5, 5)) == (0, 0, 255)


def test_wide_grayscale_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 20 * 20).astype(np.uint16).reshape(20, 20)
    image, _ = decode_image(_encoded(Image.fromarray(ramp)))
    shades = np.asarray(image)[..., 0]
    assert shades.min() == 0
    assert shades.max() == 255
    assert 120 < shades.mean() < 135


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (32, 24), "black")
    upright.paste("red", (0, 0, 8, 8))
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright
    if orientation in turned:
        stored = upright.transpose(Image.Transpose(turned[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image, repairs = decode_image(_encoded(stored, "JPEG", exif=exif, quality=95), "x.jpg")
    assert image.size == (32, 24)
    red = image.getpixel((3, 3))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert repairs == (() if orientation == 1 else (ORIENTED,))


def test_images_beyond_a_limit() -> None:
    limits = MediaLimits(max_image_pixels=1000, min_image_side=16)
    check = check_image(_encoded(_noise("RGB")), "", limits)
    assert check.reason == f"{Reason.IMAGE_TOO_LARGE}: 40 x 30 pixels"
    check = check_image(_encoded(_noise("RGB", (40, 3))))
    assert check.reason == f"{Reason.IMAGE_TOO_SMALL}: 40 x 3 pixels"


def test_a_decompression_bomb_is_not_decoded() -> None:
    header = bytearray(_encoded(_noise("L", (16, 16))))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    crc = __import__("zlib").crc32(bytes(header[12:29])).to_bytes(4, "big")
    header[29:33] = crc
    check = check_image(bytes(header))
    assert check.reason
    assert check.reason.startswith(Reason.IMAGE_TOO_LARGE)


@settings(max_examples=60)
@given(st.integers(0, len(PICTURE) - 2000))
def test_a_cut_picture_is_rejected(kept: int) -> None:
    check = check_image(PICTURE[:kept], "x.jpg")
    assert check.status == Status.REJECTED
    assert check.reason
    assert check.reason.partition(":")[0] in REASONS


@settings(max_examples=150)
@given(st.binary(max_size=400), st.integers(0, 1500))
def test_no_bytes_raise(noise: bytes, at: int) -> None:
    for original, check in ((PICTURE, check_image), (CLIP[:40_000], check_audio)):
        found = check(original[:at] + noise + original[at + len(noise) :])
        assert found.status in (Status.OK, Status.REJECTED)
        assert found.reason is None or found.reason.partition(":")[0] in REASONS
    assert check_image(noise).status == Status.REJECTED
    assert check_audio(noise).status == Status.REJECTED


# -- audio ----------------------------------------------------------------------------------------


def _tone(seconds: float, amplitude: float = 0.5, rate: int = 16000) -> np.ndarray:
    return amplitude * np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 440 / rate)


def _sound(samples: np.ndarray, kind: str = "WAV", rate: int = 16000, **options: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_good_clip_is_measured(kind: str) -> None:
    stereo = np.stack([_tone(6), _tone(6)], axis=1)
    check = check_audio(_sound(stereo, kind))
    assert check.status == Status.OK
    assert check.duration_s == pytest.approx(6, abs=0.1)
    assert check.sample_rate == 16000
    assert check.channels == 2
    assert check.rms_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.2)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", Reason.AUDIO_EMPTY),
        (b"not music at all", Reason.AUDIO_NOT_DECODABLE),
        (PICTURE, Reason.AUDIO_NOT_DECODABLE),
        (_sound(np.zeros(96_000)), Reason.AUDIO_SILENT),
        (_sound(_tone(6, 0.0005)), Reason.AUDIO_SILENT),
        (_sound(_tone(4.9)), Reason.AUDIO_TOO_SHORT),
        (_sound(_tone(6))[:100_000], Reason.AUDIO_TRUNCATED),
        (_sound(_tone(6), "WAV", subtype="FLOAT")[:80] + b"\0\0\xc0\x7f" * 96_000, None),
    ],
)
def test_every_fault_has_its_reason(encoded: bytes, reason: Reason | None) -> None:
    check = check_audio(encoded)
    assert check.status == Status.REJECTED
    assert check.reason
    assert check.reason.startswith(reason or Reason.AUDIO_NOT_DECODABLE)


def test_a_clip_beyond_the_limit_is_not_decoded_to_its_end() -> None:
    check = check_audio(_sound(_tone(8)), MediaLimits(max_audio_s=7))
    assert check.reason == f"{Reason.AUDIO_TOO_LARGE}: over 7 s"


def test_decoding_mixes_down_and_resamples() -> None:
    stereo = np.stack([_tone(6), np.zeros(96_000)], axis=1)
    samples, rate = decode_audio(_sound(stereo, "WAV", subtype="FLOAT"), 8000)
    assert rate == 8000
    assert samples.dtype == np.float32
    assert samples.shape == (48_000,)
    expected = 0.5 * _tone(6, rate=8000)
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=2e-3)


def test_eight_bit_wave_decodes() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(16000)
        file.writeframes(((_tone(6) + 1) * 127).astype(np.uint8).tobytes())
    assert check_audio(buffer.getvalue()).status == Status.OK
