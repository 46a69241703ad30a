"""Well-formed ways to merge segment captions, for a small language model to choose from.

A caption of a track tells its parts in order: the first part as its own caption has it, then what
each later part changes. Clauses are taken from the captions and put into sentences by their leading
words, so that nothing is said that no segment says.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Final

# Where a caption is cut into clauses: sentence ends, and before the phrases that carry one fact.
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_CLAUSE: Final = re.compile(
    r",?\s+(?=(?:at (?:a|an|about)|in [A-G](?:[ #b-]|$)|with (?!strong contrasts of l)|without"
    r"|(?:led|carried|driven|sung|played|accompanied|performed)(?: softly)? (?:by|on|over)"
    r"|featuring|and accompanied|moves along|unfolds)\b)"
    r"|,\s+(?=(?:it|the \w+) (?:feels|is|sounds)\b)"
    r"|,?\s+and\s+(?=the (?:sound|mood|tone|melody) is\b)"
)
# A clause's leading words, and how it goes on after "it".
_VERBS: Final = (
    (re.compile(r"(?:this|it) is (?=an? )", re.I), "becomes "),
    (re.compile(r"(?=an? \w)", re.I), "becomes "),
    (re.compile(r"(?:it|this) (?=feels|sounds)", re.I), ""),
    (re.compile(r"(?:moves along|unfolds) (?=at)", re.I), "moves "),
    (re.compile(r"(?=at )", re.I), "moves "),
    (re.compile(r"(?=in [A-G])"), "is "),
    (re.compile(r"with ", re.I), "has "),
    (re.compile(r"(?:and )?(?=(?:led|carried|driven|sung|played|accompanied|performed)\b)", re.I),
     "is "),
    (re.compile(r"featuring ", re.I), "features "),
    (re.compile(r"(?:moves along |unfolds )?(?=without)", re.I), "goes on "),
)  # fmt: skip
_SUBJECT: Final = re.compile(r"the \w+ is ", re.I)
_WORD: Final = re.compile(r"[\w'-]+(?:[.,]\d+)?")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
# Numbers this close say the same: tempo estimates differ by as much from part to part.
_SAME_NUMBER: Final = 0.04
_FUNCTION_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "a about an and are as at be been but by for from has have in into is it its like more of"
        " on or over piece music track song sound sounds feels mood that the their then there"
        " this to tempo bpm with moves along unfolds",
    )
)
_MOST_ORDERS: Final = 3
_MIDDLE: Final = ("Then it", "Later it", "In the middle it")
_END: Final = ("Towards the end it", "Finally it", "In the end it")


def content_words(text: str) -> set[str]:
    """Return the words of a text that carry facts, in lower case."""
    return {word.lower() for word in _WORD.findall(text)} - _FUNCTION_WORDS


def clauses(caption: str) -> list[str]:
    """Split a caption into its clauses, without the punctuation around them."""
    found = []
    for sentence in _SENTENCE.split(caption.strip()):
        found += [part.strip(" ,;:.!?") for part in _CLAUSE.split(sentence)]
    return [part for part in found if part]


def news(before: Sequence[str], caption: str) -> list[str]:
    """Return the clauses of a part that say something that the parts before do not.

    Args:
        before: the captions of the earlier parts.
        caption: the part's caption.
    """
    known = set().union(*map(content_words, before)) if before else set()
    return [clause for clause in clauses(caption) if _new_words(clause, known)]


def _new_words(clause: str, known: set[str]) -> list[str]:
    numbers = [float(word) for word in known if _NUMBER.fullmatch(word)]
    return [
        word
        for word in sorted(content_words(clause) - known)
        if not _NUMBER.fullmatch(word)
        or all(abs(float(word) - number) > _SAME_NUMBER * number for number in numbers)
    ]


def openings(caption: str, detail: float) -> list[str]:
    """Return ways to tell the first part: its caption, and the caption without its last clauses.

    Args:
        caption: the first part's caption.
        detail: least share of the clauses that stay, 1 for all of them.
    """
    text = " ".join(caption.split())
    if not text.endswith((".", "!", "?")):
        text += "."
    found = [text]
    parts = clauses(text)
    for dropped in range(1, len(parts)):
        if len(parts) - dropped < max(detail * len(parts), 1):
            break
        cut = text.rfind(parts[len(parts) - dropped])
        shorter = text[:cut].rstrip(" ,;:.!?").removesuffix(" and").rstrip(" ,")
        if len(shorter.split()) > 3 and not shorter.endswith(("The mood is", "The sound is")):
            found.append(f"{shorter}.")
    return found


def continuations(changes: Sequence[str], *, last: bool, detail: float) -> list[str]:
    """Return sentences that tell what a later part changes, in several orders and wordings.

    Args:
        changes: the part's new clauses, at least one.
        last: whether the part is the track's last.
        detail: share of the clauses to tell, at least one of them.
    """
    told = list(changes[: max(1, round(detail * len(changes)))])
    found = []
    for opener in _END if last else _MIDDLE:
        for order in itertools.islice(itertools.permutations(told), _MOST_ORDERS):
            found.append(_sentence(opener, order))
    return list(dict.fromkeys(found))


def _sentence(opener: str, told: Sequence[str]) -> str:
    predicates = [predicate for clause in told if (predicate := _predicate(clause))]
    subjects = [clause for clause in told if _predicate(clause) is None]
    lowered = " and ".join(clause[:1].lower() + clause[1:] for clause in subjects)
    if not predicates:
        return f"{opener.removesuffix(' it')} {lowered}."
    *head, tail = predicates
    sentence = f"{opener} {', '.join(head)} and {tail}." if head else f"{opener} {tail}."
    return f"{sentence} {lowered[:1].upper()}{lowered[1:]}." if lowered else sentence


def _predicate(clause: str) -> str | None:
    """Return a clause as it goes on after "it", or None if it brings a subject of its own."""
    if _SUBJECT.match(clause):
        return None
    for lead, verb in _VERBS:
        if found := lead.match(clause):
            rest = clause[found.end() :]
            return verb + (rest[:1].lower() + rest[1:] if verb != "is " else _lower(rest))
    return None


def _lower(text: str) -> str:
    """Lower a leading capital, unless it is the name of a key."""
    return text if re.match(r"[A-G]\b", text) else text[:1].lower() + text[1:]
