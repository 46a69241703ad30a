"""The refinement loop (paper, section 3.2): generate, score, and ask again for what fell short.

It is the same loop for both modalities and knows nothing of images, audio or models: it is given a
function that generates captions and one that judges them. The failures of many items are asked for
again together, so that a model sees full batches to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from artsound.captions.prompts import refined_prompt
from artsound.models.base import Feedback


@dataclass(frozen=True)
class Ask:
    """One caption to generate.

    Attributes:
        item: position of the item in the batch that was given to `refine`.
        prompt: the full instruction.
        feedback: what was wrong with the item's previous caption.
    """

    item: int
    prompt: str
    feedback: Feedback


@dataclass(frozen=True)
class Judgement:
    """What a caption came to.

    Attributes:
        score: the composite score that is held against the threshold.
        scores: every score that goes into it, by column name; None where the recipe has no model.
        issues: what is wrong with the caption, as codes of `captions.issues.Issue`.
    """

    score: float
    scores: Mapping[str, float | None]
    issues: tuple[str, ...]


@dataclass(frozen=True)
class Attempt:
    """One attempt at a caption; `judgement` is None where the model or the scorer gave up."""

    number: int
    prompt: str
    caption: str | None
    judgement: Judgement | None
    error: str | None = None


@dataclass(frozen=True)
class Outcome:
    """All attempts at one item's caption, and the one that stays.

    Attributes:
        attempts: in order, at least one.
        kept: the attempt that stays, or None if every one of them failed.
        accepted: whether the kept caption reaches the threshold.
    """

    attempts: tuple[Attempt, ...]
    kept: Attempt | None
    accepted: bool


# A caption, or the error that kept the model from giving one.
Generated = str | Exception
Judged = Judgement | Exception


def refine(
    prompts: Sequence[str],
    generate: Callable[[Sequence[Ask]], Sequence[Generated]],
    judge: Callable[[Sequence[tuple[int, str]]], Sequence[Judged]],
    *,
    threshold: float,
    max_regenerations: int = 3,
    keep: Literal["best", "last"] = "best",
) -> list[Outcome]:
    """Caption every item, asking again for the captions that fall short.

    An attempt is accepted when its score is not below the threshold. A failed attempt's caption,
    scores and issues go into the refined prompt of the next; the first prompt is never refined.

    Args:
        prompts: the first instruction for each item.
        generate: returns one caption or error for each thing asked.
        judge: returns one judgement or error for each (item, caption).
        threshold: the least score that is accepted.
        max_regenerations: how often an item is asked for again after the first failure.
        keep: the attempt that stays when all fall short: the best-scoring (the earliest of equals)
            or the last that has a caption.

    Returns:
        One outcome an item, in order.
    """
    attempts: list[list[Attempt]] = [[] for _ in prompts]
    open_items = list(range(len(prompts)))
    for number in range(1, max_regenerations + 2):
        asks = [_ask(item, prompts[item], attempts[item], number, threshold) for item in open_items]
        if not asks:
            break
        made = _attempt(asks, generate(asks), judge)
        for ask, attempt in zip(asks, made, strict=True):
            attempts[ask.item].append(attempt)
        open_items = [item for item in open_items if not _passes(attempts[item][-1], threshold)]
    return [_outcome(tuple(tried), threshold, keep) for tried in attempts]


def _ask(item: int, prompt: str, tried: Sequence[Attempt], number: int, threshold: float) -> Ask:
    last = next((attempt for attempt in reversed(tried) if attempt.judgement), None)
    if last is None or last.judgement is None or last.caption is None:
        return Ask(item, prompt, Feedback(attempt=number))
    judgement = last.judgement
    text = refined_prompt(prompt, last.caption, judgement.issues, judgement.scores, threshold)
    return Ask(item, text, Feedback(number, last.caption, judgement.issues))


def _attempt(
    asks: Sequence[Ask],
    captions: Sequence[Generated],
    judge: Callable[[Sequence[tuple[int, str]]], Sequence[Judged]],
) -> list[Attempt]:
    written = [
        (ask.item, caption)
        for ask, caption in zip(asks, captions, strict=True)
        if isinstance(caption, str) and caption.strip()
    ]
    verdicts = dict(zip((item for item, _ in written), judge(written), strict=True))
    made = []
    for ask, caption in zip(asks, captions, strict=True):
        number, prompt = ask.feedback.attempt, ask.prompt
        verdict = verdicts.get(ask.item)
        if isinstance(verdict, Judgement):
            made.append(Attempt(number, prompt, str(caption), verdict))
        elif verdict is not None:
            made.append(Attempt(number, prompt, str(caption), None, f"scoring: {_say(verdict)}"))
        else:
            why = _say(caption) if isinstance(caption, Exception) else "the model returned nothing"
            made.append(Attempt(number, prompt, None, None, why))
    return made


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _passes(attempt: Attempt, threshold: float) -> bool:
    return attempt.judgement is not None and attempt.judgement.score >= threshold


def _outcome(tried: tuple[Attempt, ...], threshold: float, keep: str) -> Outcome:
    judged = [attempt for attempt in tried if attempt.judgement is not None]
    if not judged:
        return Outcome(tried, None, accepted=False)
    kept = judged[-1]
    if keep == "best" and not _passes(kept, threshold):
        kept = max(judged, key=lambda a: (a.judgement.score if a.judgement else 0.0, -a.number))
    return Outcome(tried, kept, accepted=_passes(kept, threshold))
