"""The authors' own ImageBind package as an embedder, where it can be imported.

Their package needs torchvision, torchaudio and pytorchvideo, and with them a machine that those
have wheels for. It is here to be compared with: `models.imagebind` needs none of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import soundfile
import torch
from PIL import Image

from artsound.errors import MissingDependency
from artsound.models.base import FloatArray, Modality
from artsound.models.checkpoints import load_into, read_tensors
from artsound.models.partial import unit
from artsound.models.setup import Setup

INSTALL: Final = "pip install git+https://github.com/facebookresearch/ImageBind"
_SAMPLE_RATE: Final = 16_000


class OfficialImageBind:
    """ImageBind by its authors' code (Protocol `models.base.Embedder`).

    Images and audio are handed over as files, lossless, since that is what their transforms read.

    Args:
        network: their `ImageBindModel`, in inference mode, on its device.
    """

    name = "imagebind-official"
    sample_rate = _SAMPLE_RATE
    modalities: frozenset[Modality] = frozenset({"image", "audio", "text"})

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network
        heads: Any = network.get_submodule("modality_heads.vision")
        self.dimension = int(heads[-1].out_features)
        self._data = _authors("data")

    @classmethod
    def from_checkpoint(
        cls, path: Path | str, *, device: torch.device | str = "cpu", **sizes: int
    ) -> Self:
        """Load the authors' checkpoint into the authors' network, in float32.

        Args:
            path: `imagebind_huge.pth`.
            device: where it computes.
            sizes: arguments of their `ImageBindModel` where it is not ImageBind-Huge.

        Raises:
            MissingDependency: the package `imagebind` cannot be imported.
            CheckpointError: the file is missing, damaged or of another model.
        """
        models = _authors("models.imagebind_model")
        build = models.ImageBindModel if sizes else models.imagebind_huge
        network: torch.nn.Module = build(**sizes)
        load_into(network, read_tensors(Path(path)), Path(path))
        return cls(network.to(device).eval().requires_grad_(False))

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it; it computes in float32 whatever the recipe says.

        Raises:
            ArtsoundError: the package or the weights are not there, or the weights do not fit.
        """
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device())

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension)."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{row}.png") for row in range(len(images))]
            for image, path in zip(images, paths, strict=True):
                image.convert("RGB").save(path, compress_level=1)
            return self._embed("vision", self._data.load_and_transform_vision_data, paths)

    def embed_audio(self, waveforms: Sequence[FloatArray], sample_rate: int) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension); waveforms of any one rate."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{row}.wav") for row in range(len(waveforms))]
            for waveform, path in zip(waveforms, paths, strict=True):
                soundfile.write(path, np.asarray(waveform).T, sample_rate, subtype="FLOAT")
            return self._embed("audio", self._data.load_and_transform_audio_data, paths)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension)."""
        return self._embed("text", self._data.load_and_transform_text, list(texts))

    def _embed(self, modality: str, transform: Any, items: Sequence[Any]) -> FloatArray:
        if not items:
            return np.zeros((0, self.dimension), np.float32)
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            found: torch.Tensor = self.network({modality: transform(items, device)})[modality]
        return unit(found)


def _authors(module: str) -> Any:
    try:
        return import_module(f"imagebind.{module}")
    except (ImportError, OSError) as error:  # OSError: a library of torchaudio's does not load
        raise MissingDependency(OfficialImageBind.name, INSTALL) from error
