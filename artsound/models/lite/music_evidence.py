"""What may be claimed about a music segment: tags and measurements, weighed against each other.

Contradictions (vocal and no vocal, slow and fast, loud and quiet) are settled here, once, so that
the sentences cannot disagree with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from artsound.models.base import FloatArray
from artsound.models.lite import music_tags
from artsound.models.lite.music_features import Key, MusicFeatures
from artsound.models.lite.music_tags import Energy, Genre, Tags, Voice
from artsound.models.lite.musicnn import MSD_LABELS, MTT_LABELS

Pace = Literal["slow", "moderate", "brisk", "fast", ""]
Level = Literal["soft", "medium", "loud"]

_PULSE_SURE: Final = 0.4
_KEY_CORRELATION: Final = 0.7
_KEY_MARGIN: Final = 0.05


@dataclass(frozen=True)
class Evidence:
    """What is known of a segment, without contradictions.

    Attributes:
        genre: the genre, its name empty where none is likely.
        instruments: the names that may be claimed, strongest first.
        voice: who sings, "instrumental" for nobody, empty where it is not known.
        pace: how fast, or empty where it is not known.
        tempo_bpm: beats a minute, rounded, or None where the pulse is weak.
        free: whether there is no pulse at all.
        steady: whether the pulse is strong.
        key: the key's name, or None where it is doubtful.
        mode: "major", "minor" or empty where it is doubtful.
        level: how loud.
        energy: how much is going on.
        mood: a Million Song tag that speaks of mood, or empty.
        tone: "dark", "warm", "balanced" or "bright".
        texture: "smooth", "percussive" or empty.
        contrasts: whether loud and quiet passages alternate.
    """

    genre: Genre
    instruments: tuple[str, ...]
    voice: Voice
    pace: Pace
    tempo_bpm: int | None
    free: bool
    steady: bool
    key: str | None
    mode: str
    level: Level
    energy: Energy
    mood: str
    tone: str
    texture: str
    contrasts: bool


def weigh(mtt: FloatArray, msd: FloatArray, features: MusicFeatures) -> Evidence:
    """Decide what may be claimed of a segment that is not silent.

    Args:
        mtt: MagnaTagATune probabilities, shape (50,).
        msd: Million Song probabilities, shape (50,).
        features: the segment's measurements.
    """
    # Rounded, so that the last bits of a float never decide about a word.
    magna = {tag: round(float(p), 3) for tag, p in zip(MTT_LABELS, mtt, strict=True)}
    million = {tag: round(float(p), 3) for tag, p in zip(MSD_LABELS, msd, strict=True)}
    genre = music_tags.find_genre(magna, million, features.percussive)
    tempo = _tempo(magna, features)
    pace = _pace(magna, tempo)
    level = _level(magna, features)
    energy = _energy(magna, features, pace, level)
    key = None if genre.family == "percussion" else _key(features)
    mode = "" if key is None else "minor" if key.minor else "major"
    return Evidence(
        genre=genre,
        instruments=music_tags.find_instruments(magna, million, genre),
        voice=music_tags.find_voice(magna, million, genre.family),
        pace=pace,
        tempo_bpm=tempo,
        free=features.pulse < 0.15 and genre.family in {"classical", "ambient"},
        steady=features.pulse >= 0.65,
        key=None if key is None else key.name,
        mode=mode,
        level=level,
        energy=energy,
        mood=music_tags.find_mood(million, energy, mode),
        tone=_tone(features.centroid_hz),
        texture=_texture(features),
        contrasts=features.dynamic_range_db >= 14.0,
    )


def _key(features: MusicFeatures) -> Key | None:
    key = features.key
    if key is None or key.correlation < _KEY_CORRELATION or key.margin < _KEY_MARGIN:
        return None
    return key


def _tempo(magna: Tags, features: MusicFeatures) -> int | None:
    """Return beats a minute, moved by an octave where the tags and the onsets say so."""
    tempo = features.tempo_bpm
    if features.pulse < _PULSE_SURE:
        return None
    if magna["slow"] >= 0.2 and tempo >= 100.0 and features.pulse < 0.6:
        return None
    if tempo < 76.0 and magna["fast"] > 0.2 and magna["slow"] < 0.1:
        tempo *= 2.0
    elif tempo > 155.0 and magna["fast"] < 0.25 and features.onsets_per_s < 6.0:
        tempo /= 2.0
    return round(tempo)


def _pace(magna: Tags, tempo: int | None) -> Pace:
    slow = magna["slow"] >= 0.2 and magna["slow"] > 2.0 * magna["fast"]
    fast = magna["fast"] >= 0.25 and magna["fast"] > 2.0 * magna["slow"]
    if tempo is None:
        return "slow" if slow else "fast" if fast else ""
    pace: Pace = (
        "slow" if tempo < 76 else "moderate" if tempo < 110 else "brisk" if tempo < 132 else "fast"
    )
    against = (slow and tempo >= 100) or (fast and tempo < 120)
    return "" if against else pace


def _level(magna: Tags, features: MusicFeatures) -> Level:
    hushed = max(magna["quiet"], magna["soft"])
    if features.rms_dbfs < -26.0 or (features.rms_dbfs < -20.0 and hushed >= 0.2):
        return "soft"
    if features.rms_dbfs > -13.0 and hushed < 0.15:
        return "loud"
    return "medium"


def _energy(magna: Tags, features: MusicFeatures, pace: Pace, level: Level) -> Energy:
    score = {"soft": -0.5, "medium": 0.0, "loud": 0.5}[level]
    score += {"slow": -0.5, "moderate": -0.1, "brisk": 0.2, "fast": 0.5, "": 0.0}[pace]
    score += magna["fast"] + magna["loud"] + 0.5 * magna["beat"]
    score -= magna["slow"] + magna["quiet"] + magna["soft"] + magna["ambient"]
    score += 0.6 * (features.pulse - 0.4) + 1.2 * (features.percussive - 0.15)
    score = round(score, 2)
    if score >= 0.6:
        return "high" if level != "soft" and pace != "slow" else "medium"
    return "low" if score <= -0.25 and pace not in {"brisk", "fast"} else "medium"


def _tone(centroid_hz: float) -> str:
    if centroid_hz < 1000.0:
        return "dark"
    if centroid_hz < 1350.0:
        return "warm"
    return "bright" if centroid_hz >= 1800.0 else "balanced"


def _texture(features: MusicFeatures) -> str:
    if features.percussive >= 0.28:
        return "percussive"
    return "smooth" if features.percussive <= 0.08 else ""
