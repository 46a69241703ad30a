"""The Griffin-Lim vocoder: a spectrogram's sound has that spectrogram again."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from art2mus.lite.vocoder import GriffinLimVocoder
from art2mus.mel import log_mel

SAMPLES = 200 * 160


def _mel(waveform: torch.Tensor) -> torch.Tensor:
    return log_mel(waveform)[:, :200]


def _tone(hertz: float, level: float = 0.4) -> torch.Tensor:
    return level * torch.sin(2 * math.pi * hertz * torch.arange(SAMPLES) / 16_000)


@pytest.mark.parametrize("hertz", [220.0, 440.0, 1760.0])
def test_a_tone_comes_back_at_its_pitch_and_level(hertz: float) -> None:
    tone = _tone(hertz)
    sound = GriffinLimVocoder()(_mel(tone))[0]
    assert sound.shape == (SAMPLES,)
    spectrum = torch.fft.rfft(sound * torch.hann_window(SAMPLES)).abs()
    peak = float(spectrum.argmax()) * 16_000 / SAMPLES
    # A mel band is wider than a tone: the pitch is known to about half of one.
    assert peak == pytest.approx(hertz, rel=0.06)
    # Spread over its band, a tone keeps its magnitude there and so loses some of its power.
    inner = slice(1600, -1600)
    assert float(sound[inner].square().mean().sqrt()) == pytest.approx(
        float(tone[inner].square().mean().sqrt()), rel=0.4
    )


def test_the_sound_has_the_spectrogram_it_was_made_from() -> None:
    generator = torch.Generator().manual_seed(0)
    envelope = 0.2 + 0.8 * torch.sin(torch.arange(SAMPLES) / 4000).square()
    noise = 0.1 * torch.randn(SAMPLES, generator=generator) * envelope + _tone(330)
    mel = _mel(noise)
    again = _mel(GriffinLimVocoder()(mel))
    assert float((again - mel)[:, 5:-5].abs().mean()) < 0.25


def test_the_same_bytes_alone_and_in_a_batch_whatever_was_drawn_before() -> None:
    vocoder = GriffinLimVocoder(iterations=4)
    mel = _mel(torch.stack([_tone(220), _tone(880)]))
    together = vocoder(mel)
    torch.rand(7)
    assert torch.equal(vocoder(mel), together)
    torch.testing.assert_close(vocoder(mel[1]), together[1], atol=1e-5, rtol=0)


def test_silence_stays_silent() -> None:
    sound = GriffinLimVocoder(iterations=4)(torch.full((1, 40, 64), math.log(1e-5)))
    assert torch.isfinite(sound).all()
    assert float(sound.abs().max()) < 1e-3


def test_it_is_saved_and_loaded_with_hifi_gans_configuration(tmp_path: Path) -> None:
    GriffinLimVocoder(iterations=3).save_pretrained(tmp_path)
    loaded = GriffinLimVocoder.from_pretrained(tmp_path)
    assert loaded.config.sampling_rate == 16_000
    assert loaded.config.model_in_dim == 64
    assert math.prod(loaded.config.upsample_rates) == 160
    assert loaded.config.iterations == 3
    mel = _mel(_tone(440))
    assert torch.equal(loaded(mel), GriffinLimVocoder(iterations=3)(mel))
