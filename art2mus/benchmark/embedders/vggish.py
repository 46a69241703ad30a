"""VGGish (Hershey et al. 2017, arXiv 1609.09430): 128 numbers for each 0.96 s of sound.

Re-implemented for inference from the published PyTorch checkpoint of harritaylor/torchvggish
(`vggish-10086976.pth`), a conversion of the TensorFlow one, and shown equal to that code. As fadtk,
audioldm_eval and frechet_audio_distance (which the paper's authors call) use it for FAD: without
PCA, and without the last ReLU. Clips are resampled by soxr, where that code uses resampy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import librosa
import numpy as np
import torch
from torch import Tensor, nn

from art2mus.benchmark.embedders.base import Features, Waveform
from art2mus.benchmark.embedders.layout import as_channels_last, channels_last
from artsound.models.checkpoints import load_into, read_tensors

SAMPLE_RATE: Final = 16_000
DIMENSION: Final = 128
FRAMES: Final = 96  # of 10 ms: an example, 0.96 s; the next begins where it ends
_WINDOW: Final = 400
_HOP: Final = 160
_FFT: Final = 512
_MELS: Final = 64
_LOWEST_HZ: Final = 125.0
_HIGHEST_HZ: Final = 7_500.0
_OFFSET: Final = 0.01
_EXAMPLES: Final = 16
_PCA_RANGE: Final = 2.0
# Filters of each convolution; a pooling by two follows where None is.
_LAYERS: Final = (64, None, 128, None, 256, 256, None, 512, 512, None)


@cache
def _filters() -> Tensor:
    """Return the mel filters, shape (257, 64): triangles that are straight on the mel axis.

    librosa's HTK filters are straight in hertz, so they are another bank.
    """
    lowest, highest = (float(librosa.hz_to_mel(hz, htk=True)) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = np.linspace(lowest, highest, _MELS + 2)
    bins = librosa.hz_to_mel(librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=_FFT), htk=True)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0
    return torch.from_numpy(filters)


def log_mel(waveform: Waveform) -> Tensor:
    """Return a clip's examples, shape (examples, 1, 96, 64).

    Magnitudes of a 25 ms periodic Hann window every 10 ms, not centred; log(mel + 0.01). A clip
    shorter than one example is padded with silence; an incomplete last one is left out.

    Args:
        waveform: mono at 16 kHz, shape (samples,).
    """
    needed = _WINDOW + (FRAMES - 1) * _HOP
    samples = torch.from_numpy(waveform.astype(np.float64))  # quiet bins are lost in float32
    samples = nn.functional.pad(samples, (0, max(0, needed - len(samples))))
    windows = samples.unfold(0, _WINDOW, _HOP) * torch.hann_window(_WINDOW, dtype=torch.float64)
    mel = torch.fft.rfft(windows, _FFT).abs() @ _filters()
    whole = len(mel) // FRAMES * FRAMES
    return torch.log(mel[:whole] + _OFFSET).float().reshape(-1, 1, FRAMES, _MELS)


class VGGishNetwork(nn.Module):
    """The convolutions and the three dense layers, by the names of the published checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width in _LAYERS:
            if width is None:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, DIMENSION),
        )

    def forward(self, examples: Tensor) -> Tensor:
        """Map examples, shape (n, 1, 96, 64), to embeddings before the last ReLU, (n, 128)."""
        # The dense layers were trained on (time, frequency, channel), TensorFlow's order.
        found: Tensor = self.embeddings(self.features(examples).permute(0, 2, 3, 1).flatten(1))
        return found


class VGGish:
    """VGGish as an `AudioEmbedder`: `frames` of shape (examples, 128).

    Args:
        network: in evaluation mode.
        fingerprint: of its weights.
        activation: apply the last ReLU, as the original does before its PCA.
        pca: eigenvectors (128, 128) and means (128, 1) of the published post-processor: whitened,
            clipped to -2..2 and rounded to 0..255, as in the AudioSet release; implies activation.
    """

    name = "vggish"
    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        network: VGGishNetwork,
        fingerprint: str,
        *,
        activation: bool = False,
        pca: tuple[Tensor, Tensor] | None = None,
        device: str = "cpu",
    ) -> None:
        self._network = channels_last(network.to(device))
        self._activation = activation or pca is not None
        self._pca = pca
        self._device = device
        self.fingerprint = f"vggish-1:{fingerprint}:{self._activation}:{pca is not None}"

    @classmethod
    def from_checkpoint(
        cls,
        path: Path,
        *,
        pca: Path | None = None,
        activation: bool = False,
        fingerprint: str = "",
        device: str = "cpu",
    ) -> VGGish:
        """Load `vggish-10086976.pth`, and `vggish_pca_params-970ea276.pth` where it is wanted.

        Raises:
            CheckpointError: a file is missing, damaged or of another model.
        """
        with torch.device("meta"):  # drawing first weights takes longer than reading the real ones
            network = VGGishNetwork().eval().requires_grad_(False)
        load_into(network, read_tensors(path), path)
        whitening = None
        if pca is not None:
            holder = _Whitening()
            load_into(holder, read_numbers(pca, ("pca_eigen_vectors", "pca_means")), pca)
            whitening = (holder.pca_eigen_vectors, holder.pca_means)
        return cls(network, fingerprint, activation=activation, pca=whitening, device=device)

    def hear(self, waveform: Waveform) -> Features:
        """Return `frames`, shape (examples, 128), float32."""
        parts = torch.split(log_mel(waveform), _EXAMPLES)
        with torch.inference_mode():
            found = torch.cat([self._embedded(part) for part in parts])
        if self._activation:
            found = found.relu()
        if self._pca is not None:
            found = _whitened(found, *self._pca)
        return {"frames": found.numpy()}

    def _embedded(self, examples: Tensor) -> Tensor:
        found: Tensor = self._network(as_channels_last(examples.to(self._device)))
        return found.cpu()


class _Whitening(nn.Module):
    pca_eigen_vectors: Tensor
    pca_means: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pca_eigen_vectors", torch.empty(DIMENSION, DIMENSION))
        self.register_buffer("pca_means", torch.empty(DIMENSION, 1))


def read_numbers(path: Path, names: Sequence[str]) -> dict[str, Tensor]:
    """Return matrices that a checkpoint holds as tensors, the means as a column.

    Raises:
        CheckpointError: it cannot be read safely.
    """
    tensors: dict[str, Any] = dict(read_tensors(path))
    return {
        name: tensor.float().reshape(-1, 1) if tensor.ndim == 1 else tensor.float()
        for name, tensor in tensors.items()
        if name in names
    }


def _whitened(embeddings: Tensor, vectors: Tensor, means: Tensor) -> Tensor:
    found = (embeddings - means.T) @ vectors.T
    return ((found.clamp(-_PCA_RANGE, _PCA_RANGE) + _PCA_RANGE) * (255 / (2 * _PCA_RANGE))).round()
