"""What MusiCNN's tags support: genre, instruments, voice and mood.

A tag's probability alone says little: annotators call a quarter of all music "rock" and hardly any
"harp". So an instrument or a mood is judged by sqrt(probability x lift), where lift is the
probability over how common the tag was in training, and a genre that both networks know by the
geometric mean of the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from artsound.models.lite.musicnn import MSD_LABELS

Tags = Mapping[str, float]
Energy = Literal["low", "medium", "high"]
Voice = Literal["instrumental", "opera", "choir", "female", "male", "vocals", ""]

# Roughly how many of MagnaTagATune's 25,863 clips carry the tag.
_CLIPS: Final = 25_863
_COUNTS: Final = {
    "guitar": 4852,
    "strings": 2729,
    "drums": 2598,
    "piano": 2056,
    "violin": 1826,
    "synth": 1717,
    "harpsichord": 1093,
    "flute": 1000,
    "sitar": 930,
    "harp": 620,
    "cello": 580,
}
# Instruments that fit a family need less evidence, the others more.
_FITTING: Final[Mapping[str, frozenset[str]]] = {
    "classical": frozenset({"strings", "violin", "flute", "harp", "cello", "piano", "harpsichord"}),
    "electronic": frozenset({"synth", "drums"}),
    "ambient": frozenset({"synth", "piano", "harp"}),
    "rock": frozenset({"guitar", "drums"}),
    "folk": frozenset({"guitar", "violin", "flute", "harp"}),
    "jazz": frozenset({"piano", "drums"}),
    "world": frozenset({"sitar", "drums", "flute"}),
    "percussion": frozenset({"drums"}),
}
_FIT: Final = 1.25
_MISFIT: Final = 0.7
_INSTRUMENT_SURE: Final = 0.62
_MAX_INSTRUMENTS: Final = 3

# The Million Song labels are sorted by how common they are, which falls roughly by a power law from
# a fifth of the tracks to half a per cent of them.
_MSD_PRIORS: Final = {
    tag: 0.2 / (MSD_LABELS.index(tag) + 1)
    for tag in (
        *("beautiful", "chillout", "Mellow", "sad", "happy", "party", "sexy", "catchy"),
        "easy listening",
    )
}
# The energies and modes that a mood tag would contradict.
_UNSUITED: Final[Mapping[str, frozenset[str]]] = {
    "beautiful": frozenset({"high"}),
    "chillout": frozenset({"high"}),
    "Mellow": frozenset({"high"}),
    "sad": frozenset({"high", "major"}),
    "happy": frozenset({"low", "minor"}),
    "party": frozenset({"low", "medium"}),
    "sexy": frozenset({"high"}),
    "catchy": frozenset({"low"}),
    "easy listening": frozenset({"high"}),
}
_MOOD_SURE: Final = 1.2

_GENRE_SURE: Final = 0.28
_GENRE_HEDGED: Final = 0.16


def _agree(a: float, b: float) -> float:
    return math.sqrt(a * b)


def _sitar(magna: Tags) -> bool:
    # A drone alone, such as a bagpipe's, is taken for Indian music: both must be heard.
    return min(magna["indian"], magna["sitar"]) > 0.25


class Genre(NamedTuple):
    """The likeliest genre.

    Attributes:
        name: an adjective for "piece" ("orchestral"), or empty where none is likely.
        family: the group of genres, which decides the words; "other" where the genre is unknown.
        sure: whether it may be claimed outright.
    """

    name: str
    family: str
    sure: bool


def find_genre(magna: Tags, million: Tags, percussive: float) -> Genre:
    """Return the likeliest genre.

    Args:
        magna: MagnaTagATune probabilities.
        million: Million Song probabilities.
        percussive: the percussive share of the energy, 0 to 1.
    """
    pitched = ("guitar", "piano", "strings", "violin", "synth", "techno", "rock", "flute")
    struck = magna["drums"] >= 0.4 and percussive >= 0.28
    if struck and max(magna[tag] for tag in pitched) < 0.2:
        return Genre("percussion", "percussion", True)
    foreign = max(million["folk"], million["country"], million["rock"])
    heavy = _agree(magna["metal"], max(million["metal"], million["heavy metal"]))
    electronic = max(magna["electronic"], magna["techno"])
    strummed = 1.0 if magna["guitar"] >= 0.2 else 0.5
    scores = {
        ("operatic", "classical"): magna["opera"],
        ("choral", "classical"): max(magna["choir"], magna["choral"]),
        ("classical", "classical"): 0.85 * (magna["classical"] - 0.4 * foreign),
        ("electronic", "electronic"): _agree(
            electronic, max(million["electronic"], million["dance"])
        ),
        ("ambient", "ambient"): _agree(magna["ambient"], million["ambient"]),
        ("metal", "rock"): heavy,
        ("rock", "rock"): _agree(magna["rock"], max(million["rock"], million["hard rock"])),
        ("pop", "pop"): _agree(magna["pop"], million["pop"]),
        ("country", "folk"): _agree(magna["country"], million["country"]),
        ("folk", "folk"): 0.75 * (million["folk"] + 0.5 * million["acoustic"]),
        ("jazz", "jazz"): 0.7 * million["jazz"] * (1.0 - magna["classical"]),
        ("blues", "jazz"): 0.7 * million["blues"] * strummed * (1.0 - magna["classical"]),
        ("soul", "pop"): 0.7 * max(million["soul"], million["rnb"]),
        ("funk", "pop"): 0.7 * million["funk"],
        ("hip-hop", "pop"): 0.7 * million["Hip-Hop"],
        ("punk rock", "rock"): 0.7 * million["punk"],
        ("Indian", "world"): magna["indian"] if _sitar(magna) else 0.0,
    }
    (genre, family), score = max(scores.items(), key=lambda item: item[1])
    if score < _GENRE_HEDGED:
        return Genre("", "other", False)
    sure = score >= _GENRE_SURE
    return Genre(_finer(genre, sure, magna, million, heavy), family, sure)


def _finer(genre: str, sure: bool, magna: Tags, million: Tags, heavy: float) -> str:
    """Return a more exact name for the genre, where the tags allow one."""
    if genre == "rock" and heavy >= 0.15:
        return "hard rock"
    if genre == "classical" and magna["strings"] >= 0.3 and magna["harpsichord"] < 0.3:
        return "orchestral"
    if genre != "electronic" or not sure:
        return genre
    if _agree(magna["dance"], million["dance"]) >= 0.25:
        return "electronic dance"
    if magna["techno"] >= 0.5 and max(million["dance"], million["House"]) >= 0.1:
        return "techno"
    return "ambient electronic" if million["ambient"] >= 0.25 else genre


def find_instruments(magna: Tags, million: Tags, genre: Genre) -> tuple[str, ...]:
    """Return the instruments that may be named, strongest first."""
    heavy = genre.name in {"metal", "hard rock"}
    scores = {}
    for tag, count in _COUNTS.items():
        fit = 1.0
        if genre.family in _FITTING:
            fit = _FIT if tag in _FITTING[genre.family] else _MISFIT
        scores[tag] = fit * magna[tag] / math.sqrt(count / _CLIPS)
    found = sorted(
        (tag for tag in scores if scores[tag] >= _INSTRUMENT_SURE), key=lambda tag: -scores[tag]
    )
    # An ensemble of strings includes its violins; a lone violin is no ensemble.
    if "strings" in found and ("violin" in found or "cello" in found):
        lone = genre.family == "folk" and magna["violin"] >= magna["strings"]
        dropped = {"strings"} if lone else {"violin", "cello"}
        found = [tag for tag in found if tag not in dropped]
    if "sitar" in found and not _sitar(magna):
        found.remove("sitar")
    # There is no metal without guitars; where all is loud, the networks stop naming them.
    if heavy:
        found = ["guitar", *(tag for tag in found if tag != "guitar")]
    return tuple(_named(tag, magna, million, genre) for tag in found[:_MAX_INSTRUMENTS])


def _named(tag: str, magna: Tags, million: Tags, genre: Genre) -> str:
    if tag == "guitar":
        if genre.family == "rock":
            return "distorted electric guitars" if genre.name == "metal" else "electric guitars"
        acoustic = million["acoustic"] >= 0.12 or (genre.family == "folk" and magna["rock"] < 0.15)
        return "acoustic guitar" if acoustic else "guitar"
    if tag == "drums" and genre.family == "percussion" and magna["indian"] >= 0.2:
        return "hand drums"
    return {"synth": "synthesizers"}.get(tag, tag)


def find_voice(magna: Tags, million: Tags, family: str) -> Voice:
    """Return who sings, "instrumental" for nobody, empty where it is not known."""
    female = max(magna[tag] for tag in ("female", "woman", "female vocal", "female voice"))
    male = max(magna[tag] for tag in ("male", "man", "male vocal", "male voice"))
    sung = max(magna[tag] for tag in ("vocal", "vocals", "singing", "voice"))
    if max(magna["choir"], magna["choral"]) >= 0.3:
        return "choir"
    if female >= 0.3 or (female >= 0.15 and million["female vocalists"] >= 0.2):
        return "female" if female >= male else "male"
    if male >= 0.25:
        return "male"
    if magna["opera"] >= 0.4:
        return "opera"
    if sung >= 0.3:
        return "vocals"
    silent = max(magna[tag] for tag in ("no vocals", "no vocal", "no voice"))
    wordless = family in {"classical", "electronic", "ambient", "percussion"}
    likely = silent >= 0.06 or million["instrumental"] >= 0.1
    doubtful = family in {"rock", "pop"} or max(sung, female, male, magna["opera"]) >= 0.15
    return "instrumental" if (wordless or likely) and not doubtful else ""


def find_mood(million: Tags, energy: Energy, mode: str) -> str:
    """Return the mood tag that stands out most and suits what was measured, or nothing."""
    scores = {
        tag: million[tag] / math.sqrt(prior)
        for tag, prior in _MSD_PRIORS.items()
        if energy not in _UNSUITED[tag] and mode not in _UNSUITED[tag]
    }
    best = max(scores, key=lambda tag: scores[tag])
    return best if scores[best] >= _MOOD_SURE else ""
