"""Waveforms as ImageBind hears them: three clips of two seconds, each a log-mel spectrogram.

The steps of `load_and_transform_audio_data` in the authors' `data.py`, and of what it calls:
`torchaudio.functional.resample`, pytorchvideo's `ConstantClipsPerVideoSampler` and
`torchaudio.compliance.kaldi.fbank`. Where those compute in float32, so does this.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch.nn import functional

from artsound.models.base import FloatArray
from artsound.models.imagebind.config import MEL_BINS, MEL_FRAMES

SAMPLE_RATE: Final = 16_000
CLIPS: Final = 3
CLIP_SECONDS: Final = 2

_FRAME: Final = 400  # 25 ms
_SHIFT: Final = 160  # 10 ms
_FFT: Final = 512
_LOW_HZ: Final = 20.0
_PREEMPHASIS: Final = 0.97
_FLOOR: Final = torch.finfo(torch.float32).eps
_MEAN: Final = -4.268
_DEVIATION: Final = 9.138

_ZERO_CROSSINGS: Final = 6
_ROLLOFF: Final = 0.99
# A kernel of more numbers than this would take over half a gigabyte.
_MAX_KERNEL: Final = 1 << 27


def clips(
    waveform: FloatArray, sample_rate: int, *, independent_means: bool = False
) -> torch.Tensor:
    """Return the three spectrograms of a waveform that the network is given.

    Args:
        waveform: mono, shape (samples,), or shape (channels, samples), of which the first channel
            is heard and the mean is taken over all; not changed.
        sample_rate: of the waveform, in Hz.
        independent_means: whether each clip loses its own mean. The authors subtract it in place,
            so that where clips overlap (under 6 s) the later clip sees what the earlier one has
            changed.

    Returns:
        float32, shape (3, 1, 128, 204): clips, channel, mel bins, frames.

    Raises:
        ValueError: the waveform is shorter than 25 ms, has another shape, or holds NaN or infinity.
    """
    samples = torch.tensor(np.atleast_2d(waveform), dtype=torch.float32)
    if samples.ndim != 2:
        raise ValueError(f"a waveform of shape {tuple(samples.shape)}, not (channels, samples)")
    if not bool(torch.isfinite(samples).all()):
        raise ValueError("the waveform holds NaN or infinity")
    samples = resample(samples, sample_rate)
    if samples.shape[1] < _FRAME:
        raise ValueError(
            f"a waveform of {1000 * samples.shape[1] / SAMPLE_RATE:.1f} ms is too short to be"
            f" embedded: {1000 * _FRAME // SAMPLE_RATE} ms are the least"
        )
    heard = []
    for start, end in clip_bounds(samples.shape[1]):
        clip = samples[:, start:end]
        mean = clip.mean()
        heard.append(clip[0] - mean if independent_means else clip.sub_(mean)[0].clone())
    spectrograms = fbank(torch.stack(heard)).transpose(1, 2)
    spectrograms = functional.pad(spectrograms, (0, MEL_FRAMES - spectrograms.shape[2]))
    return ((spectrograms - _MEAN) / _DEVIATION).unsqueeze(1)


def clip_bounds(samples: int) -> list[tuple[int, int]]:
    """Return the first sample of each of the three clips and the one after its last.

    Clip k starts at k (D - 2) / 2 seconds of D; below two seconds every clip is the whole. The
    arithmetic is exact on the float that D is, as pytorchvideo's at the commit that the authors pin
    (6cdc929); its release 0.1.5 takes k (D - 2) / 3.

    Args:
        samples: length of the waveform at 16 kHz.
    """
    duration = samples / SAMPLE_RATE
    step = Fraction(max(duration - CLIP_SECONDS, 0)) / (CLIPS - 1)
    starts = [int(step * number * SAMPLE_RATE) for number in range(CLIPS)]
    return [(start, min(start + CLIP_SECONDS * SAMPLE_RATE, samples)) for start in starts]


def fbank(waveforms: torch.Tensor) -> torch.Tensor:
    """Return Kaldi's log-mel filterbank energies.

    Frames of 25 ms every 10 ms that fit in whole; each frame's mean removed, pre-emphasis 0.97 with
    the first sample repeated, symmetric Hann window, power spectrum of 512 points, 128 triangular
    filters from 20 Hz to 8 kHz on the scale 1127 ln(1 + f / 700), ln(max(energy, 1.19e-7)).

    Args:
        waveforms: 16 kHz, float32, shape (n, samples), at least 400 samples.

    Returns:
        float32, shape (n, frames, 128).
    """
    frames = waveforms.unfold(-1, _FRAME, _SHIFT)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - _PREEMPHASIS * before) * torch.hann_window(_FRAME, periodic=False)
    power = torch.fft.rfft(frames, n=_FFT).abs().square()
    energies: torch.Tensor = power @ _filters()
    return energies.clamp(min=_FLOOR).log()


@lru_cache(maxsize=1)
def _filters() -> torch.Tensor:
    """Return the filters' weights, shape (257, 128); the Nyquist bin belongs to none."""
    low, high = (1127.0 * math.log(1.0 + hz / 700.0) for hz in (_LOW_HZ, SAMPLE_RATE / 2))
    delta = (high - low) / (MEL_BINS + 1)
    number = torch.arange(MEL_BINS).unsqueeze(1)
    left, centre, right = (low + (number + step) * delta for step in (0.0, 1.0, 2.0))
    hertz = SAMPLE_RATE / _FFT * torch.arange(_FFT / 2)
    mel = 1127.0 * (1.0 + hertz / 700.0).log()
    weights = torch.minimum((mel - left) / (centre - left), (right - mel) / (right - centre))
    return functional.pad(weights.clamp(min=0.0), (0, 1)).T.contiguous()


