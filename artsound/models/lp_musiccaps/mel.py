"""The mel front end of LP-MusicCaps."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

SAMPLE_RATE: Final = 16_000
SEGMENT_SAMPLES: Final = 10 * SAMPLE_RATE
MELS: Final = 128
HOP: Final = 160
_FFT: Final = 1024
_FLOOR: Final = 1e-10


class LogMel(nn.Module):
    """Waveforms to mel spectrograms in decibels, as the authors' `MelEncoder` makes them.

    What is squared is the real part of the spectrum, not its magnitude: the authors' models were
    trained so. Window (periodic Hann) and filters (HTK, 0 to 8000 Hz) come from the checkpoint.
    """

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.empty(_FFT))
        self.register_buffer("filters", torch.empty(_FFT // 2 + 1, MELS))

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return decibels.

        Args:
            waveforms: mono samples at 16 kHz in [-1, 1], shape (n, samples).

        Returns:
            Shape (n, 128 mels, samples // 160 + 1 frames); at least -100 dB.
        """
        spectrum = torch.stft(
            waveforms,
            _FFT,
            hop_length=HOP,
            window=self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        mel = torch.matmul(spectrum.real.square().transpose(1, 2), self.filters).transpose(1, 2)
        return 10.0 * mel.clamp(min=_FLOOR).log10()
