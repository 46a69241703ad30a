"""A caption for an artwork out of a catalogue, an ImageNet classifier and measurements.

No language model writes here: sentences are put together from what is known. The catalogue's tags
and title are trusted; the classifier is weak evidence on paintings, so it is quoted only for things
that a picture of that genre can show, above an evidence threshold for each kind of thing.
Variety comes from a hash of the artwork's id and the attempt, so equal inputs give equal captions.

Asked again, the captioner answers to the issues. After a low image-text score it leaves out what a
picture cannot show (period, style, mood), leads with what the classifier confirms, and admits
weaker evidence with each attempt, said as a suggestion ("some of the shapes suggest a castle").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from artsound.models.base import ArtworkRequest, Feedback
from artsound.models.lite import artwork_sentences as sentences
from artsound.models.lite import efficientnet, imagenet
from artsound.models.lite.artwork_sentences import Chooser
from artsound.models.lite.artwork_words import (
    Concept,
    definite,
    find_concepts,
    genre_noun,
    join,
    medium_noun,
    period,
    plausible_kinds,
    style_adjective,
)
from artsound.models.lite.colour import Measurements, measure

# The evidence that is admitted, as a share of the threshold, by how often a low score came back.
_ADMITTED: Final = (1.0, 0.85, 0.75, 0.65)
_MOST_SIGHTINGS: Final = (2, 2, 3, 3)
_FIRM: Final = 1.5
# A thing of the catalogue that the classifier gives this probability is certainly visible.
_CONFIRMED: Final = 0.08
_LOW: Final = frozenset({"low_clip_score", "low_pac_score"})


@dataclass(frozen=True)
class _Known:
    """All that is known of one artwork before a word is written."""

    request: ArtworkRequest
    concepts: tuple[Concept, ...]
    sightings: tuple[imagenet.Sighting, ...]
    confirmed: tuple[imagenet.Sighting, ...]
    measured: Measurements

    @property
    def genre(self) -> str:
        return str(self.request.catalogue.get("genre") or "").lower()

    @property
    def portrait(self) -> bool:
        people = any(concept.kind == "person" for concept in self.concepts)
        return self.genre in ("portrait", "self-portrait") or (people and not self.genre)

    @property
    def outdoors(self) -> bool:
        return self.genre in ("landscape", "marina", "cloudscape")


class LiteArtworkCaptioner:
    """Describes artworks in three to five sentences; fits `base.ArtworkCaptioner`."""

    name = "lite-artwork"

    def caption(self, requests: Sequence[ArtworkRequest]) -> list[str]:
        """Return one caption a request, about 250 to 600 characters on the first attempt."""
        images = [request.image for request in requests]
        probabilities = imagenet.suppress(efficientnet.class_probabilities(images))
        return [
            _write(_know(request, imagenet.sightings(row)), request.feedback)
            for request, row in zip(requests, probabilities, strict=True)
        ]


def _know(request: ArtworkRequest, sightings: Sequence[imagenet.Sighting]) -> _Known:
    catalogue = request.catalogue
    concepts = find_concepts(catalogue.get("tags") or (), str(catalogue.get("title") or ""))
    if "allegor" in genre_noun(catalogue):
        concepts = [concept for concept in concepts if concept.kind != "theme"]
    said = {group for concept in concepts for group in concept.groups}
    nearest = {concept.groups[0] for concept in concepts if concept.groups}
    kinds = plausible_kinds(catalogue)
    new = [s for s in sightings if s.group not in said and imagenet.groups()[s.group].kind in kinds]
    agreed = [s for s in sightings if s.group in nearest and s.probability >= _CONFIRMED]
    return _Known(request, tuple(concepts), tuple(new), tuple(agreed), measure(request.image))


def _write(known: _Known, feedback: Feedback) -> str:
    """Write the caption of this attempt, different from the previous one."""
    for salt in range(8):
        choose = Chooser(f"{known.request.item_id}|{feedback.attempt}|{salt}")
        caption = " ".join(part for part in _plan(known, feedback, choose) if part)
        if caption != feedback.previous:
            break
    return caption


def _plan(known: _Known, feedback: Feedback, choose: Chooser) -> list[str]:
    """Choose the sentences of an attempt, in order; empty ones are dropped by the caller."""
    issues = set(feedback.issues)
    low = min(feedback.attempt - 1, len(_ADMITTED) - 1) if issues & _LOW else 0
    admitted = _FIRM if "unsupported_claim" in issues else _ADMITTED[low]
    found = [s for s in known.sightings if s.strength >= admitted][: _MOST_SIGHTINGS[low]]
    subject, found = _subject(known, found, low)
    work = _work(known, low, choose)
    first = sentences.opening(subject, work, known.portrait, choose)
    details = _details(found, choose)
    palette = sentences.colours(known.measured, choose)
    light = sentences.light(known.measured, choose)
    layout = sentences.composition(known.measured, known.outdoors, choose)
    if "too_long" in issues:
        return [first, details or light, palette]
    if low:
        motif = sentences.standing_out(_motif(known), choose)
        return [first, motif, details or ("" if motif else light), palette]
    middle = [light, layout]
    if details and "too_short" not in issues:
        middle = [choose.pick(middle)]
    tags = frozenset(concept.tag for concept in known.concepts)
    words = sentences.mood_words(known.measured, tags)
    when = period(known.request.catalogue)
    return [first, details, palette, *middle, sentences.mood(words, when, choose)]


def _motif(known: _Known) -> str:
    """Name the thing of the catalogue that the classifier sees best; empty where it sees none.

    "the castle" where the opening has named it, "a sailing ship" where the classifier knows better.
    """
    if not known.confirmed:
        return ""
    best = known.confirmed[0]
    concept = next(concept for concept in known.concepts if concept.groups[:1] == (best.group,))
    if best.phrase in (concept.noun, imagenet.groups()[best.group].phrase):
        return definite(concept.noun)
    return best.phrase


def _subject(
    known: _Known, found: list[imagenet.Sighting], low: int
) -> tuple[str, list[imagenet.Sighting]]:
    """Return the subject's phrase and the sightings that it leaves unsaid.

    After a low score, what the classifier confirms comes first; from the third attempt on, other
    things (not people, nor the setting) are left out where something is confirmed.
    """
    concepts = list(known.concepts)
    if low:
        groups = {sighting.group for sighting in known.confirmed}
        first = [concept for concept in concepts if groups.intersection(concept.groups[:1])]
        rest = [concept for concept in concepts if concept not in first]
        if low > 1 and first:
            rest = [concept for concept in rest if concept.kind != "thing"]
        concepts = first + rest
    subject = sentences.subject_phrase(concepts, known.genre)
    if subject:
        return subject, found
    firm = [sighting for sighting in found if sighting.strength >= 1.0]
    if firm:
        phrase = join([sighting.phrase for sighting in firm])
        worn = all(imagenet.groups()[sighting.group].kind == "dress" for sighting in firm)
        left = [sighting for sighting in found if sighting not in firm]
        return f"a figure in {phrase}" if worn else phrase, left
    return sentences.NO_SUBJECT, found


def _work(known: _Known, low: int, choose: Chooser) -> str:
    """Name the work: style, and medium or genre; after a low score only the medium or genre."""
    catalogue = known.request.catalogue
    nouns = [noun for noun in (medium_noun(catalogue), genre_noun(catalogue)) if noun]
    noun = choose.pick(nouns) if nouns else "picture"
    style = style_adjective(catalogue) if not low else ""
    return f"{style} {noun}".strip()


def _details(found: Sequence[imagenet.Sighting], choose: Chooser) -> str:
    """Quote the classifier: firm sightings if there are any, else weak ones as suggestions."""
    firm = [sighting for sighting in found if sighting.strength >= 1.0]
    said = firm or list(found)
    dress = [s.phrase for s in said if imagenet.groups()[s.group].kind == "dress"]
    other = [s.phrase for s in said if imagenet.groups()[s.group].kind != "dress"]
    return sentences.seen(other or dress, not other, bool(firm), choose)
