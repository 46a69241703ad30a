"""How catalogue entries are said: tags, genres, styles, media and years as English phrases.

`data/artworks/concepts.csv` has a row a tag of the catalogue: its kind, a noun phrase, how it is
said as a setting ("on the sea"), the broader tags that it makes superfluous, the ImageNet groups
that say the same, and the title words that mean it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final


@dataclass(frozen=True)
class Concept:
    """One thing that a catalogue says is in a picture.

    Attributes:
        tag: the catalogue's tag.
        kind: `person`, `wear`, `doing`, `thing`, `place`, `time`, `form` or `theme`.
        noun: a noun phrase with its article ("a bridge").
        setting: how it is said beside something else ("by a river"), or empty.
        covers: tags that need not be said beside this one.
        groups: ImageNet groups that this concept already says, the nearest first.
        title_words: words of a title that mean this concept.
    """

    tag: str
    kind: str
    noun: str
    setting: str = ""
    covers: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()
    title_words: frozenset[str] = frozenset()


# Genre: (what the work is called, the kinds of ImageNet group that such a picture can show).
_GENRES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "marina": ("seascape", frozenset({"land"})),
    "landscape": ("landscape", frozenset({"land"})),
    "cloudscape": ("cloudscape", frozenset({"land"})),
    "cityscape": ("townscape", frozenset({"land"})),
    "veduta": ("townscape", frozenset({"land"})),
    "pastorale": ("pastoral scene", frozenset({"land"})),
    "genre painting": ("scene of daily life", frozenset({"land", "room"})),
    "interior": ("interior", frozenset({"room"})),
    "portrait": ("portrait", frozenset({"dress"})),
    "self-portrait": ("self-portrait", frozenset({"dress"})),
    "abstract": ("abstract composition", frozenset()),
    "animal painting": ("animal study", frozenset({"animal"})),
    "wildlife painting": ("animal study", frozenset({"animal"})),
    "bird-and-flower painting": ("bird-and-flower picture", frozenset({"animal", "still"})),
    "flower painting": ("flower picture", frozenset({"still"})),
    "still life": ("still life", frozenset({"still"})),
    "vanitas": ("still life", frozenset({"still"})),
    "sketch and study": ("study", frozenset({"land", "room"})),
    "symbolic painting": ("allegorical picture", frozenset({"dress"})),
    "allegorical painting": ("allegorical picture", frozenset({"dress"})),
    "religious painting": ("religious scene", frozenset({"dress"})),
    "mythological painting": ("mythological scene", frozenset({"dress"})),
    "history painting": ("historical scene", frozenset({"dress", "land"})),
    "battle painting": ("battle scene", frozenset({"land"})),
    "nude painting (nu)": ("nude", frozenset()),
    "illustration": ("illustration", frozenset({"dress", "animal"})),
}
_ANY_KIND: Final = frozenset({"dress", "land", "animal", "still", "room", "other"})

_STYLES: Final = {
    "ukiyo-e": "Ukiyo-e",
    "abstract art": "",
    "abstract expressionism": "Abstract Expressionist",
    "mannerism (late renaissance)": "Mannerist (late Renaissance)",
    "romanticism": "Romantic",
    "neoclassicism": "Neoclassical",
    "academicism": "academic",
    "art nouveau (modern)": "Art Nouveau",
    "art informel": "Art Informel",
    "naïve art (primitivism)": "naive",
    "pop art": "Pop Art",
    "op art": "Op Art",
    "conceptual art": "conceptual",
    "color field painting": "Colour Field",
    "byzantine": "Byzantine",
}
# Nouns for media, the most telling first: "oil" makes a work on paper a painting no less.
_MEDIA: Final = (
    ("woodblock print", "woodblock print"),
    ("aquatint", "aquatint"),
    ("etching", "etching"),
    ("engraving", "engraving"),
    ("lithography", "lithograph"),
    ("woodcut", "woodcut"),
    ("fresco", "fresco"),
    ("tempera", "tempera painting"),
    ("watercolor", "watercolour"),
    ("gouache", "gouache"),
    ("pastel", "pastel"),
    ("oil", "oil painting"),
    ("acrylic", "acrylic painting"),
    ("photography", "photograph"),
    ("ink", "ink drawing"),
    ("charcoal", "charcoal drawing"),
    ("pencil", "pencil drawing"),
    ("chalk", "chalk drawing"),
    ("mosaic", "mosaic"),
    ("tapestry", "tapestry"),
    ("collage", "collage"),
)
_COUNTRIES: Final = {
    "united kingdom": "the United Kingdom",
    "united states": "the United States",
    "united states of america": "the United States",
    "netherlands": "the Netherlands",
    "czech republic": "the Czech Republic",
}


_LISTS: Final = ("covers", "groups", "title_words")


@cache
def concepts() -> Mapping[str, Concept]:
    """Return the known concepts by tag."""
    path = resources.files("artsound.models.lite") / "data" / "artworks" / "concepts.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parts = {
        row["tag"]: [tuple(filter(None, row[key].split(";"))) for key in _LISTS] for row in rows
    }
    return {
        tag: Concept(
            tag,
            row["kind"],
            row["noun"],
            row["setting"],
            frozenset(covers),
            groups,
            frozenset(words),
        )
        for row, (tag, (covers, groups, words)) in zip(rows, parts.items(), strict=True)
    }


@cache
def _by_title_word() -> Mapping[str, Concept]:
    return {word: concept for concept in concepts().values() for word in concept.title_words}


def find_concepts(tags: Iterable[str], title: str) -> list[Concept]:
    """Return what the catalogue's tags and the title's words say is in the picture.

    An unknown tag is said as it is written ("arts-and-crafts": "arts and crafts"). Concepts that a
    more exact one covers are left out.

    Args:
        tags: the catalogue's tags, dashes between words.
        title: the catalogue's title, or empty.

    Returns:
        Concepts in the order of the tags, then of the title; none twice.
    """
    found: dict[str, Concept] = {}
    for tag in tags:
        key = tag.strip().lower().replace(" ", "-")
        if key:
            found.setdefault(
                key, concepts().get(key) or Concept(key, "thing", key.replace("-", " "))
            )
    for word in re.findall(r"[^\W\d_]+", title.lower()):
        concept = _by_title_word().get(word)
        if concept is not None:
            found.setdefault(concept.tag, concept)
    covered = frozenset().union(*(concept.covers for concept in found.values()))
    return [concept for tag, concept in found.items() if tag not in covered]


def genre_noun(catalogue: Mapping[str, Any]) -> str:
    """Return what to call the work by its genre ("seascape"); empty where it has no genre."""
    genre = str(catalogue.get("genre") or "").lower()
    return _GENRES[genre][0] if genre in _GENRES else ""


def plausible_kinds(catalogue: Mapping[str, Any]) -> frozenset[str]:
    """Return the kinds of ImageNet group that a picture of this genre can show."""
    genre = str(catalogue.get("genre") or "").lower()
    return _GENRES[genre][1] if genre in _GENRES else _ANY_KIND


def medium_noun(catalogue: Mapping[str, Any]) -> str:
    """Return what to call the work by its media ("woodblock print"); empty where unknown."""
    media = {str(medium).lower() for medium in catalogue.get("media") or ()}
    if {"oil", "chalk"} <= media:
        return "study in oil and chalk"
    return next((noun for medium, noun in _MEDIA if medium in media), "")


def style_adjective(catalogue: Mapping[str, Any]) -> str:
    """Return the style as an adjective ("Post-Impressionist"); empty where there is none."""
    style = str(catalogue.get("style") or "").lower().strip()
    if style in _STYLES:
        return _STYLES[style]
    plain = re.sub(r"\s*\(.*\)", "", style)
    plain = re.sub(r"ism$", "ist", plain)
    return re.sub(r"(^|[\s-])(\w)", lambda match: match[1] + match[2].upper(), plain)


def period(catalogue: Mapping[str, Any]) -> str:
    """Return when and where the work was made ("made in Japan in the early 19th century")."""
    year, country = catalogue.get("year"), str(catalogue.get("country") or "").lower()
    where = f"in {_COUNTRIES.get(country, country.title())}" if country else ""
    when = f"in {century(int(year))}" if year else ""
    parts = [part for part in (where, when) if part]
    return f"made {' '.join(parts)}" if parts else ""


def century(year: int) -> str:
    """Return a year's third of a century: 1831 is "the early 19th century"."""
    number, within = (year - 1) // 100 + 1, (year - 1) % 100
    third = ("early", "mid", "late")[min(within // 34, 2)]
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    name = f"{number}{ending} century"
    return f"the mid-{name}" if third == "mid" else f"the {third} {name}"


def join(phrases: Sequence[str]) -> str:
    """Join phrases as English does: "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def with_article(phrase: str) -> str:
    """Put "a" or "an" before a phrase, by its first sound."""
    first = phrase.split()[0].lower()
    vowel = first[0] in "aeio" or (first[0] == "u" and not first.startswith(("uki", "uni", "use")))
    return f"{'an' if vowel else 'a'} {phrase}"


def definite(phrase: str) -> str:
    """Turn "a castle" into "the castle"; "armour" into "the armour"."""
    return phrase if phrase.startswith("the ") else f"the {re.sub(r'^(a|an) ', '', phrase)}"
