"""What a small language model may say when it merges segment captions: facts, in order.

A model of 135 million parameters copies well and invents freely: asked to merge three captions, it
adds drums, mixes up keys and tells the end before the beginning. So its caption is decoded in
passages, one for the first part and one for each later part that brings something new, and a
passage may use only the words of its part's news, each as often as the part does, and a few
function words. The model chooses the words, their order, the joints and where a passage ends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

Tokenize = Callable[[str], list[int]]

_CLAUSE: Final = re.compile(
    r"(?<=[.!?])\s+|[,;:]\s+(?=(?:at|in|with|led|played|sung|featuring|accompanied|over|while|and it"
    r"|which|the)\b)"
)
_WORD: Final = re.compile(r"[^\s,;:.!?()\"\u201c\u201d]+(?:[.,]\d+)?")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
# Numbers this close say the same: tempo estimates differ by as much from part to part.
_SAME_NUMBER: Final = 0.04
_FUNCTION_WORDS: Final = frozenset(
    """a about an and are as at be been but by for from has have in into is it its led like more of
    on or over piece music track song sound sounds recording that the their then there this to tone
    tempo bpm with while""".split()
)
# Words that any later passage may use to join its news to what was said.
GLUE: Final = "it becomes turns into a an the and is now with sounds more".split()
OPENERS: Final = ("Then it", "Later it", "In the middle it")
CLOSERS: Final = ("Towards the end it", "Finally it", "It ends")


@dataclass(frozen=True)
class Passage:
    """What one part of the track contributes.

    Attributes:
        openers: beginnings to choose from; empty where the passage begins with its own words.
        words: the words of the part's news, with repetitions, in order.
        required: content words that have to be said; the passage ends when all are.
        least: how many of `required` have to be said at least, if the model likes to end sooner.
    """

    openers: tuple[str, ...]
    words: tuple[str, ...]
    required: frozenset[str]
    least: int


def content_words(text: str) -> set[str]:
    """Return the words of a text that carry facts, in lower case."""
    return {word.lower() for word in _WORD.findall(text)} - _FUNCTION_WORDS


def clauses(text: str) -> list[str]:
    """Split a caption into clauses, at sentence ends and before prepositions after a comma."""
    return [part.strip(" ,;:.!?") for part in _CLAUSE.split(text) if part.strip(" ,;:.!?")]


def news(before: str, part: str) -> list[str]:
    """Return the clauses of a part that say something its predecessor does not."""
    known = content_words(before)
    return [clause for clause in clauses(part) if any(_new(content_words(clause), known))]


def _new(words: Collection[str], known: Collection[str]) -> Iterator[str]:
    numbers = [float(word) for word in known if _NUMBER.fullmatch(word)]
    for word in words - set(known) if isinstance(words, set) else set(words) - set(known):
        if _NUMBER.fullmatch(word):
            value = float(word)
            if any(abs(value - number) <= _SAME_NUMBER * number for number in numbers):
                continue
        yield word
