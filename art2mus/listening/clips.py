"""The test's clips: alike in rate, channels, length and loudness, only the music differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.clips import Clip, read_clip
from art2mus.listening.lufs import RATE, integrated_loudness
from art2mus.sampling.loudness import encode
from artsound.errors import UsageError

SUFFIXES: Final = (".wav", ".flac")
LOUDEST_LUFS: Final = -20.0  # what the clips are brought to, where their peaks allow it
QUIETEST_LUFS: Final = -30.0  # a clip whose peaks ask for less stays below the others
_PEAK: Final = 10 ** (-1.0 / 20)
_FADE: Final = RATE // 50  # samples at the end, lest the cut clicks


def predictions(folder: Path) -> dict[str, Path]:
    """Return a model's clips by the pairs they are for.

    Args:
        folder: with `{pair_id}.wav` or `{pair_id}.flac` files.

    Raises:
        UsageError: it is no folder, has none, or has two for one pair.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is no folder: --model takes NAME=DIR with {{pair_id}}.wav files"
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise UsageError(f"{path} and {found[path.stem].name} are for one pair: keep one")
        found[path.stem] = path
    if not found:
        raise UsageError(f"{folder} has no {{pair_id}}.wav or .flac files: sample a model into it")
    return found


class Bench:
    """Clips on their way to the page: decoded once, kept in files until all have been measured.

    Args:
        folder: a temporary one.
        seconds: the most of a clip that is heard.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self.seconds = seconds
        self._digest = hashlib.sha256()
        self._kept: dict[tuple[str, str], Path] = {}
        self._shortest: tuple[int, str] | None = None

    def add(self, key: tuple[str, str], clip: Clip, where: str) -> None:
        """Take a clip in.

        Args:
            key: of its model and its pair.
            clip: its beginning.
            where: what it is, for people.
        """
        self._digest.update("\0".join(key).encode())
        self._digest.update(hashlib.sha256(clip.mono.tobytes()).digest())
        samples = clip.at(RATE)[: round(self.seconds * RATE)]
        if self._shortest is None or len(samples) < self._shortest[0]:
            self._shortest = len(samples), where
        path = self._folder / f"{len(self._kept)}.npy"
        np.save(path, samples)
        self._kept[key] = path

    def add_file(self, key: tuple[str, str], path: Path) -> None:
        """Take a file in.

        Raises:
            ClipError: it cannot be decoded, is shorter than 1 s or not finite; names it.
        """
        self.add(key, read_clip(path, self.seconds), str(path))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the clips as they came and whose they are; the page does not tell it."""
        return self._digest.digest()

    @property
    def shortest(self) -> tuple[float, str]:
        """Seconds of the shortest clip, which all are cut to, and what it is."""
        if self._shortest is None:
            raise ValueError("no clip was added")
        return self._shortest[0] / RATE, self._shortest[1]

    def levelled(self) -> tuple[float, Iterator[Levelled]]:
        """Bring all clips to one loudness.

        That is -20 LUFS, or less where a clip's peak would pass -1 dB below full scale there: then
        all are as loud as that clip can be. Below -30 LUFS, such a clip is left behind instead.

        Returns:
            The loudness in LUFS, and the clips in the order they were added.
        """
        measured = {key: _measure(self._cut(path)) for key, path in self._kept.items()}
        ceilings = (one.ceiling for one in measured.values() if one.ceiling is not None)
        target = max(QUIETEST_LUFS, min([LOUDEST_LUFS, *ceilings]))
        return target, self._encoded(measured.items(), target)

    def _encoded(
        self, measured: Iterable[tuple[tuple[str, str], Measured]], target: float
    ) -> Iterator[Levelled]:
        for key, one in measured:
            loudness = None
            gain = 1.0
            if one.loudness is not None and one.ceiling is not None:
                loudness = min(target, one.ceiling)
                gain = 10 ** ((loudness - one.loudness) / 20)
            samples = (self._cut(self._kept[key]) * gain).astype(np.float32)
            yield Levelled(*key, encode(samples, RATE, "flac").data, one.loudness, loudness)

    def _cut(self, path: Path) -> NDArray[np.float32]:
        samples: NDArray[np.float32] = np.load(path)[: round(self.shortest[0] * RATE)]
        samples[-_FADE:] *= np.linspace(1, 0, _FADE, dtype=np.float32)
        return samples


@dataclass(frozen=True)
class Measured:
    """How loud a clip is.

    Attributes:
        loudness: in LUFS; None for silence.
        ceiling: the loudness at which its peak is 1 dB below full scale; None for silence.
    """

    loudness: float | None
    ceiling: float | None


def _measure(samples: NDArray[np.float32]) -> Measured:
    loudness = integrated_loudness(samples)
    if loudness is None:
        return Measured(None, None)
    return Measured(loudness, loudness + 20 * float(np.log10(_PEAK / np.abs(samples).max())))


@dataclass(frozen=True)
class Levelled:
    """A clip as it is heard.

    Attributes:
        model: whose it is.
        pair_id: what it is for.
        data: a FLAC file: mono, 48 kHz, 16 bits.
        was_lufs: how loud it was; None for silence.
        lufs: how loud it is now.
    """

    model: str
    pair_id: str
    data: bytes
    was_lufs: float | None
    lufs: float | None
