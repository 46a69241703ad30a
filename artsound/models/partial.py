"""What embedders have in common that do not embed every modality."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from artsound.errors import UsageError
from artsound.models.base import FloatArray, Modality


class PartialEmbedder:
    """An embedder (Protocol `Embedder`) that refuses the modalities it is not made for.

    Subclasses override what they embed and name it in `modalities`.
    """

    name: str
    dimension: int
    sample_rate: int = 16_000
    modalities: frozenset[Modality]

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise self._refusal("images")

    def embed_audio(self, waveforms: Sequence[FloatArray], sample_rate: int) -> FloatArray:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise self._refusal("audio")

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise self._refusal("text")

    def _refusal(self, what: str) -> UsageError:
        able = " and ".join(sorted(self.modalities))
        return UsageError(f"{self.name} does not embed {what}, only {able}: name another embedder")


def unit(features: torch.Tensor) -> FloatArray:
    """Return features L2-normalised in float32, shape (n, d); zeros stay zeros."""
    normalised: FloatArray = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return normalised
