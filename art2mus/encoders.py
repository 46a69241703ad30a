"""The visual encoder: an embedder of `artsound.models` that embeds artworks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from art2mus import mel
from art2mus.encoder_names import encoder_name
from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import Embedder
from artsound.models.catalogue import CATALOGUE
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.sources.media import MediaError, to_rgb

_SHORTEST_S: Final = 3  # the lite embedder's window


class VisualEncoder:
    """Artworks, and by some encoders music in the same space, to unit embeddings.

    Args:
        embedder: an embedder of `artsound.models` with the modality image.
        fingerprint: see the attribute.

    Attributes:
        embedder: what embeds; of other modalities too, where it has them.
        name: its registry name.
        dimension: of the embeddings.
        fingerprint: tells its weights and options from others, in hexadecimal; followed by
            `-bfloat16` where it does not compute in float32.
    """

    def __init__(self, embedder: Embedder, fingerprint: str) -> None:
        self.embedder = embedder
        self.name = embedder.name
        self.dimension = int(embedder.dimension)
        self.fingerprint = fingerprint

    @classmethod
    def load(
        cls,
        name: str,
        *,
        checkpoint: str | None = None,
        revision: str | None = None,
        companions: Mapping[str, str] | None = None,
        options: Mapping[str, str | int | float | bool] | None = None,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Load an encoder; the same one is kept for the life of the process.

        Args:
            name: an embedder's registry name, `clip` or `lite`.
            checkpoint: a file, a folder or a Hub repository in place of the registered weights.
            revision: a commit, tag or branch of the repository.
            companions: files or folders of what it needs beside its weights, by name.
            options: of the embedder, as `[models.NAME.options]` of a recipe.
            device: `cpu`, `cuda` or `auto`.
            dtype: torch.float32 or torch.bfloat16; float32 if None, so that a checkpoint that was
                trained on a GPU is sampled with the same embeddings on a CPU.

        Raises:
            UsageError: there is no such embedder, or a setting does not fit.
            ArtsoundError: its weights are not here and cannot be brought.
        """
        full = encoder_name(name)
        given = {
            "checkpoint": checkpoint,
            "companions": dict(companions or {}),
            "revision": revision,
            "options": dict(options or {}),
            "device": device.partition(":")[0],
            "dtype": dtype or torch.float32,
        }
        settings = _settings(full, given)
        models = Models({full: settings})
        embedder: Embedder = models.load("embedder", full)
        return cls(embedder, _fingerprint(models, full, settings))

    def embed(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the artworks' unit embeddings, float32, on the CPU, shape (B, dimension).

        Args:
            images: what is not RGB, not upright or transparent is brought to it, as the release's
                own images are.

        Raises:
            ArtsoundError: an image is damaged, or an embedding holds numbers that are not finite.
        """
        try:
            upright = [to_rgb(image) for image in images]
        except MediaError as error:
            raise ArtsoundError(f"an image cannot be used ({error}): give a whole one") from error
        return self._finite(self.embedder.embed_images(upright))

    def embed_audio(self, clips: Sequence[Tensor]) -> Tensor:
        """Return the unit embeddings of music in the artworks' space, float32, (B, dimension).

        Args:
            clips: as `mel.training_clip` cuts them; what pads them is left out.

        Raises:
            ArtsoundError: an embedding holds numbers that are not finite.
        """
        waveforms = [_unpadded(clip).numpy() for clip in clips]
        return self._finite(self.embedder.embed_audio(waveforms, mel.SAMPLE_RATE))

    def _finite(self, vectors: NDArray[np.float32]) -> Tensor:
        embeddings = torch.from_numpy(vectors).float()
        if not torch.isfinite(embeddings).all():
            raise ArtsoundError(
                f"{self.name} gave embeddings that are not finite: is its checkpoint damaged?"
            )
        return embeddings


def _unpadded(clip: Tensor) -> Tensor:
    """Return a clip without the zeros at its end, but of 10 s at most and 3 s at least."""
    sounding = clip[: mel.SOUNDING_SAMPLES]
    heard = sounding.nonzero()
    end = int(heard[-1]) + 1 if len(heard) else 0
    return sounding[: max(end, _SHORTEST_S * mel.SAMPLE_RATE)]


def _settings(name: str, given: dict[str, Any]) -> ModelSettings:
    computes = str(given["dtype"]).removeprefix("torch.")
    if computes not in {"float32", "bfloat16"}:
        raise UsageError(f"{name} computes in float32 or bfloat16, not in {computes}")
    given["dtype"] = computes
    try:
        return ModelSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"encoder {name}: {where or 'settings'}: {first['msg']}") from error


def _fingerprint(models: Models, name: str, settings: ModelSettings) -> str:
    """Return what the embeddings depend on, hashed: the name, the weights and the options.

    Weights are told by their content or commit; companions, such as a tokenizer, see neither images
    nor music.
    """
    identity = models.identity("embedder", name)
    known = {
        "name": name,
        "weights": identity["weights"]["model"] if identity else CATALOGUE["embedder"][name].source,
        "options": dict(settings.options),
    }
    found = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    return found if settings.dtype == "float32" else f"{found}-{settings.dtype}"
