"""BERT-Score on RoBERTa-large, the paper's (Zhang et al. 2020, arXiv 1904.09675)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import torch
from bert_score.utils import bert_cos_score_idf
from transformers import PreTrainedModel, RobertaModel, RobertaTokenizer

from artsound.models.checkpoints import CheckpointError
from artsound.models.pretrained import load_model, load_tokenizer, max_tokens
from artsound.models.setup import Setup

# The layer that the `bert-score` library has for roberta-large: the best on human judgements.
LAYER: Final = 17
_BATCH: Final = 32


class RobertaBertScore:
    """BERT-Score F1, matched by the `bert-score` library: no idf weights, no rescaling.

    Of a text longer than 512 tokens the rest is not read.

    Args:
        model: in inference mode, on its device; its layers above `layer` are dropped.
        tokenizer: of the same model, with `add_prefix_space`: the library wants a space before the
            first word, which transformers 5 no longer adds when it is asked for one text.
        layer: whose vectors are matched.
    """

    name = "bertscore-roberta-large"

    def __init__(
        self, model: PreTrainedModel, tokenizer: RobertaTokenizer, layer: int = LAYER
    ) -> None:
        self._model = _Layers(model, layer)
        self._tokenizer: Any = tokenizer
        self._weights: defaultdict[int, float] = defaultdict(lambda: 1.0)
        self._weights[self._tokenizer.cls_token_id] = 0.0
        self._weights[self._tokenizer.sep_token_id] = 0.0

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        layer: int = LAYER,
    ) -> Self:
        """Load a folder such as FacebookAI/roberta-large.

        Raises:
            CheckpointError: it is missing, damaged or of another model, or has fewer layers.
        """
        folder = Path(path)
        model = load_model(
            RobertaModel,
            folder,
            device=device,
            dtype=dtype,
            unused=r"^lm_head\.|^pooler\.|\.position_ids$",
            options={"add_pooling_layer": False},
        )
        if model.config.num_hidden_layers < layer:
            raise CheckpointError(
                f"{folder} has {model.config.num_hidden_layers} layers; layer {layer} is matched:"
                " give the folder of roberta-large"
            )
        tokenizer = load_tokenizer(
            RobertaTokenizer, folder, model.config.vocab_size, add_prefix_space=True
        )
        tokenizer.model_max_length = max_tokens(model, tokenizer)
        return cls(model, tokenizer, layer)

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it; its option `layer` says which layer is matched.

        Raises:
            UsageError: the recipe has other options.
            ArtsoundError: the weights are not there, or of another model.
        """
        layer = setup.option("layer", LAYER)
        return cls.from_checkpoint(
            setup.checkpoint(), device=setup.device(), dtype=setup.dtype(), layer=layer
        )

    def f1(self, references: Sequence[str], candidates: Sequence[str]) -> list[float]:
        """Return BERT-Score F1 of each candidate against its reference.

        What else is in the batch moves a score by its last bits only: padding is masked.

        Args:
            references: the texts to compare with, one a candidate.
            candidates: the texts to score.

        Returns:
            From -1 to 1, in practice above 0.8; 0.0 where either text is blank.

        Raises:
            ValueError: there are not as many references as candidates.
        """
        pairs = list(zip(references, candidates, strict=True))
        rows = [row for row, pair in enumerate(pairs) if all(text.strip() for text in pair)]
        scores = [0.0] * len(pairs)
        if rows:
            found = bert_cos_score_idf(
                self._model,
                [pairs[row][0] for row in rows],
                [pairs[row][1] for row in rows],
                self._tokenizer,
                self._weights,
                batch_size=_BATCH,
                device=self._model.device,
            )
            for row, score in zip(rows, found[:, 2].tolist(), strict=True):
                scores[row] = min(score, 1.0)
        return scores


class _Layers(torch.nn.Module):
    """The lower layers of an encoder, as the library calls it; vectors are float32."""

    def __init__(self, model: PreTrainedModel, layer: int) -> None:
        super().__init__()
        encoder: Any = model.encoder
        encoder.layer = encoder.layer[:layer]
        self.device = model.device
        self._model = model

    def forward(
        self, tokens: torch.Tensor, attention_mask: torch.Tensor, output_hidden_states: bool
    ) -> tuple[torch.Tensor]:
        hidden = self._model(tokens, attention_mask=attention_mask).last_hidden_state
        return (hidden.float(),)
