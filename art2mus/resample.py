"""Changing a waveform's sample rate as the authors' training did: band-limited interpolation.

The VAE of AudioLDM 2 sees mel bins up to 8 kHz at a rate of 16 kHz, so the resampler's roll-off is
visible in the top bands: another resampler's clips are other latents.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import torch
from torch.nn.functional import conv1d, pad

_ZEROS: Final = 6  # zero crossings of the sinc on either side
_ROLLOFF: Final = 0.99  # of the lower Nyquist frequency


def resample(waveform: torch.Tensor, orig_rate: int, new_rate: int) -> torch.Tensor:
    """Resample by a Hann-windowed sinc.

    Source: J. O. Smith, "Digital Audio Resampling"; six zero crossings and a roll-off of 0.99 are
    what `torchaudio.functional.resample` has for defaults, which the authors' 2024 code uses.

    Args:
        waveform: float tensor, shape (..., samples).
        orig_rate: its rate in Hz.
        new_rate: the rate wanted, in Hz.

    Returns:
        Shape (..., ceil(samples * new_rate / orig_rate)).

    Raises:
        ValueError: a rate is not positive.
    """
    if orig_rate <= 0 or new_rate <= 0:
        raise ValueError(f"cannot resample from {orig_rate} Hz to {new_rate} Hz")
    if orig_rate == new_rate:
        return waveform
    divisor = math.gcd(orig_rate, new_rate)
    old, new = orig_rate // divisor, new_rate // divisor
    kernels, width = _kernels(old, new, waveform.dtype)
    length = waveform.shape[-1]
    flat = pad(waveform.reshape(-1, 1, length), (width, width + old))
    phases = conv1d(flat, kernels.to(waveform.device), stride=old)  # (n, new, steps)
    joined = phases.transpose(1, 2).reshape(*waveform.shape[:-1], -1)
    return joined[..., : -(-length * new // old)]


@lru_cache(maxsize=16)
def _kernels(old: int, new: int, dtype: torch.dtype) -> tuple[torch.Tensor, int]:
    """Return a filter for each of the `new` phases, shape (new, 1, taps), and its reach."""
    cutoff = min(old, new) * _ROLLOFF
    width = math.ceil(_ZEROS * old / cutoff)
    # In the waveform's own precision, as torchaudio does: the results then agree to the last bits.
    taps = torch.arange(-width, width + old, dtype=dtype)[None, None] / old
    phase = torch.arange(0, -new, -1, dtype=dtype)[:, None, None] / new
    time = ((phase + taps) * cutoff).clamp(-_ZEROS, _ZEROS)
    window = torch.cos(time * math.pi / _ZEROS / 2) ** 2
    angle = time * math.pi
    sinc = torch.where(angle == 0, torch.ones_like(angle), angle.sin() / angle)
    return sinc * window * (cutoff / old), width
