"""MusiCNN, a music tagger: 3-second log-mel patches to MagnaTagATune or Million Song tags.

Pons and Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging"
(arXiv 1909.06654); the architecture is that of Pons et al. 2018 (arXiv 1711.02520): a front end of
timbral (tall) and temporal (wide) filters, a densely connected mid-end and temporal pooling. The
weights are the published ones of the `musicnn` 0.1.0 package (ISC licence), converted as
`data/musicnn/README.md` says. Outputs equal those of the original TensorFlow graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final, Literal, NamedTuple

import librosa
import numpy as np
import soxr
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from artsound.errors import ArtsoundError
from artsound.models.base import FloatArray

Dataset = Literal["mtt", "msd"]

SAMPLE_RATE: Final = 16_000
MELS: Final = 96
PATCH_FRAMES: Final = 187  # 3 s
HOP: Final = 256
_FFT: Final = 512
# Small batches stay in the cache: three patches at once take a third of the time of sixteen, each.
_BATCH: Final = 4

# fmt: off
MTT_LABELS: Final = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice", "weird",
    "country", "metal", "female voice", "choral",
)
MSD_LABELS: Final = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop",
    "sad", "House", "happy",
)
# fmt: on


class Output(NamedTuple):
    """What MusiCNN says about a batch of patches.

    Attributes:
        tags: probabilities, shape (batch, 50), in the order of the labels.
        penultimate: the features before the last layer, shape (batch, 200).
    """

    tags: Tensor
    penultimate: Tensor


class _ConvNorm(nn.Module):
    """Convolution, ReLU and then batch normalisation: the order of the original."""

    def __init__(
        self, conv: nn.Conv1d | nn.Conv2d, padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> None:
        super().__init__()
        self.padding = padding
        self.conv = conv
        norm = nn.BatchNorm1d if isinstance(conv, nn.Conv1d) else nn.BatchNorm2d
        self.norm = norm(conv.out_channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in, ...) to (batch, out, ...)."""
        y: Tensor = self.norm(torch.relu(self.conv(nn.functional.pad(x, self.padding))))
        return y


