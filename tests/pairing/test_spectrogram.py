from __future__ import annotations

import numpy as np
from PIL import Image

from artsound.pairing.spectrogram import (
    BANDS,
    HOP,
    RANGE_DB,
    SAMPLE_RATE,
    SIZE,
    WINDOW,
    intensities,
    recolour,
    spectrogram_image,
)
from artsound.sources.media import decode_audio
from artsound.sources.sample import data


def _slaney_filters() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Slaney's mel filters of unit area, from their definition."""

    def hertz(
        mel: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    top = 15 + 27 * np.log(SAMPLE_RATE / 2 / 1000) / np.log(6.4)
    edges = hertz(np.linspace(0, top, BANDS + 2))
    bins = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return np.maximum(0, np.minimum(rising, falling)) * area[:, None]


def test_intensities_follow_their_definition() -> None:
    clip = sorted((data() / "fma/fma_large/200").iterdir(), key=lambda path: path.name)[3]
    waveform, _ = decode_audio(clip.read_bytes(), SAMPLE_RATE)
    waveform = waveform[: 3 * SAMPLE_RATE]
    padded = np.pad(waveform.astype(np.float64), WINDOW // 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    power = _slaney_filters() @ (np.abs(np.fft.rfft(frames)) ** 2).T
    decibels = 10 * np.log10(np.maximum(power, 1e-10)) - 10 * np.log10(power.max())
    expected = 255 * (1 + np.maximum(decibels, -RANGE_DB) / RANGE_DB)
    result = intensities(waveform)
    assert result.shape == (BANDS, 1 + len(waveform) // HOP)
    assert np.abs(result[::-1] - expected).max() < 0.6


def test_a_tone_is_a_line_at_its_height_and_silence_is_black() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    low = intensities(np.sin(2 * np.pi * 200 * time).astype(np.float32))
    high = intensities(np.sin(2 * np.pi * 4000 * time).astype(np.float32))
    rows = [np.argmax(image.mean(axis=1)) for image in (low, high)]
    assert rows[0] > rows[1]
    assert not intensities(np.zeros(SAMPLE_RATE, np.float32)).any()
    image = spectrogram_image(np.zeros(SAMPLE_RATE, np.float32))
    assert image.size == (SIZE, SIZE)
    assert image.getpixel((0, 0)) == (0, 0, 3)


def test_recolour_maps_luminance_to_inferno() -> None:
    image = Image.new("RGB", (3, 1))
    for place, colour in enumerate([(0, 0, 0), (255, 0, 0), (255, 255, 255)]):
        image.putpixel((place, 0), colour)
    recoloured = recolour(image)
    # Inferno's ends; red has luminance 0.299, which is 76 of 255.
    assert recoloured.getpixel((0, 0)) == (0, 0, 3)
    assert recoloured.getpixel((2, 0)) == (252, 254, 164)
    grey = Image.new("L", (1, 1), 76)
    assert recoloured.getpixel((1, 0)) == recolour(grey).getpixel((0, 0))
