"""Sentences about an artwork: each function turns knowledge or measurements into one sentence.

A `Chooser` picks between wordings by a hash, so that two artworks seldom read alike and the same
request always reads the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from artsound.models.lite.artwork_words import Concept, join, with_article
from artsound.models.lite.colour import Colour, Measurements

_PLACES: Final = {
    "left": "on the left",
    "right": "on the right",
    "top": "in the upper part",
    "bottom": "in the lower part",
    "centre": "at the centre",
}


# What a picture shows when neither the catalogue nor the classifier knows.
NO_SUBJECT: Final = "areas of colour and tone"


@dataclass
class Chooser:
    """Picks wordings by a hash of a key and the number of picks so far."""

    key: str
    picks: int = field(default=0, init=False)

    def pick(self, options: Sequence[str]) -> str:
        """Return one of the options."""
        self.picks += 1
        digest = hashlib.sha256(f"{self.key}|{self.picks}".encode()).digest()
        return options[int.from_bytes(digest[:4], "big") % len(options)]


def capital(sentence: str) -> str:
    """Put the first letter in upper case and leave the rest."""
    return sentence[:1].upper() + sentence[1:]


def subject_phrase(concepts: Sequence[Concept], genre: str) -> str:
    """Say what the picture shows as one noun phrase; empty where nothing is known.

    Args:
        concepts: what the catalogue says.
        genre: the catalogue's genre; a portrait without a person tag has "a sitter".
    """
    of = {
        kind: [concept for concept in concepts if concept.kind == kind]
        for kind in ("person", "wear", "doing", "thing", "place", "time", "form", "theme")
    }
    people = [concept.noun for concept in of["person"]]
    if not people and genre == "self-portrait":
        people = ["the painter"]
    elif not people and (genre == "portrait" or of["wear"]):
        people = ["a sitter"]
    things, places = of["thing"], of["place"]
    times = [concept.setting for concept in of["time"]]
    if people:
        clothed = " and ".join(concept.setting for concept in of["wear"])
        doing = " and ".join(concept.setting for concept in of["doing"])
        where = " and ".join(concept.setting for concept in places[:1])
        at = [concept.setting for concept in things if concept.setting]
        beside = [concept.noun for concept in things if not concept.setting]
        beside += [concept.noun for concept in places[1:]]
        company = f"with {join(beside)}" if beside else ""
        parts = [join(people), clothed, doing, *at, where, company, " ".join(times)]
    else:
        nouns = [concept.noun for concept in [*of["form"], *things]]
        nouns += [concept.noun for concept in places[1:]]
        head = _view(places[0], nouns, things) if places else join(nouns)
        if not head:
            rest = [*of["doing"], *of["time"]]
            head, times = join([concept.noun for concept in rest]), []
        parts = [head, " ".join(times)]
    phrase = " ".join(part for part in parts if part)
    themes = join([concept.noun for concept in of["theme"]])
    if themes and phrase:
        return f"{phrase}, conceived as {themes}"
    return phrase or themes


def _view(place: Concept, nouns: Sequence[str], things: Sequence[Concept]) -> str:
    """Put a place and what is there into words, the more telling of them first."""
    if not nouns:
        return place.noun
    if place.setting == "on the sea" and all("boat" in thing.groups for thing in things):
        return f"{join(nouns)} {place.setting}"
    if place.setting == "on a road":
        return f"{join(nouns)} beside {place.noun}"
    return f"{place.noun} with {join(nouns)}"


def opening(subject: str, work: str, portrait: bool, choose: Chooser) -> str:
    """Say what the work is and shows.

    Args:
        subject: the subject's noun phrase.
        work: the work's noun phrase without an article ("Ukiyo-e woodblock print").
        portrait: whether it portrays somebody.
        choose: picks the wording.
    """
    portrays = portrait and "portrait" not in work
    verbs = ("portrays" if portrays else "depicts", "shows", "presents")
    wordings = (
        f"This {work} {choose.pick(verbs)} {subject}.",
        f"In this {work} we see {subject}.",
        f"{capital(subject)} can be seen in this {work}.",
    )
    return choose.pick(wordings)


def seen(phrases: Sequence[str], dress: bool, sure: bool, choose: Chooser) -> str:
    """Say what the classifier saw, as firmly as it deserves; empty without phrases."""
    if not phrases:
        return ""
    what = join(phrases)
    if dress:
        options = (
            (f"The dress includes {what}.", f"The sitter's dress includes {what}.")
            if sure
            else (f"The dress suggests {what}.", f"The outlines of the dress suggest {what}.")
        )
    elif sure:
        options = (f"One can also make out {what}.", f"The eye also finds {what}.")
    else:
        options = (f"Some of the shapes suggest {what}.", f"Parts of the picture suggest {what}.")
    return choose.pick(options)


def standing_out(what: str, choose: Chooser) -> str:
    """Say what the catalogue and the classifier agree on; empty without a phrase."""
    if not what:
        return ""
    return choose.pick(
        (f"The eye rests first on {what}.", f"Nothing is clearer to the eye than {what}.")
    )


def main_colours(palette: Sequence[Colour]) -> list[str]:
    """Return the names of the two or three colours that cover most of the picture."""
    large = [colour.name for colour in palette if colour.share >= 0.08]
    return large[:3] if len(large) > 1 else [colour.name for colour in palette[:2]]


def accent(palette: Sequence[Colour]) -> str:
    """Return the name of a small colour that stands out from the main ones; empty without one."""
    names = main_colours(palette)
    main = [colour for colour in palette if colour.name in names]
    small = [
        colour
        for colour in palette
        if colour not in main
        and colour.chroma >= 20
        and min(colour.distance(other) for other in main) >= 35
    ]
    return max(small, key=lambda c: (c.chroma * c.share**0.5, c.name)).name if small else ""


def colours(measured: Measurements, choose: Chooser) -> str:
    """Say the palette."""
    names = join(main_colours(measured.palette))
    if measured.chroma < 4:
        return choose.pick(
            (
                f"The picture is monochrome, in {names}.",
                f"Colour is absent; the tones run to {names}.",
            )
        )
    extra = accent(measured.palette)
    touch = choose.pick((f", with touches of {extra}", f", set off by {extra}")) if extra else ""
    vivid = "vivid " if measured.chroma > 38 else "muted " if measured.chroma < 14 else ""
    return choose.pick(
        (
            f"The {vivid}palette is built on {names}{touch}.",
            f"Its {vivid}colours are mainly {names}{touch}.",
            f"{capital(vivid)}{'tones' if vivid else 'Tones'} of {names} prevail{touch}.",
        )
    )


def light(measured: Measurements, choose: Chooser) -> str:
    """Say how light the picture is and where the light lies."""
    where = _PLACES.get(measured.brightest, "")
    strong = measured.contrast > 24
    if measured.lightness < 45:
        tone = "dark" if measured.lightness < 32 else "subdued"
        if where:
            shadow = " against deep shadow" if strong else ""
            return f"The light is {tone}, {choose.pick(('strongest', 'mainly'))} {where}{shadow}."
        return f"The light is {tone}, with {'strong' if strong else 'soft'} contrasts."
    bright = measured.lightness > 66
    options: tuple[str, ...]
    if where:
        edge = ", in marked contrast with the darks" if strong else ""
        options = (
            (
                f"Bright light gathers {where}{edge}.",
                f"The light is bright, above all {where}{edge}.",
            )
            if bright
            else (
                f"The light is clearest {where}{edge}.",
                f"The picture is lightest {where}{edge}.",
            )
        )
    elif strong:
        options = ("Light and dark contrast strongly.", "Strong contrasts set light against dark.")
    elif bright:
        options = ("The light is bright and even.", "An even brightness fills the picture.")
    else:
        options = (
            "The light is even, with moderate contrasts.",
            "Light and shade are evenly shared.",
            "Neither light nor shadow dominates.",
        )
    return choose.pick(options)


def composition(measured: Measurements, outdoors: bool, choose: Chooser) -> str:
    """Say the format and where the visual weight lies."""
    shape = (
        "wide" if measured.aspect > 1.15 else "upright" if measured.aspect < 0.87 else "squarish"
    )
    clauses = []
    if measured.weight:
        clauses.append(f"the detail gathers {_PLACES[measured.weight]}")
    if measured.emptiest and measured.emptiest != measured.weight:
        side = {"top": "upper part", "bottom": "lower part"}.get(
            measured.emptiest, f"{measured.emptiest} side"
        )
        clauses.append(f"the {side} is left almost empty")
    if outdoors and measured.horizon is not None:
        height = measured.horizon
        level = "high" if height < 0.4 else "low" if height > 0.6 else "halfway up"
        clauses.append(f"a level division lies {level}")
    elif measured.symmetry > 0.85 and len(clauses) < 2:
        clauses.append("the two halves nearly mirror each other")
    if not clauses:
        spread = "crowded" if measured.detail > 8 else "spread evenly"
        clauses.append(
            f"the surface is {spread}" if spread == "crowded" else f"the detail is {spread}"
        )
    said = join(clauses[:2])
    return choose.pick(
        (
            f"The format is {shape}; {said}.",
            f"In {with_article(shape)} composition {said}.",
            f"{capital(said)} within {with_article(shape)} format.",
        )
    )


def mood_words(measured: Measurements, tags: frozenset[str]) -> str:
    """Return two adjectives for the mood, from subject, light and colour."""
    dark, bright = measured.lightness < 35, measured.lightness > 64
    vivid, muted = measured.chroma > 32, measured.chroma < 16
    if "smile" in tags:
        return "gentle and quiet"
    if tags & {"waves", "storms", "battles", "wind"}:
        return "restless and dramatic" if measured.contrast > 20 else "restless and windswept"
    if tags & {"dancing", "crowd", "dancers", "ballet"}:
        return "lively and sociable" if tags & {"crowd", "dancing"} else "graceful and attentive"
    if tags & {"geometric", "circles", "lines"}:
        return "playful and rhythmic"
    if tags & {"night", "stars-and-galaxies"}:
        return "nocturnal and intense" if vivid else "nocturnal and hushed"
    if dark:
        return "grave and dramatic" if measured.contrast > 22 else "sombre and quiet"
    if vivid:
        return "warm and spirited" if measured.warmth > 10 else "fresh and spirited"
    if bright:
        return "calm and airy" if muted else "light and serene"
    if measured.warmth > 18:
        return "warm and settled"
    return "cool and contemplative" if measured.warmth < 2 else "quiet and composed"


def mood(words: str, when: str, choose: Chooser) -> str:
    """Say the mood, and when and where the work was made if that is known."""
    feeling = choose.pick((f"the mood is {words}", f"the whole feels {words}"))
    if not when:
        return f"{capital(feeling)}."
    return choose.pick(
        (f"{capital(feeling)}; the work was {when}.", f"{capital(when)}, the work feels {words}.")
    )