def resample(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Return a waveform at 16 kHz.

    Interpolation with a sinc under a Hann window, six zero crossings wide, rolled off at 0.99 of
    the lower Nyquist frequency (`sinc_interp_hann`).

    Args:
        waveform: float32, shape (channels, samples).
        sample_rate: in Hz.

    Raises:
        ValueError: the rate is not positive, or has too little in common with 16 kHz.
    """
    if sample_rate < 1 or sample_rate != int(sample_rate):
        raise ValueError(f"a sample rate of {sample_rate} Hz: it must be a positive whole number")
    common = math.gcd(int(sample_rate), SAMPLE_RATE)
    old, new = int(sample_rate) // common, SAMPLE_RATE // common
    if old == new:
        return waveform
    kernel, width = _sinc(old, new)
    padded = functional.pad(waveform, (width, width + old)).unsqueeze(1)
    resampled = functional.conv1d(padded, kernel, stride=old).transpose(1, 2).flatten(1)
    # The length is rounded up from a float32, as torchaudio's is.
    length = math.ceil(np.float32(new * waveform.shape[1] / old))
    return resampled[:, :length]


@lru_cache(maxsize=8)
def _sinc(old: int, new: int) -> tuple[torch.Tensor, int]:
    """Return one filter a phase, shape (new, 1, 2 width + old), and their width.

    In float32 step by step, as torchaudio computes them: exact filters differ by up to 1e-5.
    """
    cutoff = min(old, new) * _ROLLOFF
    width = math.ceil(_ZERO_CROSSINGS * old / cutoff)
    if new * (2 * width + old) > _MAX_KERNEL:
        raise ValueError(
            f"sample rates in the ratio {old} to {new} are too far from a simple one: resample the"
            f" audio to {SAMPLE_RATE} Hz first"
        )
    taps = torch.arange(-width, width + old, dtype=torch.float32) / old
    phases = torch.arange(0, -new, -1, dtype=torch.float32).unsqueeze(1) / new
    times = ((phases + taps) * cutoff).clamp(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    window = torch.cos(times * math.pi / _ZERO_CROSSINGS / 2).square() * (cutoff / old)
    angles = times * math.pi
    sinc = torch.where(angles == 0, 1.0, angles.sin() / angles)
    return (sinc * window).unsqueeze(1), width
