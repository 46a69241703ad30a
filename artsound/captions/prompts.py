"""What captioners and fusers are asked, first and again.

The same instructions serve large chat models and the small lite ones, so they are short and
concrete. The two captioning instructions are the paper's, word for word; the paper does not print
its fusion and refinement prompts, so those are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from artsound.captions.issues import Issue

# Paper, appendix A.1, table 10.
ARTWORK_PROMPT: Final = (
    "You are an art expert. Provide a concise description of this artwork, addressing its subject "
    "matter, the mood or emotion it conveys, key artistic techniques and style, and its possible "
    "artistic period or school"
)

# Paper, appendix A.2, table 11. For chat models that hear; LP-MusicCaps takes no prompt.
MUSIC_SEGMENT_PROMPT: Final = (
    "You are a music expert. Analyze the provided audio clip and respond with a precise "
    "description (approximately 200 words). Your response should include: (i) the identified "
    "music genre, (ii) a list of discernible musical instruments, and (iii) a brief description "
    "of the overall sound and style. Do not ask any questions or seek further information"
)

_FUSION_TASK: Final = (
    "Merge them into one coherent caption of the whole track. Keep their words and every fact: "
    "genre, instruments, voice, tempo, key, mood and sound. Say how the music changes, in order. "
    "Say each thing once, add nothing new, and give only the caption."
)

_REMEDIES: Final[Mapping[Issue, str]] = {
    Issue.LOW_CLIP_SCORE: "It does not match the picture well: name what can be seen in it.",
    Issue.LOW_PAC_SCORE: "It does not read as a precise caption of the picture: be more specific.",
    Issue.LOW_ROUGE1: "It leaves out too many of the segment captions' words: keep more of them.",
    Issue.LOW_BERT_SCORE: "Its meaning strays from the segment captions: stay closer to them.",
    Issue.TOO_SHORT: "It is too short: say more of what is known.",
    Issue.TOO_LONG: "It is too long: be concise.",
    Issue.ASKS_QUESTION: "It asks a question: only describe, and ask nothing.",
    Issue.REPEATS: "It repeats itself: say each thing once.",
    Issue.UNSUPPORTED_CLAIM: "It claims what no segment caption says: leave that out.",
    Issue.DIALOGUE: "It contains dialogue: write plain prose without speakers.",
}


def fusion_prompt(segments: Sequence[str]) -> str:
    """Return the instruction that merges a track's segment captions into one.

    Args:
        segments: the captions in temporal order, at least one.
    """
    parts = "\n".join(f"{number}. {' '.join(s.split())}" for number, s in enumerate(segments, 1))
    return f"These captions describe one music track, part by part:\n\n{parts}\n\n{_FUSION_TASK}"


def refined_prompt(
    base: str,
    previous: str,
    issues: Sequence[str],
    scores: Mapping[str, float | None],
    threshold: float,
) -> str:
    """Return the instruction after a failure (paper, section 3.2).

    It says that the previous caption did not reach the threshold, shows it, and names every issue.

    Args:
        base: the first instruction.
        previous: the caption that fell short.
        issues: codes of `Issue`; without any, only the score is named.
        scores: the previous caption's scores by column name; None where there is no model.
        threshold: the score that a caption must reach.

    Raises:
        ValueError: an issue is not a code of `Issue`.
    """
    found = ", ".join(f"{name} {value:.2f}" for name, value in scores.items() if value is not None)
    lines = [
        f"{base.rstrip()}",
        "",
        f"Your previous caption fell short of the required quality of {threshold:.2f} ({found}):"
        if found
        else f"Your previous caption fell short of the required quality of {threshold:.2f}:",
        f'"{" ".join(previous.split())}"',
        "",
    ]
    remedies = [_REMEDIES[Issue(code)] for code in issues]
    if remedies:
        lines += ["What was wrong with it:", *(f"- {remedy}" for remedy in remedies), ""]
    lines.append("Write a new and better caption. Give only the caption.")
    return "\n".join(lines)
