"""Prompts: the paper's words, every segment, and every issue of a caption that fell short."""

from __future__ import annotations

import pytest

from artsound.captions.issues import Issue
from artsound.captions.prompts import (
    ARTWORK_PROMPT,
    MUSIC_SEGMENT_PROMPT,
    fusion_prompt,
    refined_prompt,
)


def test_the_instructions_are_the_papers() -> None:
    assert ARTWORK_PROMPT.startswith("You are an art expert. Provide a concise description")
    assert ARTWORK_PROMPT.endswith("and its possible artistic period or school")
    assert "(approximately 200 words)" in MUSIC_SEGMENT_PROMPT


def test_segments_are_numbered_in_order() -> None:
    prompt = fusion_prompt(["Soft\n piano.", "Loud drums."])
    assert prompt.index("1. Soft piano.") < prompt.index("2. Loud drums.")


@pytest.mark.parametrize("issue", list(Issue))
def test_every_issue_is_said(issue: Issue) -> None:
    plain = refined_prompt("Describe.", "A king.", (), {"ic_score": 0.5}, 0.8)
    told = refined_prompt("Describe.", "A king.", (issue.value,), {"ic_score": 0.5}, 0.8)
    assert len(told) > len(plain)
    assert "What was wrong with it:" in told


def test_the_previous_caption_its_scores_and_the_threshold_are_told() -> None:
    scores = {"clip_score": 0.412, "pac_score": None, "ic_score": 0.412}
    prompt = refined_prompt("Describe.", "A\n king.", (Issue.TOO_SHORT,), scores, 0.8)
    assert prompt.startswith("Describe.\n")
    assert '"A king."' in prompt
    assert "fell short of the required quality of 0.80 (clip_score 0.41, ic_score 0.41)" in prompt
    assert "pac_score" not in prompt


def test_an_unknown_issue_is_an_error() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        refined_prompt("Describe.", "A king.", ("nonsense",), {}, 0.8)
