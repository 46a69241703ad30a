"""AudioLDM 2's front end as the authors' training has it: a clip, and its log-mel spectrogram.

Source: the front end of AudioLDM (Liu et al. 2023) and the loading in the authors' 2024 code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import torch

from art2mus.resample import resample

SAMPLE_RATE: Final = 16_000
FRAMES: Final = 1024
BINS: Final = 64
HOP: Final = 160
CLIP_SAMPLES: Final = FRAMES * HOP
"""A training clip: 10.24 s, of which the last 0.24 s are silent."""

SOUNDING_SAMPLES: Final = 10 * SAMPLE_RATE
"""How many of its samples are a track's, at most."""

VERSION: Final = "audioldm-1"
"""Another one whenever a clip would give other numbers: caches are keyed by it."""

_FFT: Final = 1024
_TOP_HZ: Final = 8000
_BEGIN: Final = 10 * SAMPLE_RATE
_PEAK: Final = 0.5
_FLOOR: Final = 1e-5


def training_clip(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Cut and level the clip that a track is trained on.

    The first channel at 16 kHz, less the whole file's mean, its peak at 0.5; the samples from 10 s
    to 20 s, zero-padded to 163,840; then the peak at 0.5 again. Of a file that ends between 10 s
    and 20 s what is left after 10 s counts, as in the authors' code. Of a file of 10 s or less
    their code trains on silence; here its first 10 s count. A silent clip stays silent.

    Args:
        waveform: float tensor, shape (samples,) or (channels, samples).
        sample_rate: in Hz.

    Returns:
        float32, shape (163840,), within [-0.5, 0.5].

    Raises:
        ValueError: there are no samples.
    """
    first = waveform if waveform.ndim == 1 else waveform[0]
    if not first.numel():
        raise ValueError("a clip without samples")
    levelled = resample(first.to(torch.float32), sample_rate, SAMPLE_RATE)
    levelled = levelled - levelled.mean()
    levelled = levelled / (levelled.abs().max() + 1e-8) * _PEAK
    begin = _BEGIN if len(levelled) > _BEGIN else 0
    cut = levelled[begin : begin + SOUNDING_SAMPLES]
    clip = torch.nn.functional.pad(cut, (0, CLIP_SAMPLES - len(cut)))
    peak = clip.abs().max()
    return clip / peak * _PEAK if peak > 0 else clip


def log_mel(waveform: torch.Tensor) -> torch.Tensor:
    """Return the log-mel spectrogram that AudioLDM 2's VAE encodes.

    STFT 1024/160 with a periodic Hann window, centred with reflection; its magnitude in 64 Slaney
    mel bands of unit area from 0 to 8000 Hz; the natural logarithm of at least 1e-5; the first
    1,024 frames, with zeros after the last where there are fewer, as in the authors' code.

    Args:
        waveform: at 16 kHz, shape (samples,) or (batch, samples), more than 512 samples; clipped to
            [-1, 1].

    Returns:
        float32, shape (batch, 1024, 64), on the waveform's device.
    """
    rows = waveform[None] if waveform.ndim == 1 else waveform
    batch = rows.to(torch.float32).clamp(-1, 1).nan_to_num()
    spectrum = torch.stft(
        batch,
        _FFT,
        HOP,
        window=torch.hann_window(_FFT, device=batch.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    magnitude = spectrum.abs()[..., :FRAMES]
    bands = (_filters().to(batch.device) @ magnitude).transpose(1, 2)
    logs = bands.clamp(min=_FLOOR).log()
    return torch.nn.functional.pad(logs, (0, 0, 0, FRAMES - logs.shape[1]))


@lru_cache(maxsize=1)
def _filters() -> torch.Tensor:
    """Return the mel filters, shape (64, 513)."""
    from librosa.filters import mel

    bank = mel(sr=SAMPLE_RATE, n_fft=_FFT, n_mels=BINS, fmin=0, fmax=_TOP_HZ)
    return torch.from_numpy(bank).to(torch.float32)
