"""The refinement loop, against a plain loop over single items."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.captions.refine import Ask, Generated, Judged, Judgement, refine

Scores = list[list[float | None]]


class Script:
    """Items whose attempts have scores written beforehand; None is a model that gives up."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.batches: list[list[int]] = []
        self.asks: list[Ask] = []

    def generate(self, asks: Sequence[Ask]) -> list[Generated]:
        self.batches.append([ask.item for ask in asks])
        self.asks += asks
        return [self._write(ask) for ask in asks]

    def _write(self, ask: Ask) -> Generated:
        if self.scores[ask.item][ask.feedback.attempt - 1] is None:
            return ValueError("no words")
        return f"caption {ask.feedback.attempt} of item {ask.item}"

    def judge(self, captions: Sequence[tuple[int, str]]) -> list[Judged]:
        verdicts: list[Judged] = []
        for item, caption in captions:
            score = self.scores[item][int(caption.split()[1]) - 1]
            assert score is not None
            verdicts.append(Judgement(score, {"ic_score": score}, ("too_short",)))
        return verdicts


def _first_pass(scores: Sequence[float | None], threshold: float, tries: int) -> int | None:
    for number, score in enumerate(scores[:tries], start=1):
        if score is not None and score >= threshold:
            return number
    return None


score = st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.5, 0.79, 0.8, 0.9, 1.0]))


@given(
    st.lists(st.lists(score, min_size=5, max_size=5), max_size=8),
    st.integers(0, 4),
    st.sampled_from(["best", "last"]),
)
def test_every_item_ends_as_a_plain_loop_says(
    scores: Scores, regenerations: int, keep: str
) -> None:
    script = Script(scores)
    outcomes = refine(
        ["describe"] * len(scores),
        script.generate,
        script.judge,
        threshold=0.8,
        max_regenerations=regenerations,
        keep=keep,  # type: ignore[arg-type]
    )
    tries = regenerations + 1
    for scored, outcome in zip(scores, outcomes, strict=True):
        passed = _first_pass(scored, 0.8, tries)
        assert outcome.accepted == (passed is not None)
        assert len(outcome.attempts) == (passed or tries)
        known = [s for s in scored[: len(outcome.attempts)] if s is not None]
        if not known:
            assert outcome.kept is None
            continue
        assert outcome.kept
        assert outcome.kept.judgement
        assert outcome.kept.judgement.score == (
            known[-1] if passed or keep == "last" else max(known)
        )


def test_the_best_of_equals_is_the_earliest() -> None:
    script = Script([[0.5, 0.5, 0.5, 0.5]])
    (outcome,) = refine(["p"], script.generate, script.judge, threshold=0.8)
    assert outcome.kept
    assert outcome.kept.number == 1


def test_failures_are_asked_for_together_and_only_failures() -> None:
    script = Script([[0.9], [0.1, 0.9], [0.9], [0.2, 0.3, 0.1, 0.1]])
    refine(["p"] * 4, script.generate, script.judge, threshold=0.8)
    assert script.batches == [[0, 1, 2, 3], [1, 3], [3], [3]]


def test_the_first_prompt_is_plain_and_later_ones_say_what_was_wrong() -> None:
    script = Script([[0.1, 0.2, 0.9]])
    refine(["Describe this artwork."], script.generate, script.judge, threshold=0.8)
    first, second, third = script.asks
    assert first.prompt == "Describe this artwork."
    assert first.feedback.issues == ()
    assert second.feedback.issues == ("too_short",)
    assert second.feedback.previous == "caption 1 of item 0"
    assert "Describe this artwork." in second.prompt
    assert "0.80" in second.prompt
    assert "caption 2 of item 0" in third.prompt


def test_an_item_whose_scorer_gives_up_keeps_its_error() -> None:
    def judge(captions: Sequence[tuple[int, str]]) -> list[Judged]:
        return [RuntimeError("no features") for _ in captions]

    script = Script([[0.9, 0.9]])
    (outcome,) = refine(["p"], script.generate, judge, threshold=0.8, max_regenerations=1)
    assert outcome.kept is None
    assert [attempt.error for attempt in outcome.attempts] == [
        "scoring: RuntimeError: no features"
    ] * 2


def test_zero_regenerations_is_one_attempt() -> None:
    script = Script([[0.1]])
    (outcome,) = refine(["p"], script.generate, script.judge, threshold=0.8, max_regenerations=0)
    assert len(outcome.attempts) == 1
    assert not outcome.accepted
    assert outcome.kept


@pytest.mark.parametrize("score", [0.8, 0.8000001])
def test_the_threshold_itself_is_enough(score: float) -> None:
    script = Script([[score]])
    (outcome,) = refine(["p"], script.generate, script.judge, threshold=0.8)
    assert outcome.accepted
