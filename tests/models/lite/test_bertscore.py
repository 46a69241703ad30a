from __future__ import annotations

import numpy as np
import pytest
import torch

from artsound.models.base import TextSimilarity
from artsound.models.lite import minilm
from artsound.models.lite.bertscore import MiniLMBertScore

REFERENCES = [
    "This is a folk piece led by acoustic guitar. It sounds warm and gentle.",
    "A fast techno track with a drum machine and a harsh, loud sound.",
    "A slow, dark string quartet in D minor.",
]
CANDIDATES = [
    "A gentle, warm folk tune on the acoustic guitar.",
    "A solo piano plays a quiet waltz.",
    "A slow, dark string quartet in D minor.",
]


@pytest.fixture(scope="module")
def scorer() -> MiniLMBertScore:
    return MiniLMBertScore()


def _vectors(text: str) -> np.ndarray:
    encoder = minilm.load()
    tokens = encoder.tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
    with torch.inference_mode():
        hidden = encoder.model(**tokens).last_hidden_state[0, 1:-1].double().numpy()
    return np.asarray(hidden / np.linalg.norm(hidden, axis=1, keepdims=True))


def _brute_force(reference: str, candidate: str) -> float:
    similarity = _vectors(candidate) @ _vectors(reference).T
    precision, recall = similarity.max(axis=1).mean(), similarity.max(axis=0).mean()
    return float(2 * precision * recall / (precision + recall))


def test_is_greedy_matching_of_last_layer_vectors(scorer: MiniLMBertScore) -> None:
    assert isinstance(scorer, TextSimilarity)
    scores = scorer.f1(REFERENCES, CANDIDATES)
    expected = [_brute_force(r, c) for r, c in zip(REFERENCES, CANDIDATES, strict=True)]
    # The library also lets words match [CLS] and [SEP], which it weighs 0: a little above ours.
    np.testing.assert_allclose(scores, expected, atol=0.02)
    assert scores[1] < scores[0] < scores[2]
    assert scores[2] == pytest.approx(1.0, abs=1e-6)


def test_score_does_not_depend_on_the_batch(scorer: MiniLMBertScore) -> None:
    together = scorer.f1(REFERENCES, CANDIDATES)
    alone = [scorer.f1([r], [c])[0] for r, c in zip(REFERENCES, CANDIDATES, strict=True)]
    assert together == alone
    assert together[::-1] == scorer.f1(REFERENCES[::-1], CANDIDATES[::-1])


def test_empty_text_scores_nothing_quietly(
    scorer: MiniLMBertScore, capfd: pytest.CaptureFixture[str]
) -> None:
    assert scorer.f1(["", "music", "music"], ["music", "  ", "\u200b"]) == [0.0, 0.0, 0.0]
    assert scorer.f1([], []) == []
    assert capfd.readouterr() == ("", "")


def test_long_texts_are_read_to_512_tokens(
    scorer: MiniLMBertScore, capfd: pytest.CaptureFixture[str]
) -> None:
    long = "a soft guitar melody " * 400
    assert scorer.f1([long], [long + "and then a violin"]) == [pytest.approx(1.0, abs=1e-6)]
    assert 0.0 < scorer.f1([long], ["a soft guitar melody"])[0] < 1.0
    assert capfd.readouterr() == ("", "")


def test_needs_a_reference_for_each_candidate(scorer: MiniLMBertScore) -> None:
    with pytest.raises(ValueError, match="zip"):
        scorer.f1(["one"], [])
