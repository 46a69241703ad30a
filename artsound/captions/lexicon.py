"""The music words whose use a fused caption must be able to justify.

One line a concept, first the concept's name, then the words that say the same. A fused caption
that names a concept which no segment caption names claims something that nobody heard. Words that
are common in other senses ("band", "beat", "key", "record") are left out on purpose.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

INSTRUMENTS: Final = """
piano, pianist
electric piano, rhodes
keyboard
organ
accordion
harpsichord
guitar, guitarist
electric guitar
acoustic guitar
bass, bassist, bassline
ukulele
banjo
mandolin
sitar
harp
lute
violin, violinist, fiddle
viola
cello, cellist
strings, string section, string quartet
orchestra, orchestral
flute, flutist
clarinet
oboe
bassoon
saxophone, sax, saxophonist
trumpet, trumpeter
trombone
tuba
horn
brass
woodwind
harmonica
bagpipe
drum, drummer, drumming, drum kit
drum machine
percussion, percussive
cymbal
hi hat
tambourine
conga
bongo
tabla
bell
xylophone
marimba
vibraphone
synthesizer, synthesiser, synth
turntable, scratching
"""

VOICES: Final = """
voice, vocal, vocalist, singer, singing, sung, sing
choir, choral, chorus
female, woman, girl
male, man, boy
rapper, rapping
spoken, speech
"""

GENRES: Final = """
ambient
blues, bluesy
classical
country
dance
disco
drone
dub
dubstep
drum and bass
electronic, electronica
experimental
folk, folky
funk, funky
gospel
hip hop, rap
house
indie
industrial
jazz, jazzy
latin
lo fi
metal
new age
noise
opera, operatic
pop
punk
reggae
rock
soul, soulful
swing
techno
trance
trip hop
"""

TEMPI: Final = """
slow, slowly
moderate, mid tempo, medium tempo
fast, quick, rapid, brisk
"""


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    lines = "\n".join((INSTRUMENTS, VOICES, GENRES, TEMPI)).split("\n")
    concepts = [[term.strip() for term in line.split(",")] for line in lines if line.strip()]
    return tuple(
        (terms[0], re.compile(rf"\b(?:{'|'.join(map(re.escape, terms))})(?:e?s)?\b"))
        for terms in concepts
    )


_KEY: Final = re.compile(r"\b([A-G])(?:\s*(#|b|♯|♭)|[\s-]+(sharp|flat))?\s+(major|minor)\b")
_ACCIDENTALS: Final = {"#": "sharp", "♯": "sharp", "b": "flat", "♭": "flat"}
_BPM: Final = re.compile(r"\b(\d+(?:\.\d+)?)\s*(?:bpm|beats per minute)\b", re.IGNORECASE)


def concepts(text: str) -> set[str]:
    """Return the instruments, voices, genres and tempo words that a text names, as concepts."""
    plain = re.sub(r"[-\u2010-\u2015]", " ", text.lower())
    return {name for name, pattern in _patterns() if pattern.search(plain)}


def keys(text: str) -> set[str]:
    """Return the musical keys that a text names, as in `F sharp minor`."""
    found = set()
    for tonic, sign, word, mode in _KEY.findall(text):
        accidental = _ACCIDENTALS.get(sign, word)
        found.add(" ".join(part for part in (tonic, accidental, mode) if part))
    return found


def tempi(text: str) -> list[float]:
    """Return the tempi that a text names, in beats a minute."""
    return [float(number) for number in _BPM.findall(text)]
