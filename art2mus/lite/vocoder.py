"""The toy prior's vocoder: log-mel spectrograms to sound, by Griffin and Lim's algorithm.

It stands in the place of AudioLDM 2's HiFi-GAN and has its interface. Sources: Griffin and Lim
1984; the momentum of Perraudin, Balazs and Sondergaard 2013; the multiplicative updates of Lee and
Seung 2001 for the magnitudes under the mel bands.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

_TINY = 1e-9


class GriffinLimVocoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Turns AudioLDM 2's log-mel spectrograms into sound; the same input gives the same bytes.

    Args:
        sampling_rate: in Hz.
        model_in_dim: mel bins.
        upsample_rates: their product is how many samples a frame becomes; only that counts here.
        n_fft: samples a spectrum.
        fmax: the top of the highest band, in Hz.
        iterations: of the phase.
        spread_iterations: of the magnitudes under the bands.
        momentum: of the phase's iterations.
        seed: of the phases that it starts from.
    """

    bands: Tensor
    config: Any

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        sampling_rate: int = 16_000,
        model_in_dim: int = 64,
        upsample_rates: tuple[int, ...] = (5, 4, 2, 2, 2),
        n_fft: int = 1024,
        fmax: int = 8000,
        iterations: int = 32,
        spread_iterations: int = 30,
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        from librosa.filters import mel

        bank = mel(sr=sampling_rate, n_fft=n_fft, n_mels=model_in_dim, fmin=0, fmax=fmax)
        self.register_buffer("bands", torch.from_numpy(bank).to(torch.float32))
        self.hop = int(torch.tensor(upsample_rates).prod())

    @torch.no_grad()
    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the sound of log-mel spectrograms.

        Args:
            spectrogram: natural logarithm of mel magnitudes, [B, T, bins] or [T, bins].

        Returns:
            float32 waveforms, [B, 160 T] or [160 T]; within what the spectrogram's level says, not
            normalised.
        """
        single = spectrogram.ndim == 2
        mels = (spectrogram[None] if single else spectrogram).float()
        # Centred spectra are one more than the samples hold hops.
        magnitude = self._magnitudes(torch.cat([mels, mels[:, -1:]], dim=1).exp().transpose(1, 2))
        waveform = self._with_phase(magnitude, samples=mels.shape[1] * self.hop)
        return waveform[0] if single else waveform

    def _magnitudes(self, mels: Tensor) -> Tensor:
        """Return non-negative spectra [B, F, T] whose bands come to the mels [B, bins, T]."""
        bands = self.bands.float()
        spectra = bands.T @ mels
        for _ in range(self.config.spread_iterations):
            spectra = spectra * (bands.T @ mels) / (bands.T @ (bands @ spectra) + _TINY)
        return spectra

    def _with_phase(self, magnitude: Tensor, samples: int) -> Tensor:
        n_fft = self.config.n_fft
        window = torch.hann_window(n_fft, device=magnitude.device)
        # Every item starts from the same phases, so that it sounds the same in any batch.
        generator = torch.Generator().manual_seed(self.config.seed)
        angle = torch.rand(magnitude.shape[1:], generator=generator) * 2 * torch.pi
        phase = torch.polar(torch.ones_like(angle), angle).to(magnitude.device)
        phase = phase.expand(magnitude.shape)
        before = torch.zeros_like(phase)
        for _ in range(self.config.iterations):
            sound = torch.istft(magnitude * phase, n_fft, self.hop, window=window, length=samples)
            rebuilt = torch.stft(sound, n_fft, self.hop, window=window, return_complex=True)
            ahead = rebuilt - self.config.momentum / (1 + self.config.momentum) * before
            phase = ahead / (ahead.abs() + _TINY)
            before = rebuilt
        return torch.istft(magnitude * phase, n_fft, self.hop, window=window, length=samples)
