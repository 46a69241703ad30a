from __future__ import annotations

import math
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.errors import ArtsoundError
from artsound.models.lite.bertscore import MiniLMBertScore
from artsound.scores import ac_score, bert_score, rouge1
from artsound.scores.audio_caption import bert_scores, reference

unit = st.floats(0, 1)
words = st.lists(st.sampled_from(["a", "soft", "Piano", "plays", "slow.", "3"]), max_size=9)


def _f1(target: str, prediction: str) -> float:
    one = Counter(re.findall(r"[a-z0-9]+", target.lower()))
    two = Counter(re.findall(r"[a-z0-9]+", prediction.lower()))
    common = sum((one & two).values())
    return 2 * common / (sum(one.values()) + sum(two.values())) if common else 0.0


@given(st.lists(words.map(" ".join), min_size=1, max_size=4), words.map(" ".join))
def test_rouge1_is_unigram_f1(segments: list[str], caption: str) -> None:
    assert rouge1(segments, caption) == pytest.approx(_f1(" ".join(segments), caption))


def test_rouge1_does_not_stem() -> None:
    assert rouge1(["drums"], "drum") == 0.0
    assert rouge1(["Drums!"], "drums") == 1.0
    assert rouge1(["", " "], "drums") == 0.0


def test_reference_keeps_the_order() -> None:
    assert reference([" one. ", "", "two."]) == "one. two."


def test_bert_score_joins_the_segments() -> None:
    scorer = MiniLMBertScore()
    parts = ["A slow piano piece.", "It sounds dark."]
    joined = "A slow piano piece. It sounds dark."
    assert bert_score(parts, joined, scorer) == pytest.approx(1.0, abs=1e-6)
    many = bert_scores([parts, parts], [joined, "A fast metal song."], scorer)
    assert many == [
        bert_score(parts, joined, scorer),
        bert_score(parts, "A fast metal song.", scorer),
    ]
    assert bert_score(parts, "", scorer) == 0.0
    with pytest.raises(ArtsoundError, match="1 sequences of segment captions for 2 captions"):
        bert_scores([parts], ["a", "b"], scorer)
    with pytest.raises(ArtsoundError, match="a sequence of texts"):
        bert_score("a piano", "a piano", scorer)


@pytest.mark.parametrize(
    ("rouge", "bert", "acs"),
    [(0.5373, 0.9056, 0.7951), (0.6301, 0.9260, 0.8372), (0.6870, 0.9312, 0.8579)],
)
def test_ac_score_of_the_paper(rouge: float, bert: float, acs: float) -> None:
    # Table 4: equation 2 is linear, so it holds of the means, up to their rounding.
    assert float(ac_score(rouge, bert)) == pytest.approx(acs, abs=1.01e-4)


@given(unit, unit, unit, unit)
def test_ac_score_lies_between_and_grows(rouge: float, bert: float, more: float, a: float) -> None:
    score = float(ac_score(rouge, bert, a))
    assert min(rouge, bert) - 1e-12 <= score <= max(rouge, bert) + 1e-12
    assert ac_score(max(rouge, more), bert, a) >= score
    assert ac_score(rouge, max(bert, more), a) >= score


def test_ac_score_refuses_what_does_not_fit() -> None:
    with pytest.raises(ArtsoundError, match="do not fit BERT-Scores"):
        ac_score([0.1, 0.2], [0.1])
    with pytest.raises(ArtsoundError, match="not finite"):
        ac_score(0.5, math.nan)
