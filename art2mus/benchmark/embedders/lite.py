"""The embedders that need no hub: MusiCNN, and the 2024 code's spectrum."""

from __future__ import annotations

from typing import Final

from art2mus.benchmark.embedders.base import Features, Waveform
from art2mus.benchmark.embedders.content import musicnn_content
from art2mus.benchmark.metrics.spectrum_kl import SAMPLE_RATE, spectrum_distribution
from artsound.models.lite import musicnn

_LEAST: Final = 1e-7  # a probability further from 0 and 1 than float32 rounds it


class LiteMusicnn:
    """MusiCNN (MagnaTagATune): `frames` (patches, 200) and `logits` (50,).

    Frames are the penultimate layer of 3-second patches that overlap by half; the tags'
    probabilities are averaged over patches and turned back into outputs before the sigmoid.
    A small stand-in for VGGish and PANNs, named so wherever it is reported.
    """

    name = "lite-musicnn"
    sample_rate = musicnn.SAMPLE_RATE
    _hop = musicnn.PATCH_FRAMES // 2

    def __init__(self) -> None:
        self.weights = musicnn_content("mtt")
        self.fingerprint = f"lite-musicnn-1:{self.weights}"

    def hear(self, waveform: Waveform) -> Features:
        """Return `frames` and `logits`, float32."""
        tags, penultimate = musicnn.taggram(waveform, self.sample_rate, "mtt", self._hop)
        mean = tags.double().mean(dim=0).clamp(_LEAST, 1.0 - _LEAST)
        return {"frames": penultimate.numpy(), "logits": mean.logit().float().numpy()}


class Spectrum:
    """The time-summed spectrum of `metrics.spectrum_kl`, of clips at 16 kHz."""

    name = "spectrum"
    sample_rate = SAMPLE_RATE
    fingerprint = "spectrum-2"

    def hear(self, waveform: Waveform) -> Features:
        """Return `spectrum`, shape (1025,), float64."""
        return {"spectrum": spectrum_distribution(waveform)}
