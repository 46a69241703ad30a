"""The mel front end and the resampler beside plain NumPy, written from their definitions.

And the mel front end beside librosa with the authors' parameters, and beside the way in which their
code computes it.
"""

from __future__ import annotations

import math
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from art2mus.mel import BINS, CLIP_SAMPLES, FRAMES, SAMPLE_RATE, log_mel, training_clip
from art2mus.resample import resample

Array = NDArray[np.float64]


def _slaney(hertz: float) -> float:
    linear = hertz * 3 / 200
    return linear if hertz < 1000 else 15 + math.log(hertz / 1000) * 27 / math.log(6.4)


def _hertz(slaney: float) -> float:
    return slaney * 200 / 3 if slaney < 15 else 1000 * math.exp((slaney - 15) * math.log(6.4) / 27)


def _bank() -> Array:
    """Triangles on Slaney's scale, each of unit area in hertz."""
    edges = [_hertz(at) for at in np.linspace(_slaney(0), _slaney(8000), BINS + 2)]
    bins = np.arange(513) * SAMPLE_RATE / 1024
    bank = np.zeros((BINS, 513))
    for band in range(BINS):
        low, middle, high = edges[band : band + 3]
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        bank[band] = np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)
    return bank


def _reference(waveform: Array) -> Array:
    """STFT by the definition, in double precision."""
    padded = np.pad(np.clip(waveform, -1, 1), 512, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    begins = range(0, len(padded) - 1023, 160)
    frames = np.stack([padded[begin : begin + 1024] * window for begin in begins])
    bands = np.abs(np.fft.rfft(frames)) @ _bank().T
    return np.asarray(np.log(np.maximum(bands, 1e-5))[:FRAMES])


def _noise(samples: int, seed: int = 0, scale: float = 0.1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, generator=generator) * scale


def test_log_mel_is_the_definition() -> None:
    noise = torch.stack([_noise(CLIP_SAMPLES, seed) for seed in (0, 1)])
    found = log_mel(noise)
    assert found.shape == (2, FRAMES, BINS)
    assert found.dtype == torch.float32
    for mine, waveform in zip(found, noise, strict=True):
        wanted = _reference(waveform.double().numpy())
        np.testing.assert_allclose(mine.numpy(), wanted, atol=1e-5)
    assert torch.equal(log_mel(noise[0])[0], log_mel(noise[:1])[0])


def _of_librosa(waveform: Array, power: float = 1.0, *, htk: bool = False) -> Array:
    """The authors' parameters in librosa, with SciPy's window, in double precision."""
    window = scipy.signal.get_window("hann", 1024, fftbins=True)
    spectrum = librosa.stft(
        np.clip(waveform, -1, 1), n_fft=1024, hop_length=160, win_length=1024, window=window,
        center=True, pad_mode="reflect",
    )  # fmt: skip
    assert spectrum.dtype == np.complex128
    bank = librosa.filters.mel(
        sr=16_000, n_fft=1024, n_mels=64, fmin=0, fmax=8000, htk=htk, dtype=np.float64
    )
    bands = bank @ np.abs(spectrum) ** power
    return np.asarray(np.log(np.maximum(bands, 1e-5)).T[:FRAMES])


def _music() -> torch.Tensor:
    """A chord with vibrato that fades in, over a noise floor as recordings have.

    Between the tones single precision tells, in any implementation, the authors' too.
    """
    time = torch.arange(CLIP_SAMPLES, dtype=torch.float64) / SAMPLE_RATE
    tones = [torch.sin(2 * math.pi * hz * time + 3 * torch.sin(9 * time)) for hz in (55, 440, 6272)]
    return (torch.stack(tones).mean(0) * time / time[-1]).float() + _noise(CLIP_SAMPLES, 5, 1e-3)


@pytest.mark.parametrize(
    ("waveform", "tolerance"),
    [
        (_noise(CLIP_SAMPLES, 2), 1e-5),
        (_noise(CLIP_SAMPLES, 3, scale=2.0), 1e-5),  # clipped
        (_noise(CLIP_SAMPLES, 4, scale=1e-5), 1e-5),  # about the logarithm's floor
        (_music(), 1e-3),
    ],
    ids=["noise", "loud", "quiet", "music"],
)
def test_log_mel_is_librosas_with_the_authors_parameters(
    waveform: torch.Tensor, tolerance: float
) -> None:
    found = log_mel(waveform)[0].double().numpy()
    wanted = _of_librosa(waveform.double().numpy())
    np.testing.assert_allclose(found, wanted, atol=tolerance, rtol=0)


def test_another_front_end_would_be_told_apart() -> None:
    noise = _noise(CLIP_SAMPLES, 2)
    found, plain = log_mel(noise)[0].double().numpy(), noise.double().numpy()
    assert np.abs(found - _of_librosa(plain, power=2.0)).max() > 0.1
    assert np.abs(found - _of_librosa(plain, htk=True)).max() > 0.1


def test_log_mel_is_a_convolution_with_a_windowed_fourier_basis() -> None:
    """The authors' front end (Tacotron's) has no FFT: each frame is multiplied with its rows."""
    noise = _noise(CLIP_SAMPLES, 3)
    basis = np.fft.fft(np.eye(1024))[:513]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    rows = torch.from_numpy(np.vstack([basis.real, basis.imag]) * window).float()[:, None]
    padded = torch.nn.functional.pad(noise[None, None], (512, 512), mode="reflect")
    real, imaginary = torch.nn.functional.conv1d(padded, rows, stride=160)[0].chunk(2)
    magnitude = (real.square() + imaginary.square()).sqrt()
    bands = torch.from_numpy(_bank()).float() @ magnitude
    wanted = bands.clamp(min=1e-5).log().T[:FRAMES]
    torch.testing.assert_close(log_mel(noise)[0], wanted, atol=1e-5, rtol=0)


def test_log_mel_has_its_own_peculiarities() -> None:
    silent = log_mel(torch.zeros(CLIP_SAMPLES))
    assert torch.equal(silent, torch.full_like(silent, math.log(1e-5)))
    loud = log_mel(torch.full((CLIP_SAMPLES,), 3.0))
    assert torch.equal(loud, log_mel(torch.ones(CLIP_SAMPLES)))  # clipped
    broken = _noise(CLIP_SAMPLES)
    broken[5] = math.nan
    assert torch.isfinite(log_mel(broken)).all()
    short = log_mel(_noise(16_000))
    assert short.shape == (1, FRAMES, BINS)
    assert not short[0, 101:].any()  # zeros follow the last frame, not the logarithm's floor
    assert short[0, 100].any()


def _plain_clip(waveform: Array) -> Array:
    levelled = waveform - waveform.mean()
    levelled = levelled / (np.abs(levelled).max() + 1e-8) * 0.5
    cut = levelled[160_000:320_000] if len(levelled) > 160_000 else levelled[:160_000]
    clip = np.zeros(CLIP_SAMPLES)
    clip[: len(cut)] = cut
    return np.asarray(clip / np.abs(clip).max() * 0.5)


@pytest.mark.parametrize("seconds", [30.0, 20.0, 12.5, 10.5, 10.0, 4.0])
def test_the_training_clip(seconds: float) -> None:
    music = _noise(int(seconds * SAMPLE_RATE)) + 0.05
    clip = training_clip(torch.stack([music, -music]), SAMPLE_RATE)  # the first channel counts
    assert clip.shape == (CLIP_SAMPLES,)
    assert clip.dtype == torch.float32
    np.testing.assert_allclose(clip.numpy(), _plain_clip(music.double().numpy()), atol=1e-6)
    assert torch.equal(clip, training_clip(music, SAMPLE_RATE))
    assert not clip[160_000:].any()
    assert clip.abs().max() == pytest.approx(0.5)


def test_a_silent_clip_stays_silent_and_an_empty_one_is_refused() -> None:
    assert not training_clip(torch.zeros(2, 480_000), SAMPLE_RATE).any()
    assert not training_clip(torch.full((480_000,), 0.25), SAMPLE_RATE).any()
    with pytest.raises(ValueError, match="without samples"):
        training_clip(torch.zeros(2, 0), SAMPLE_RATE)


@settings(max_examples=10)
@given(st.floats(0.01, 20), st.floats(-0.5, 0.5), st.integers(0, 100))
def test_level_and_offset_do_not_matter(gain: float, offset: float, seed: int) -> None:
    music = _noise(14 * SAMPLE_RATE, seed).double()
    one = training_clip(music, SAMPLE_RATE)
    other = training_clip(music * gain + offset, SAMPLE_RATE)
    torch.testing.assert_close(one, other, atol=2e-4, rtol=0)


def _plain_resample(waveform: Array, old: int, new: int) -> Array:
    """Sum over all samples, by the formula, in double precision."""
    cutoff = min(old, new) * 0.99
    time = np.arange(-(-len(waveform) * new // old)) / new
    away = (np.arange(len(waveform))[None] / old - time[:, None]) * cutoff
    near = np.abs(away) < 6
    window = np.where(near, np.cos(away * np.pi / 12) ** 2, 0)
    found: Any = (np.sinc(away) * window * cutoff / old) @ waveform
    return np.asarray(found)


@pytest.mark.parametrize("rate", [44_100, 48_000, 32_000, 22_050, 8_000])
def test_resampling_is_the_formula(rate: int) -> None:
    noise = _noise(1500)
    found = resample(noise, rate, SAMPLE_RATE)
    wanted = _plain_resample(noise.double().numpy(), rate, SAMPLE_RATE)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
    both = resample(torch.stack([noise, -noise]), rate, SAMPLE_RATE)
    torch.testing.assert_close(both, torch.stack([found, -found]))


def test_a_tone_keeps_its_pitch_and_what_is_too_high_goes() -> None:
    time = torch.arange(44_100) / 44_100
    tone = resample(torch.sin(2 * math.pi * 1000 * time), 44_100, SAMPLE_RATE)
    wanted = torch.sin(2 * math.pi * 1000 * torch.arange(16_000) / SAMPLE_RATE)
    torch.testing.assert_close(tone[100:-100], wanted[100:-100], atol=2e-3, rtol=0)
    high = resample(torch.sin(2 * math.pi * 12_000 * time), 44_100, SAMPLE_RATE)
    assert high[100:-100].abs().max() < 1e-2


@settings(max_examples=30)
@given(st.integers(1, 300), st.sampled_from([8_000, 11_025, 16_000, 44_100, 96_000]))
def test_the_length_is_that_of_the_time(samples: int, rate: int) -> None:
    found = resample(torch.ones(samples), rate, SAMPLE_RATE)
    assert len(found) == -(-samples * SAMPLE_RATE // rate)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 Hz"):
        resample(torch.ones(3), 0, SAMPLE_RATE)
