"""EnCodec and MERT through transformers, from folders in their repositories' layout.

EnCodec (Defossez et al. 2022, arXiv 2210.13438, facebook/encodec_24khz): the encoder's output
before quantisation, 75 frames of 128 a second. MERT (Li et al. 2024, arXiv 2306.00107,
m-a-p/MERT-v1-95M): the last hidden layer, 75 frames of 768 a second. Both as fadtk takes them.
MERT's repository brings code of its own, which is not run: without its CQT branch MERT is a HuBERT,
which transformers has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from transformers import EncodecModel, HubertConfig, HubertModel

from art2mus.benchmark.embedders.base import Features, Waveform
from artsound.models.checkpoints import CheckpointError, load_into, read_tensors
from artsound.models.fast_linear import speed_up
from artsound.models.pretrained import load_model, quiet, read_json

_MERT_RATE: Final = 24_000
_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
# How torch names the two parts of a normalised weight since 2.0, and what they were called before.
_RENAMED: Final = {
    "conv.weight_g": "conv.parametrizations.weight.original0",
    "conv.weight_v": "conv.parametrizations.weight.original1",
}


class Encodec:
    """EnCodec's encoder as an `AudioEmbedder`: `frames` (75 a second, 128)."""

    name = "encodec"

    def __init__(self, folder: Path, fingerprint: str, device: str = "cpu") -> None:
        """Load a folder such as facebook/encodec_24khz.

        Raises:
            CheckpointError: it is missing, damaged or of another model, or wants stereo.
        """
        model: Any = load_model(EncodecModel, folder, device=device, dtype=torch.float32)
        if model.config.audio_channels != 1:
            raise CheckpointError(f"{folder} takes stereo: give the 24 kHz one, which takes mono")
        self._encoder = model.encoder
        self._device = device
        self.sample_rate = int(model.config.sampling_rate)
        self.fingerprint = f"encodec-1:{fingerprint}"

    def hear(self, waveform: Waveform) -> Features:
        """Return `frames`, float32."""
        with torch.inference_mode():
            frames = self._encoder(torch.from_numpy(waveform)[None, None].to(self._device))
        return {"frames": frames[0].T.cpu().contiguous().numpy()}


class Mert:
    """MERT as an `AudioEmbedder`: `frames` (75 a second, 768) of its last layer."""

    name = "mert"
    sample_rate = _MERT_RATE

    def __init__(self, folder: Path, fingerprint: str, device: str = "cpu") -> None:
        """Load a folder such as m-a-p/MERT-v1-95M.

        Raises:
            CheckpointError: it is missing, damaged, of another model, or of one with a CQT branch.
        """
        settings = read_json(folder, "config.json")
        if settings.get("model_type") not in {"mert_model", "hubert"}:
            raise CheckpointError(
                f"{folder} is of a {settings.get('model_type')} model: give a MERT"
            )
        if settings.get("feature_extractor_cqt"):
            raise CheckpointError(f"{folder} has a CQT branch: give a MERT-v1, which has none")
        front = read_json(folder, "preprocessor_config.json")
        if int(front.get("sampling_rate", _MERT_RATE)) != _MERT_RATE:
            raise CheckpointError(f"{folder} is not at {_MERT_RATE} Hz: give a MERT-v1")
        self._normalises = bool(front.get("do_normalize", True))
        known = {name: value for name, value in settings.items() if name != "model_type"}
        with quiet():
            model: Any = HubertModel(HubertConfig(**{**known, "conv_pos_batch_norm": False}))
        path = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
        if path is None:
            raise CheckpointError(f"{folder} holds no weights: it needs {' or '.join(_WEIGHTS)}")
        tensors = {_renamed(name): tensor for name, tensor in read_tensors(path).items()}
        load_into(model, tensors, path)
        self._model = speed_up(model.eval().to(device))
        self._device = device
        self.fingerprint = f"mert-1:{fingerprint}"

    def hear(self, waveform: Waveform) -> Features:
        """Return `frames`, float32."""
        samples = torch.from_numpy(waveform)[None]
        if self._normalises:  # as Wav2Vec2FeatureExtractor: to zero mean and unit variance
            spread = samples.var(dim=1, correction=0, keepdim=True)
            samples = (samples - samples.mean(dim=1, keepdim=True)) / (spread + 1e-7).sqrt()
        with torch.inference_mode():
            frames = self._model(samples.to(self._device)).last_hidden_state
        return {"frames": frames[0].float().cpu().numpy()}


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name
