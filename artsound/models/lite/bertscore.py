"""BERT-Score on MiniLM's token vectors: the lite stand-in for RoBERTa-large."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bert_score.utils import bert_cos_score_idf

from artsound.models.lite import minilm


class MiniLMBertScore:
    """BERT-Score F1 (Zhang et al. 2020, arXiv 1904.09675), matched by the `bert-score` library.

    Token vectors are those of all-MiniLM-L6-v2's sixth and last layer: the one that its training
    shaped, and there is no table of human judgements to choose another by, as there is for
    RoBERTa-large's layer 17. No inverse document frequencies, no rescaling with a baseline. Of a
    text longer than 512 word pieces the rest is not read. Scores are comparable with one another,
    not with those of another model.
    """

    name = "lite-minilm-bertscore"

    def __init__(self) -> None:
        # `BERTScorer` takes any model whose path contains "t5" for a T5, so the library is given
        # the loaded model, which the lite embedder shares.
        encoder = minilm.load()
        self._model = encoder.model
        self._tokenizer = encoder.tokenizer
        self._weights: defaultdict[int, float] = defaultdict(lambda: 1.0)
        self._weights[self._tokenizer.cls_token_id] = 0.0
        self._weights[self._tokenizer.sep_token_id] = 0.0

    def f1(self, references: Sequence[str], candidates: Sequence[str]) -> list[float]:
        """Return BERT-Score F1 of each candidate against its reference.

        A pair's score is the same to the bit whatever else is in the batch: texts are embedded one
        by one, without padding.

        Args:
            references: the texts to compare with, one a candidate.
            candidates: the texts to score.

        Returns:
            From -1 to 1, in practice above 0; 0.0 where either text has no token.

        Raises:
            ValueError: there are not as many references as candidates.
        """
        return [
            self._pair(reference, candidate)
            for reference, candidate in zip(references, candidates, strict=True)
        ]

    def _pair(self, reference: str, candidate: str) -> float:
        if self._is_empty(reference) or self._is_empty(candidate):
            return 0.0
        scores = bert_cos_score_idf(
            self._model,
            [reference],
            [candidate],
            self._tokenizer,
            self._weights,
            batch_size=1,
            device="cpu",
        )
        return min(float(scores[0, 2]), 1.0)

    def _is_empty(self, text: str) -> bool:
        return not self._tokenizer(text, add_special_tokens=False, truncation=True)["input_ids"]
