"""The lite music captioner: MusiCNN's tags and a few measurements, put into sentences.

What may be said is decided in `music_evidence`; this file only says it. Words vary with the track,
so that segments of one track speak alike; sentence shapes vary with the segment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from artsound.models.base import SegmentRequest
from artsound.models.lite import music_features, musicnn
from artsound.models.lite.music_evidence import Evidence, weigh

_SILENCE: Final = "This segment is silent, or so quiet that no music can be heard in it."

# Two words a family and energy; each is a choice of synonyms.
_CHARACTER: Final[Mapping[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    ("classical", "low"): (("calm", "peaceful"), ("graceful", "expressive", "elegant")),
    ("classical", "medium"): (("expressive", "flowing"), ("elegant", "stately")),
    ("classical", "high"): (("dramatic", "stirring"), ("grand", "powerful")),
    ("ambient", "low"): (("atmospheric", "spacious"), ("dreamy", "meditative")),
    ("ambient", "medium"): (("atmospheric", "spacious"), ("hypnotic", "mysterious")),
    ("ambient", "high"): (("atmospheric", "intense"), ("hypnotic", "restless")),
    ("electronic", "low"): (("relaxed", "floating"), ("dreamy", "atmospheric")),
    ("electronic", "medium"): (("flowing", "hypnotic"), ("atmospheric", "cool")),
    ("electronic", "high"): (("energetic", "lively"), ("intense", "hypnotic")),
    ("rock", "low"): (("relaxed", "restrained"), ("raw", "earthy")),
    ("rock", "medium"): (("gritty", "raw"), ("confident", "rousing")),
    ("rock", "high"): (("energetic", "forceful"), ("powerful", "fierce")),
    ("metal", "low"): (("ominous", "brooding"), ("heavy", "menacing")),
    ("metal", "medium"): (("heavy", "powerful"), ("intense", "menacing")),
    ("metal", "high"): (("aggressive", "furious"), ("heavy", "intense")),
    ("folk", "low"): (("gentle", "tender"), ("unhurried", "simple")),
    ("folk", "medium"): (("good-natured", "amiable"), ("melodic", "rustic")),
    ("folk", "high"): (("lively", "spirited"), ("rustic", "rousing")),
    ("jazz", "low"): (("relaxed", "intimate"), ("unhurried", "late-night")),
    ("jazz", "medium"): (("swinging", "sociable"), ("playful", "suave")),
    ("jazz", "high"): (("lively", "busy"), ("playful", "spirited")),
    ("pop", "low"): (("gentle", "relaxed"), ("tender", "intimate")),
    ("pop", "medium"): (("melodic", "tuneful"), ("friendly", "confident")),
    ("pop", "high"): (("energetic", "lively"), ("danceable", "exciting")),
    ("world", "low"): (("meditative", "calm"), ("mysterious", "contemplative")),
    ("world", "medium"): (("hypnotic", "flowing"), ("mysterious", "earthy")),
    ("world", "high"): (("lively", "hypnotic"), ("exciting", "earthy")),
    ("percussion", "low"): (("restrained", "spacious"), ("rhythmic", "suspenseful")),
    ("percussion", "medium"): (("rhythmic", "insistent"), ("earthy", "hypnotic")),
    ("percussion", "high"): (("energetic", "insistent"), ("earthy", "powerful")),
    ("other", "low"): (("calm", "gentle"), ("melodic", "simple")),
    ("other", "medium"): (("melodic", "tuneful"), ("playful", "nimble")),
    ("other", "high"): (("lively", "energetic"), ("lighthearted", "spirited")),
}
# What the mode adds; it takes the place of the family's second word.
_COLOUR: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("major", "low"): ("serene", "hopeful", "tender"),
    ("major", "medium"): ("hopeful", "cheerful", "optimistic"),
    ("major", "high"): ("uplifting", "joyful", "triumphant"),
    ("minor", "low"): ("wistful", "melancholic", "pensive"),
    ("minor", "medium"): ("brooding", "moody", "pensive"),
    ("minor", "high"): ("tense", "restless", "urgent"),
}
_MOODS: Final = {
    "beautiful": "beautiful",
    "chillout": "laid-back",
    "Mellow": "mellow",
    "sad": "sad",
    "happy": "happy",
    "party": "festive",
    "sexy": "sensual",
    "catchy": "catchy",
    "easy listening": "light",
}
_VOICES: Final = {
    "opera": "a classically trained voice",
    "choir": "a choir",
    "female": "a female voice",
    "male": "a male voice",
    "vocals": "a singing voice",
}
_TRACKS: Final = frozenset({"electronic", "rock", "pop"})
_PLURAL: Final = frozenset(
    {"strings", "drums", "hand drums", "synthesizers", "electric guitars"}
    | {"distorted electric guitars"}
)


class LiteMusicCaptioner:
    """Captions music segments in two or three sentences; fits `base.SegmentCaptioner`."""

    name = "lite-music"
    sample_rate = musicnn.SAMPLE_RATE

    def __init__(self) -> None:
        musicnn.load("mtt")
        musicnn.load("msd")

    def caption(self, requests: Sequence[SegmentRequest]) -> list[str]:
        """Return one caption a request; the prompt is not read.

        Raises:
            ValueError: a waveform is not mono, is empty, or has samples that are not finite.
        """
        return [self._caption(request) for request in requests]

    def _caption(self, request: SegmentRequest) -> str:
        features = music_features.measure(request.waveform, request.sample_rate)
        if features.silent:
            return _SILENCE
        mtt, msd = musicnn.tag_probabilities([request.waveform], request.sample_rate)
        return describe(weigh(mtt[0], msd[0], features), request.item_id)


def describe(evidence: Evidence, item_id: str) -> str:
    """Put evidence into sentences.

    Args:
        evidence: what may be claimed.
        item_id: track id and segment number, with a slash between them; decides between synonyms
            (the track) and between sentence shapes (both).
    """
    track = item_id.rpartition("/")[0] or item_id
    head = _head(evidence, track)
    players = _players(evidence, track)
    where = _where(evidence)
    mood = _listed(_mood(evidence, track))
    sound = _sound(evidence)
    shape = _pick(("plain", "unfolds", "placed"), item_id, "shape")
    if shape == "unfolds" and where:
        comma = "," if players.startswith(",") else ""
        first = f"{_capital(head)}{players}{comma} {_verb(evidence)} {where}."
        return f"{first} The mood is {mood}, and the sound is {sound}."
    if shape == "placed" and where:
        return f"This is {head}{players}. {_capital(where)}, it feels {mood}, {_toned(evidence)}."
    place = f", {where}" if where else ""
    return f"This is {head}{players}{place}. It feels {mood}, {_toned(evidence)}."


def _pick(options: Sequence[str], item_id: str, salt: str) -> str:
    digest = hashlib.sha256(f"{salt}/{item_id}".encode()).digest()
    return options[int.from_bytes(digest[:4], "big") % len(options)]


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_article(phrase: str) -> str:
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"


def _solo(evidence: Evidence) -> str:
    """Return the instrument that stands for the genre where that is unknown ("a piano piece")."""
    first = evidence.instruments[0] if evidence.instruments else ""
    return first if not evidence.genre.name and first not in _PLURAL else ""


def _head(evidence: Evidence, track: str) -> str:
    sung = evidence.voice in {"female", "male", "vocals"} and evidence.genre.family != "classical"
    noun = "song" if sung else "track" if evidence.genre.family in _TRACKS else "piece"
    wordless = evidence.voice == "instrumental" and evidence.genre.family != "percussion"
    genre = evidence.genre.name if evidence.genre.sure else _solo(evidence)
    words = ["instrumental"] if wordless else []
    head = _with_article(" ".join([*words, *([genre] if genre else []), noun]))
    if evidence.genre.name and not evidence.genre.sure:
        feel = _pick(("feel", "flavour"), track, "feel")
        head += f" with {_with_article(evidence.genre.name)} {feel}"
    return head


def _players(evidence: Evidence, track: str) -> str:
    """Return who plays and sings, with a space before it; empty where nothing is known."""
    named = [name for name in evidence.instruments if name != _solo(evidence)]
    if evidence.voice in _VOICES:
        company = f" and accompanied by {_listed(named)}" if named else ""
        return f", sung by {_VOICES[evidence.voice]}{company}"
    if not named:
        return ""
    if _solo(evidence):
        return f" with {_listed(named)}"
    comma = "" if evidence.genre.sure or not evidence.genre.name else ","
    if evidence.genre.family == "percussion":
        return f" {_pick(('played on', 'built on'), track, 'link')} {_listed(named)}"
    if "drums" in named[0]:
        return f"{comma} driven by {_listed(named)}"
    return f"{comma} {_pick(('led by', 'featuring', 'carried by'), track, 'link')} {_listed(named)}"


def _verb(evidence: Evidence) -> str:
    return "unfolds" if evidence.energy == "low" else "moves along"


def _where(evidence: Evidence) -> str:
    """Return tempo and key ("at a slow tempo of about 66 BPM in F major"), as far as known."""
    tempo = ""
    if evidence.tempo_bpm is not None:
        pace = f"{_with_article(evidence.pace)} tempo of " if evidence.pace else ""
        tempo = f"at {pace}about {evidence.tempo_bpm} BPM"
    elif evidence.pace:
        tempo = f"at {_with_article(evidence.pace)} tempo"
    key = f"in {evidence.key}" if evidence.key is not None else ""
    if not tempo and evidence.free:
        return f"{key}{', ' if key else ''}without a strict pulse"
    return f"{tempo} {key}".strip()


def _mood(evidence: Evidence, track: str) -> list[str]:
    family = "metal" if evidence.genre.name in {"metal", "hard rock"} else evidence.genre.family
    first, second = _CHARACTER[family, evidence.energy]
    colour = _COLOUR.get((evidence.mode, evidence.energy), second)
    words = [_pick(first, track, "first"), _pick(colour, track, "colour")]
    if evidence.mood:
        words.insert(0, _MOODS[evidence.mood])
    return list(dict.fromkeys(words))


def _adjectives(evidence: Evidence) -> list[str]:
    level = {"soft": ["soft"], "loud": ["loud"]}.get(evidence.level, [])
    tone = [] if evidence.tone == "balanced" else [evidence.tone]
    texture = {"smooth": ["smooth"], "percussive": ["punchy"]}.get(evidence.texture, [])
    words = [*([] if evidence.contrasts else level), *tone, *texture]
    return words or ["balanced"]


def _extras(evidence: Evidence) -> list[str]:
    """Return what else is heard: a strong pulse, contrasts of loudness."""
    beat = "pulse" if evidence.genre.family in {"classical", "ambient", "folk"} else "beat"
    extras = [f"a steady {beat}"] if evidence.steady else []
    return [*extras, "strong contrasts of loud and quiet"] if evidence.contrasts else extras


def _sound(evidence: Evidence) -> str:
    extras = _extras(evidence)
    return _listed(_adjectives(evidence)) + (f", with {_listed(extras)}" if extras else "")


def _toned(evidence: Evidence) -> str:
    sound = f"{_with_article(', '.join(_adjectives(evidence)))} sound"
    return f"with {_listed([sound, *_extras(evidence)])}"
