"""Sentence embeddings of all-MiniLM-L6-v2 (Wang et al. 2020, arXiv 2002.10957; Reimers 2021).

The model is read by transformers from the files inside an optional package. Pooling follows the
model's own `1_Pooling/config.json` and `modules.json`: the mean of the token vectors under the
attention mask, then L2 normalisation; 256 word pieces at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from artsound.models.base import FloatArray
from artsound.models.fast_linear import speed_up
from artsound.models.lite.weights import minilm_folder

DIMENSION: Final = 384
MAX_TOKENS: Final = 256
_BATCH: Final = 32


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' progress bars and warnings while a model loads."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


class MiniLM:
    """The sentence encoder; `load()` gives the one instance of a process."""

    def __init__(self) -> None:
        folder = str(minilm_folder())
        with _quiet():
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        self.model = speed_up(model.eval())

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts.

        A text's vector does not depend on the texts beside it beyond float noise: texts of similar
        length share a batch, and padding is masked.

        Args:
            texts: any strings; what lies beyond 256 word pieces is not read.

        Returns:
            Unit vectors, float32, shape (n, 384); an empty or blank text is a zero vector.
        """
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        spoken = [i for i, text in enumerate(texts) if text.strip()]
        # Longest first, so that a batch pads little; ties keep their order.
        spoken.sort(key=lambda i: -len(texts[i]))
        for start in range(0, len(spoken), _BATCH):
            rows = spoken[start : start + _BATCH]
            vectors[rows] = self._embed_batch([texts[i] for i in rows])
        return vectors

    def fits(self, text: str) -> bool:
        """Say whether the model reads the whole text: 256 word pieces, the two special ones too."""
        return len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"]) <= MAX_TOKENS

    def _embed_batch(self, texts: list[str]) -> FloatArray:
        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = self.model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
            unit: FloatArray = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return unit


@cache
def load() -> MiniLM:
    """Return the process's MiniLM, built on first use.

    Raises:
        MissingDependency: the package with the weights is not installed.
    """
    return MiniLM()
