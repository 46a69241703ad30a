"""Sentence embeddings of RoBERTa and ModernBERT, which the paper tried.

The paper does not say how it pooled. Here a text's vector is the mean of the last layer's vectors
over all of the text's tokens, the special ones too, L2-normalised: the usual pooling for encoders
that were not trained to embed sentences (Reimers and Gurevych 2019, arXiv 1908.10084). Padding is
masked. What lies beyond the model's longest input is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import torch
from transformers import (
    ModernBertModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    RobertaModel,
    RobertaTokenizer,
    TokenizersBackend,
)

from artsound.models.base import FloatArray, Modality
from artsound.models.partial import PartialEmbedder, unit
from artsound.models.pretrained import load_model, load_tokenizer, max_tokens
from artsound.models.setup import Setup

_BATCH: Final = 16


class MeanPooledEmbedder(PartialEmbedder):
    """A text encoder whose token vectors are averaged.

    Args:
        model: in inference mode, on its device.
        tokenizer: of the same model.
        longest: how many tokens it reads.
    """

    modalities: frozenset[Modality] = frozenset({"text"})

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, longest: int
    ) -> None:
        config: Any = model.config
        self.dimension = int(config.hidden_size)
        self._model = model
        self._tokenizer: Any = tokenizer
        self._longest = longest

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension); a blank text is a zero vector."""
        features = torch.zeros(len(texts), self.dimension)
        spoken = [row for row, text in enumerate(texts) if text.strip()]
        # Texts of similar length share a batch, so that little is padded.
        spoken.sort(key=lambda row: len(texts[row]))
        for start in range(0, len(spoken), _BATCH):
            rows = spoken[start : start + _BATCH]
            features[rows] = self._pooled([texts[row] for row in rows])
        return unit(features)

    def _pooled(self, texts: list[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(self._model.device)
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state.float()
            mask = tokens["attention_mask"].unsqueeze(-1).float()
            pooled: torch.Tensor = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        return pooled.cpu()


class RobertaEmbedder(MeanPooledEmbedder):
    """RoBERTa-large (Liu et al. 2019, arXiv 1907.11692); 512 tokens."""

    name = "roberta-large"
    # The language model's head, and the pooler that some repositories have.
    _unused: ClassVar[str] = r"^lm_head\.|^pooler\.|\.position_ids$"

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a folder such as FacebookAI/roberta-large.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        folder = Path(path)
        model = load_model(
            RobertaModel,
            folder,
            device=device,
            dtype=dtype,
            unused=cls._unused,
            options={"add_pooling_layer": False},
        )
        tokenizer = load_tokenizer(RobertaTokenizer, folder, model.config.vocab_size)
        return cls(model, tokenizer, max_tokens(model, tokenizer))

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        setup.refuse_options()
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device(), dtype=setup.dtype())


class ModernBertEmbedder(MeanPooledEmbedder):
    """ModernBERT-base (Warner et al. 2024, arXiv 2412.13663); 8,192 tokens."""

    name = "modernbert-base"
    _unused: ClassVar[str] = r"^(head|decoder)\."

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a folder such as answerdotai/ModernBERT-base.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        folder = Path(path)
        model = load_model(ModernBertModel, folder, device=device, dtype=dtype, unused=cls._unused)
        tokenizer = load_tokenizer(TokenizersBackend, folder, model.config.vocab_size)
        return cls(model, tokenizer, max_tokens(model, tokenizer))

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        setup.refuse_options()
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device(), dtype=setup.dtype())
