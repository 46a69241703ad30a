"""Titles, names and years for people, out of WikiArt's slugs and file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

_YEAR: Final = re.compile(r"1\d{3}|20[0-2]\d")
_ROMAN: Final = re.compile(r"[ivx]{2,5}")
# Small words of titles and of names, left small: Vincent van Gogh, Pieter Bruegel the Elder.
_PARTICLES: Final = frozenset(
    (
        "a", "af", "al", "an", "and", "at", "av", "by", "da", "das", "de", "degli", "dei", "del",
        "della", "den", "der", "des", "di", "do", "dos", "du", "e", "el", "en", "et", "for", "from",
        "il", "im", "in", "la", "las", "le", "les", "los", "of", "on", "or", "the", "to", "und",
        "van", "ver", "vom", "von", "with", "y", "zu", "zum", "zur",
    )
)  # fmt: skip
# A number after one of these words belongs to the title: Composition 8, Plate 3.
_NUMBERED: Final = frozenset(
    ("act", "composition", "no", "nr", "number", "op", "opus", "part", "plate", "vol", "volume")
)


def parse_file_name(name: str) -> tuple[str, str, str | None, int | None]:
    """Take a WikiArt file name apart.

    Args:
        name: such as `vincent-van-gogh_portrait-of-p%C3%A8re-tanguy.jpg`.

    Returns:
        The artist's slug (empty if there is none), the title's slug, the title for people, and the
        year if the name ends in one (1000 to 2029). A small number at the end is WikiArt's, to tell
        namesakes apart (`self-portrait-1887-2`), and not of the title.
    """
    artist, separator, slug = _decoded(PurePosixPath(name).stem).partition("_")
    if not separator:
        artist, slug = "", artist
    words = _words(slug)
    numbered = len(words) > 1 and words[-2].lower() in _NUMBERED
    if len(words) > 1 and re.fullmatch(r"\d{1,3}", words[-1]) and not numbered:
        words.pop()
    year = int(words.pop()) if len(words) > 1 and _YEAR.fullmatch(words[-1]) else None
    return artist, slug, _title(words) or None, year


def display_name(slug: str) -> str:
    """Return an artist's name for people: `pieter-bruegel-the-elder`, Pieter Bruegel the Elder."""
    return _title(_words(_decoded(slug)))


def _decoded(name: str) -> str:
    """Undo percent escapes, of UTF-8 or else of Latin-1."""
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return unquote(name, encoding="latin-1")


def _words(slug: str) -> list[str]:
    return [word for word in re.split(r"[-_\s]+", slug) if word]


def _title(words: Sequence[str]) -> str:
    shown = []
    for position, word in enumerate(words):
        small = position > 0 and word.lower() in _PARTICLES
        roman = _ROMAN.fullmatch(word) is not None
        shown.append(word.upper() if roman else word if small else word[:1].upper() + word[1:])
    return " ".join(shown)
