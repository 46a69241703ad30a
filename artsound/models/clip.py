"""CLIP (Radford et al. 2021, arXiv 2103.00020): CLIP-Score, PAC-Score and an embedder.

The model is transformers'; images, texts and scores are treated as `clip/clip.py`, `clipscore.py`
and `pac_score.py` of the authors do. Texts longer than 77 tokens lose their end, not their
end-of-text token. The authors' code computes in float16 on a GPU and in float32 on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from artsound.models import pixels
from artsound.models.base import FloatArray, Modality
from artsound.models.checkpoints import load_into, read_tensors
from artsound.models.openai_clip import clean, openai_to_transformers
from artsound.models.partial import PartialEmbedder, unit
from artsound.models.pretrained import load_model, load_tokenizer
from artsound.models.setup import Setup
from artsound.scores.image_caption import CLIP_WEIGHT, PAC_WEIGHT

PREFIX: Final = "A photo depicts "
_BATCH: Final = 32
# Buffers that older releases of transformers stored.
_BUFFERS: Final = r"\.position_ids$"


class CLIPEncoder:
    """A CLIP model with its tokenizer: images and texts to features of one space.

    Args:
        model: in inference mode, on its device.
        tokenizer: of the same model, padding on the right.
    """

    def __init__(self, model: CLIPModel, tokenizer: CLIPTokenizer) -> None:
        config: Any = model.config
        self.model = model
        self.dimension = int(config.projection_dim)
        self._tokenizer = tokenizer
        self._side = int(config.vision_config.image_size)
        self._length = int(config.text_config.max_position_embeddings)

    @classmethod
    def from_checkpoint(
        cls, path: Path | str, *, device: torch.device | str, dtype: torch.dtype
    ) -> Self:
        """Load a folder such as openai/clip-vit-base-patch32.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        folder = Path(path)
        model = load_model(CLIPModel, folder, device=device, dtype=dtype, unused=_BUFFERS)
        config: Any = model.config
        tokenizer = load_tokenizer(
            CLIPTokenizer, folder, config.text_config.vocab_size, padding_side="right"
        )
        return cls(model, tokenizer)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Move the model and change what it computes in."""
        module: torch.nn.Module = self.model
        module.to(device=torch.device(device), dtype=dtype)

    def images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Return the images' features, not normalised, shape (n, dimension)."""
        batches = []
        for start in range(0, len(images), _BATCH):
            views = [pixels.cropped(image, self._side) for image in images[start : start + _BATCH]]
            batch = torch.from_numpy(np.stack(views)).to(self.model.device, self.model.dtype)
            with torch.inference_mode():
                batches.append(self.model.get_image_features(batch).pooler_output.float().cpu())
        return torch.cat(batches) if batches else torch.zeros(0, self.dimension)

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the texts' features, not normalised, shape (n, dimension).

        Texts of similar length share a batch, so that little is padded; attention is causal, so
        that padding has no say.
        """
        features = torch.zeros(len(texts), self.dimension)
        tokens = self.tokens(texts)
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = self._tokenizer.pad({"input_ids": [tokens[row] for row in rows]})["input_ids"]
            with torch.inference_mode():
                found = self.model.get_text_features(torch.tensor(batch).to(self.model.device))
            features[rows] = found.pooler_output.float().cpu()
        return features

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the texts' tokens from start-of-text to end-of-text, 77 at most."""
        if not texts:
            return []
        cleaned = [clean(text) for text in texts]
        found = self._tokenizer(cleaned, truncation=True, max_length=self._length)
        ids: list[list[int]] = found["input_ids"]
        return ids


class CLIPScorer:
    """CLIP-Score with ViT-B/32, the paper's (Hessel et al. 2021, arXiv 2104.08718).

    Args:
        encoder: the model.
    """

    name = "clip-score"
    weight = CLIP_WEIGHT

    def __init__(self, encoder: CLIPEncoder) -> None:
        self._encoder = encoder

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a folder such as openai/clip-vit-base-patch32.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        return cls(CLIPEncoder.from_checkpoint(path, device=device, dtype=dtype))

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        setup.refuse_options()
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device(), dtype=setup.dtype())

    def image_features(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return features of shape (n, 512), not normalised.

        Raises:
            ValueError: an image is too elongated.
        """
        features: FloatArray = self._encoder.images(images).numpy()
        return features

    def text_features(self, captions: Sequence[str]) -> FloatArray:
        """Return features of shape (n, 512), not normalised, of "A photo depicts " + caption."""
        features: FloatArray = self._encoder.texts([PREFIX + text for text in captions]).numpy()
        return features


class PacScorer(CLIPScorer):
    """PAC-Score with the authors' ViT-B/32, the paper's (Sarto et al. 2023, arXiv 2303.12112).

    CLIP-Score's formula and prefix on a CLIP whose two projections were trained further with
    positive augmentation.
    """

    name = "pac-score"
    weight = PAC_WEIGHT

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        base: Path | str | None = None,
    ) -> Self:
        """Load the authors' checkpoint.

        Args:
            path: `clip_ViT-B-32.pth`, `{"state_dict": ...}` in OpenAI's naming.
            device: where it computes.
            dtype: what it computes in.
            base: a folder such as openai/clip-vit-base-patch32, for the configuration and the
                tokenizer; the folder of `path` if None.

        Raises:
            CheckpointError: a file is missing, damaged or of another model.
        """
        where = Path(path)
        tensors = openai_to_transformers(_state_dict(read_tensors(where)))
        folder = where.parent if base is None else base
        encoder = CLIPEncoder.from_checkpoint(folder, device="cpu", dtype=torch.float32)
        load_into(encoder.model, tensors, where)
        encoder.to(device, dtype)
        return cls(encoder)

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it, with its companion `base`."""
        setup.refuse_options()
        return cls.from_checkpoint(
            setup.checkpoint(),
            device=setup.device(),
            dtype=setup.dtype(),
            base=setup.checkpoint("base"),
        )


class CLIPEmbedder(PartialEmbedder):
    """Images and texts in CLIP's space.

    Of a text CLIP reads 77 tokens, which the paper's longer captions exceed.

    Args:
        encoder: the model.
    """

    name = "clip-vit-b-32"
    modalities: frozenset[Modality] = frozenset({"image", "text"})

    def __init__(self, encoder: CLIPEncoder) -> None:
        self._encoder = encoder
        self.dimension = encoder.dimension

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a folder such as openai/clip-vit-base-patch32.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        return cls(CLIPEncoder.from_checkpoint(path, device=device, dtype=dtype))

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        setup.refuse_options()
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device(), dtype=setup.dtype())

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension).

        Raises:
            ValueError: an image is too elongated.
        """
        return unit(self._encoder.images(images))

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension); a blank text is a zero vector."""
        features = self._encoder.texts(texts)
        features[[not text.strip() for text in texts]] = 0.0
        return unit(features)


def _state_dict(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the content of `{"state_dict": ...}`; whatever else is there keeps its full name."""
    return {name.removeprefix("state_dict."): tensor for name, tensor in tensors.items()}
