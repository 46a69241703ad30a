from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artsound.errors import ArtsoundError
from artsound.models.base import TextSimilarity
from artsound.models.bert_score import RobertaBertScore
from artsound.models.registry import entry
from artsound.models.settings import ModelSettings
from artsound.models.setup import Setup
from tests.models.tiny_text import write_roberta

LAYER = 3
PAIRS = (
    ("A calm piano melody over soft strings.", "A calm melody, played by a piano."),
    ("Fast drums", "An energetic rock song with distorted guitars, fast drums and a singer."),
    ("  a bass line ", "a bass line"),
    ("Bass.", "bass"),
    ("The tempo is slow. " * 30, "The mood is melancholic " * 3),
    ("caf\u00e9 \u65e5\u672c", "na\u00efve"),
)
# The authors' library on this model, with transformers 4, where it still adds the space.
EXPECTED = np.load(Path(__file__).parent / "data" / "bert_score.npz")["f1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_roberta(tmp_path_factory.mktemp("roberta"))


@pytest.fixture(scope="module")
def score(folder: Path) -> RobertaBertScore:
    return RobertaBertScore.from_checkpoint(folder, layer=LAYER)


def test_scores_are_the_authors(score: RobertaBertScore) -> None:
    assert isinstance(score, TextSimilarity)
    references, candidates = zip(*PAIRS, strict=True)
    np.testing.assert_allclose(score.f1(references, candidates), EXPECTED, rtol=0, atol=1e-5)


def test_a_score_depends_on_its_own_pair(score: RobertaBertScore) -> None:
    alone = [score.f1([reference], [candidate])[0] for reference, candidate in PAIRS]
    np.testing.assert_allclose(alone, EXPECTED, rtol=0, atol=1e-5)


def test_blank_texts_score_nothing(score: RobertaBertScore) -> None:
    assert score.f1(["", "drums", " \n"], ["drums", "", ""]) == [0.0, 0.0, 0.0]
    assert score.f1([], []) == []
    with pytest.raises(ValueError, match="zip"):
        score.f1(["drums"], [])


def test_a_text_scores_one_against_itself(score: RobertaBertScore) -> None:
    assert score.f1(["Slow piano"], ["Slow piano"])[0] == pytest.approx(1.0, abs=1e-6)


def test_a_model_with_too_few_layers_is_one_line(folder: Path) -> None:
    setup = Setup(
        "bertscore-roberta-large",
        entry("text_similarity", "bertscore-roberta-large"),
        ModelSettings(checkpoint=str(folder)),
    )
    with pytest.raises(ArtsoundError, match="has 4 layers; layer 17 is matched"):
        RobertaBertScore.from_recipe(setup)