class MusiCNN(nn.Module):
    """The network of `MTT_musicnn` and `MSD_musicnn`, for inference.

    Args:
        classes: the number of tags.
    """

    def __init__(self, classes: int = 50) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, eps=1e-3)
        # 1.6 * 128 timbral filters of 0.4 and 0.7 of the mel axis, 1.6 * 32 temporal ones.
        self.timbral = nn.ModuleList(
            _ConvNorm(nn.Conv2d(1, 204, (7, height), padding=(3, 0))) for height in (38, 67)
        )
        self.temporal = nn.ModuleList(
            # TensorFlow's "same": of an odd padding, the larger half goes after the last frame.
            _ConvNorm(nn.Conv2d(1, 51, (length, 1)), (0, 0, (length - 1) // 2, length // 2))
            for length in (128, 64, 32)
        )
        self.mid_end = nn.ModuleList(
            _ConvNorm(nn.Conv1d(channels, 64, 7, padding=3)) for channels in (561, 64, 64)
        )
        pooled = 2 * (561 + 3 * 64)
        self.pool_norm = nn.BatchNorm1d(pooled, eps=1e-3)
        self.dense = nn.Linear(pooled, 200)
        self.dense_norm = nn.BatchNorm1d(200, eps=1e-3)
        self.output = nn.Linear(200, classes)

    @classmethod
    def from_pretrained(cls, dataset: Dataset) -> MusiCNN:
        """Return the network with its published weights, in evaluation mode.

        Args:
            dataset: what it was trained on, and so its labels: `mtt` (MagnaTagATune) or `msd`
                (Million Song Dataset).

        Raises:
            ArtsoundError: the weights file is missing or is not this network's.
        """
        source = resources.files("artsound.models.lite") / "data" / "musicnn"
        with resources.as_file(source / f"{dataset}.safetensors") as path:
            model = cls()
            try:
                model.load_state_dict(load_file(path))
            except (OSError, RuntimeError) as error:
                raise ArtsoundError(f"{path}: not MusiCNN weights; reinstall artsound") from error
        return model.eval()

    def forward(self, log_mel: Tensor) -> Output:
        """Tag patches.

        Args:
            log_mel: from `log_mel`, shape (batch, frames, 96); trained on 187 frames.
        """
        x = self.input_norm(log_mel.unsqueeze(1))
        # Pooling over the mel axis leaves (batch, filters, frames).
        front = [block(x).amax(dim=3) for block in (*self.timbral, *self.temporal)]
        features = [torch.cat(front, dim=1)]
        for number, block in enumerate(self.mid_end):
            y = block(features[-1])
            features.append(y + features[-1] if number else y)
        dense = torch.cat(features, dim=1)
        # Maximum and mean of a channel lie next to each other, as the original flattens them.
        pooled = torch.stack([dense.amax(dim=2), dense.mean(dim=2)], dim=2).flatten(1)
        penultimate = self.dense_norm(torch.relu(self.dense(self.pool_norm(pooled))))
        return Output(torch.sigmoid(self.output(penultimate)), penultimate)


@cache
def load(dataset: Dataset) -> MusiCNN:
    """Return a network, loaded on first use and kept for the life of the process."""
    return MusiCNN.from_pretrained(dataset)


@cache
def _filter_bank() -> Tensor:
    # Slaney's mel scale and area normalisation, librosa's defaults.
    return torch.from_numpy(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_FFT, n_mels=MELS))


def resample(waveform: FloatArray, sample_rate: int) -> FloatArray:
    """Bring a mono waveform to the 16 kHz of the networks."""
    if sample_rate == SAMPLE_RATE:
        return np.ascontiguousarray(waveform, dtype=np.float32)
    made: FloatArray = soxr.resample(np.asarray(waveform, np.float32), sample_rate, SAMPLE_RATE)
    return made


def log_mel(waveform: FloatArray) -> Tensor:
    """Return the networks' input: log10(10000 m + 1) of the mel power spectrogram m.

    The original rounds m to float16 on the way, which overflows on loud music; this does not.

    Args:
        waveform: mono at 16 kHz, shape (samples,), more than 256 samples.

    Returns:
        Shape (1 + samples // 256, 96), float32; STFT of 512 samples with a Hann window, hop 256,
        frames centred and the ends reflected.
    """
    spectrum = torch.stft(
        torch.from_numpy(waveform),
        _FFT,
        hop_length=HOP,
        window=torch.hann_window(_FFT),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return torch.log10(10_000.0 * (_filter_bank() @ power) + 1.0).T


def patches(waveform: FloatArray, sample_rate: int, hop_frames: int = PATCH_FRAMES) -> Tensor:
    """Cut a waveform's log-mel spectrogram into 3-second patches.

    A waveform shorter than a patch is repeated until it fills one, as in the networks' training.

    Args:
        waveform: mono, shape (samples,).
        sample_rate: of the waveform, in Hz.
        hop_frames: frames of 16 ms from one patch to the next; by default they do not overlap.

    Returns:
        Shape (patches, 187, 96), at least one patch; the tail that fills no patch is left out.

    Raises:
        ValueError: the waveform is not mono, is empty, or has samples that are not finite.
    """
    if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
        raise ValueError("MusiCNN needs a mono waveform of one or more finite samples")
    samples = resample(waveform, sample_rate)
    shortest = (PATCH_FRAMES - 1) * HOP
    if len(samples) < shortest:
        samples = np.resize(samples, shortest)
    return log_mel(samples).unfold(0, PATCH_FRAMES, hop_frames).transpose(1, 2)


def _tag(cut: Tensor, dataset: Dataset) -> Output:
    model = load(dataset)
    with torch.inference_mode():
        made = [model(batch) for batch in torch.split(cut, _BATCH)]
    return Output(
        torch.cat([one.tags for one in made]), torch.cat([one.penultimate for one in made])
    )


def taggram(
    waveform: FloatArray, sample_rate: int, dataset: Dataset, hop_frames: int = PATCH_FRAMES
) -> Output:
    """Return a waveform's tags and features over time, one row a patch.

    Args:
        waveform: mono, shape (samples,).
        sample_rate: of the waveform, in Hz.
        dataset: whose tags.
        hop_frames: frames of 16 ms from one patch to the next.

    Raises:
        ValueError: as `patches`.
    """
    return _tag(patches(waveform, sample_rate, hop_frames), dataset)


def _means(rows: Sequence[Tensor], width: int) -> FloatArray:
    made = np.zeros((len(rows), width), dtype=np.float32)
    for number, row in enumerate(rows):
        made[number] = row.mean(dim=0).numpy()
    return made


def tag_audio(
    waveforms: Sequence[FloatArray],
    sample_rate: int,
    dataset: Dataset,
    hop_frames: int = PATCH_FRAMES,
) -> FloatArray:
    """Return tag probabilities, the mean over a waveform's patches: shape (n, 50).

    A waveform's result does not depend on the others. The arguments are those of `taggram`.
    """
    rows = [taggram(one, sample_rate, dataset, hop_frames).tags for one in waveforms]
    return _means(rows, 50)


def penultimate(
    waveforms: Sequence[FloatArray],
    sample_rate: int,
    dataset: Dataset,
    hop_frames: int = PATCH_FRAMES,
) -> FloatArray:
    """Return the features before the last layer, the mean over patches: shape (n, 200).

    A waveform's result does not depend on the others. The arguments are those of `taggram`.
    """
    rows = [taggram(one, sample_rate, dataset, hop_frames).penultimate for one in waveforms]
    return _means(rows, 200)


def tag_probabilities(
    waveforms: Sequence[FloatArray], sample_rate: int
) -> tuple[FloatArray, FloatArray]:
    """Return both networks' mean tag probabilities, sharing the front end.

    Args:
        waveforms: mono, shape (samples,) each.
        sample_rate: of the waveforms, in Hz.

    Returns:
        MagnaTagATune's, shape (n, 50), by `MTT_LABELS`; Million Song's, (n, 50), by `MSD_LABELS`.
    """
    cut = [patches(waveform, sample_rate) for waveform in waveforms]
    mtt = [_tag(one, "mtt").tags for one in cut]
    msd = [_tag(one, "msd").tags for one in cut]
    return _means(mtt, 50), _means(msd, 50)
