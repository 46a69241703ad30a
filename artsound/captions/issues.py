"""What can be wrong with a caption, and the detectors that need no model.

The detectors cover what the paper lists for discarded models (section 3.2, appendix A): captions
that are overly long, repeat themselves, ask the user questions or invent a dialogue; and, for
fused captions, claims that no segment supports.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from artsound.captions import lexicon


class Issue(StrEnum):
    """Codes of what is wrong with a caption."""

    LOW_CLIP_SCORE = "low_clip_score"
    LOW_PAC_SCORE = "low_pac_score"
    LOW_ROUGE1 = "low_rouge1"
    LOW_BERT_SCORE = "low_bert_score"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    ASKS_QUESTION = "asks_question"
    REPEATS = "repeats"
    UNSUPPORTED_CLAIM = "unsupported_claim"
    DIALOGUE = "dialogue"


# Shortest and longest caption in characters. The paper's captions have 234 to 2302 (artworks) and
# 82 to 1084 (music) characters (table 1); the limits leave room for terser models.
ARTWORK_CHARS: Final = (80, 2500)
AUDIO_CHARS: Final = (40, 1200)

# Share of a caption's word 4-grams that may have occurred in it before.
_MAX_REPEATED: Final = 0.20
# How far a tempo may lie from a segment's: beat trackers differ by as much from part to part.
_TEMPO_TOLERANCE: Final = 0.03

_QUESTION: Final = re.compile(
    r"\?|(?:^|[.!]\s+)(?:please )?"
    r"(?:let me know|tell me|would you|could you|can you|do you want)\b",
    re.IGNORECASE,
)
_DIALOGUE: Final = re.compile(
    r"(?:^|[\s\"'*#])(?:human|assistant|user|system|chatbot|ai)\**\s*:|\bas an ai\b|<\|",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['\u2019]\w+)?", text.lower())


def _repeats(caption: str) -> bool:
    """Whether a sentence occurs twice, or too many 4-grams do."""
    sentences = [tuple(_words(sentence)) for sentence in _SENTENCE_END.split(caption)]
    sentences = [sentence for sentence in sentences if sentence]
    if len(set(sentences)) < len(sentences):
        return True
    words = _words(caption)
    grams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    return len(grams) - len(set(grams)) > _MAX_REPEATED * len(grams)


def _inspect(caption: str, min_chars: int, max_chars: int) -> list[Issue]:
    text = caption.strip()
    found = {
        Issue.TOO_SHORT: len(text) < min_chars,
        Issue.TOO_LONG: len(text) > max_chars,
        Issue.ASKS_QUESTION: bool(_QUESTION.search(text)),
        Issue.REPEATS: _repeats(text),
        Issue.DIALOGUE: bool(_DIALOGUE.search(text)),
    }
    return [issue for issue, present in found.items() if present]


def inspect_artwork_caption(
    caption: str, min_chars: int = ARTWORK_CHARS[0], max_chars: int = ARTWORK_CHARS[1]
) -> tuple[Issue, ...]:
    """Return what is wrong with an artwork's caption, as far as the text alone shows it.

    Args:
        caption: the caption.
        min_chars: the fewest characters, without surrounding blanks.
        max_chars: the most characters.
    """
    return tuple(_inspect(caption, min_chars, max_chars))


def inspect_audio_caption(
    segments: Sequence[str],
    caption: str,
    min_chars: int = AUDIO_CHARS[0],
    max_chars: int = AUDIO_CHARS[1],
) -> tuple[Issue, ...]:
    """Return what is wrong with a fused caption, as far as the texts alone show it.

    Args:
        segments: the segment captions that it was fused from.
        caption: the fused caption.
        min_chars: the fewest characters, without surrounding blanks.
        max_chars: the most characters.
    """
    found = _inspect(caption, min_chars, max_chars)
    if unsupported_claims(segments, caption):
        found.append(Issue.UNSUPPORTED_CLAIM)
    return tuple(found)


def unsupported_claims(segments: Sequence[str], caption: str) -> tuple[str, ...]:
    """Return the music concepts, keys and tempi that a caption names and no segment does.

    Args:
        segments: the segment captions.
        caption: the fused caption.

    Returns:
        In alphabetical order; the concepts are those of `captions.lexicon`. A tempo counts as
        supported within 3 % of a segment's.
    """
    source = "\n".join(segments)
    claims = lexicon.concepts(caption) - lexicon.concepts(source)
    claims |= lexicon.keys(caption) - lexicon.keys(source)
    heard = lexicon.tempi(source)
    for tempo in lexicon.tempi(caption):
        if not any(abs(tempo - known) <= _TEMPO_TOLERANCE * known for known in heard):
            claims.add(f"{tempo:g} BPM")
    return tuple(sorted(claims))
