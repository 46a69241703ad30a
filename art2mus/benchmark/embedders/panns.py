"""PANNs Cnn14 (Kong et al. 2020, arXiv 1912.10211): AudioSet's 527 labels, and 2048 numbers a clip.

Re-implemented for inference from the published checkpoints of qiuqiangkong/audioset_tagging_cnn
(`Cnn14_mAP=0.431.pth` at 32 kHz, `Cnn14_16k_mAP=0.438.pth` at 16 kHz) and shown equal to that
code. The spectrogram is computed by FFT, where that code convolves with a matrix of the transform;
the mel filters are the checkpoint's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from art2mus.benchmark.embedders.base import Features, Waveform
from art2mus.benchmark.embedders.layout import as_channels_last, as_product, channels_last
from artsound.models.checkpoints import CheckpointError, load_into, read_tensors

MELS: Final = 64
LABELS: Final = 527
_WIDTHS: Final = (64, 128, 256, 512, 1024, 2048)
_NARROW: Final = 2  # bins; of 4 the convolution is as fast
_AMIN: Final = 1e-10
_SHORTEST_S: Final = 1.0
# The transform as a convolution, which the checkpoint holds beside the weights.
_TRANSFORM: Final = "spectrogram_extractor."


@dataclass(frozen=True)
class FrontEnd:
    """The settings of a checkpoint's spectrogram.

    Attributes:
        sample_rate: in Hz.
        window: of the transform, in samples.
        hop: in samples.
    """

    sample_rate: int
    window: int
    hop: int


FRONT_ENDS: Final[Mapping[str, FrontEnd]] = {
    "panns-16k": FrontEnd(16_000, 512, 160),
    "panns-32k": FrontEnd(32_000, 1024, 320),
}


class _LogMel(nn.Module):
    melW: Tensor  # noqa: N815  (the checkpoint's name)

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.register_buffer("melW", torch.empty(bins, MELS))


class _Block(nn.Module):
    def __init__(self, inner: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.bn1(_convolved(x, self.conv1)))
        return torch.relu_(self.bn2(_convolved(x, self.conv2)))


def _convolved(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Convolve in the faster way: on a CPU, where two bins are left, that is a product."""
    narrow = x.shape[3] <= _NARROW and x.device.type == "cpu"
    return as_product(x, convolution) if narrow else convolution(x)


class Cnn14(nn.Module):
    """The network, by the names of the published checkpoints.

    Args:
        front: the spectrogram's settings.
    """

    def __init__(self, front: FrontEnd) -> None:
        super().__init__()
        self._front = front
        self.logmel_extractor = _LogMel(front.window // 2 + 1)
        self.bn0 = nn.BatchNorm2d(MELS)
        inner = 1
        for number, width in enumerate(_WIDTHS, start=1):
            setattr(self, f"conv_block{number}", _Block(inner, width))
            inner = width
        self.fc1 = nn.Linear(inner, inner)
        self.fc_audioset = nn.Linear(inner, LABELS)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Map waveforms, shape (n, samples), to embeddings (n, 2048) and outputs (n, 527).

        The embedding follows a ReLU; the outputs are before the sigmoid.
        """
        x = self._log_mel(waveforms).unsqueeze(1)  # (n, 1, frames, mels)
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        x = as_channels_last(x)
        for number in range(1, len(_WIDTHS) + 1):
            x = getattr(self, f"conv_block{number}")(x)
            if number < len(_WIDTHS):
                x = nn.functional.avg_pool2d(x, 2)
        x = x.mean(dim=3)
        embedding = torch.relu(self.fc1(x.amax(dim=2) + x.mean(dim=2)))
        return embedding, self.fc_audioset(embedding)

    def _log_mel(self, waveforms: Tensor) -> Tensor:
        """Return decibels of mel power, shape (n, frames, 64)."""
        spectrum = torch.stft(
            waveforms,
            self._front.window,
            hop_length=self._front.hop,
            window=torch.hann_window(self._front.window, device=waveforms.device),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        mel = power.transpose(1, 2) @ self.logmel_extractor.melW
        return 10.0 * mel.clamp(min=_AMIN).log10()


class Panns:
    """Cnn14 as an `AudioEmbedder`: `logits` (527,) and `frames` (1, 2048) of each whole clip.

    audioldm_eval hears the first channel less its mean; here channels are mixed and nothing is
    subtracted. Clips shorter than a second are padded with silence.
    """

    def __init__(self, name: str, network: Cnn14, fingerprint: str, device: str = "cpu") -> None:
        self.name = name
        self.sample_rate = FRONT_ENDS[name].sample_rate
        self.fingerprint = f"panns-1:{name}:{fingerprint}"
        self._network = channels_last(network.to(device))
        self._device = device

    @classmethod
    def from_checkpoint(
        cls, name: str, path: Path, *, fingerprint: str = "", device: str = "cpu"
    ) -> Panns:
        """Load a published checkpoint.

        Args:
            name: `panns-16k` or `panns-32k`.
            path: the file; what training left in it beside the model is passed over.
            fingerprint: of the file.
            device: where it computes.

        Raises:
            CheckpointError: it is missing, damaged or of another model or sample rate.
        """
        front = FRONT_ENDS[name]
        with torch.device("meta"):  # drawing first weights takes longer than reading the real ones
            network = Cnn14(front).eval().requires_grad_(False)
        load_into(network, _tensors(path, front), path)
        return cls(name, network, fingerprint, device)

    def hear(self, waveform: Waveform) -> Features:
        """Return `logits`, shape (527,), and `frames`, shape (1, 2048), float32."""
        samples = torch.from_numpy(np.ascontiguousarray(waveform, np.float32))
        short = int(_SHORTEST_S * self.sample_rate) - len(samples)
        samples = nn.functional.pad(samples, (0, max(0, short)))
        with torch.inference_mode():
            embedding, logits = self._network(samples[None].to(self._device))
        return {"frames": embedding.cpu().numpy(), "logits": logits[0].cpu().numpy()}


def _tensors(path: Path, front: FrontEnd) -> dict[str, Tensor]:
    # Beside the model the published files hold the state of the training's sampler, a numpy array:
    # plain numbers, which `weights_only` reads once it is told so.
    with torch.serialization.safe_globals(_NUMPY):
        found = read_tensors(path)
    tensors = {
        name.removeprefix("model."): tensor
        for name, tensor in found.items()
        if name.startswith("model.")
    } or found
    window = tensors.get(f"{_TRANSFORM}stft.conv_real.weight")
    if window is not None and window.shape[-1] != front.window:
        raise CheckpointError(
            f"{path} is of a Cnn14 with a window of {window.shape[-1]} samples, not {front.window}:"
            f" it is not the one for {front.sample_rate} Hz"
        )
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_TRANSFORM)}


# numpy 1 wrote its arrays under the first name, numpy 2 under the second.
_REBUILD: Final[Any] = np.zeros(1).__reduce__()[0]
_NUMPY: Final[list[Any]] = [
    (_REBUILD, "numpy.core.multiarray._reconstruct"),
    (_REBUILD, "numpy._core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.int64, np.int32, np.uint32, np.float64)),
]
