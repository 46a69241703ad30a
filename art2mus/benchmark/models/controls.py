"""Controls: what metrics make of the truth, of the wrong music, and of none at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.models.base import NoSettings, Sound, Task, sound_of
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.data import Media, Pair

SAMPLE_RATE: Final = 16_000
_NOISE_RMS: Final = 0.1  # -20 dB of full scale
_TRIES: Final = 64


class _Control:
    """What controls share: nothing to set and nothing to load."""

    settings_class = NoSettings

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def open(self, task: Task) -> Mapping[str, Any]:
        """Return nothing: nothing shapes it but the release."""
        return {}

    def about(self) -> Mapping[str, Any]:
        """Say that it is a control."""
        return {"control": True}

    def load(self) -> None:
        """Load nothing."""


class GroundTruth(_Control):
    """The pair's own music, from its beginning."""

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Return the beginning of each pair's own music."""
        return [_beginning(item, seconds) for item in items]


class Shuffled(_Control):
    """Another pair's music of the same split, by a seeded derangement."""

    def open(self, task: Task) -> Mapping[str, Any]:
        """Draw whose music each pair gets.

        Raises:
            UsageError: the split has one pair only.
        """
        self._task = task
        pairs = list(task.release.pairs(task.split))
        if len(pairs) < 2:
            raise UsageError(
                f"shuffled needs two pairs or more, and {task.release.name} {task.split} has"
                f" {len(pairs)}: choose another split"
            )
        self.order = derangement(pairs, task.seed)
        return {"split": task.split}

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Return the beginning of another pair's music for each."""
        wanted = [int(self.order[item.row]) for item in items]
        reading = self._task.release.media(self._task.split, sorted(set(wanted)))
        found = {other.row: _beginning(other, seconds) for other in reading}
        return [found[row] for row in wanted]


class Silence(_Control):
    """Digital silence."""

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Return zeros."""
        zeros = np.zeros((1, round(seconds * SAMPLE_RATE)), np.float32)
        return [Sound(zeros, SAMPLE_RATE) for _ in items]


class Noise(_Control):
    """White Gaussian noise."""

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Return noise of each seed, clipped at full scale (ten deviations)."""
        size = (1, round(seconds * SAMPLE_RATE))
        drawn = (np.random.default_rng(seed).normal(0.0, _NOISE_RMS, size) for seed in seeds)
        return [Sound(np.clip(one, -1, 1).astype(np.float32), SAMPLE_RATE) for one in drawn]


def derangement(pairs: Sequence[Pair], seed: int) -> NDArray[np.int64]:
    """Return whose music each pair gets: a random cycle through all pairs, never its own.

    Sattolo 1986. Pairs may share an artwork or a track; of several cycles the one is taken in
    which the fewest get music of their own artwork or their own track again.

    Args:
        pairs: two or more.
        seed: of the choice.
    """
    random = np.random.default_rng(seed)
    artworks = np.array([pair.artwork_id or pair.pair_id for pair in pairs])
    tracks = np.array([pair.pair_id if pair.track_id < 0 else str(pair.track_id) for pair in pairs])
    best, fewest = np.empty(0, np.int64), len(pairs) + 1
    for _ in range(_TRIES):
        cycle = random.permutation(len(pairs))
        order = np.empty(len(pairs), np.int64)
        order[cycle] = np.roll(cycle, -1)
        clashes = int(((artworks == artworks[order]) | (tracks == tracks[order])).sum())
        if clashes < fewest:
            best, fewest = order, clashes
        if not fewest:
            break
    return best


def _beginning(item: Media, seconds: float) -> Sound:
    samples, rate = item.audio()
    where = f"{item.where}: the music of {item.pair.pair_id}"
    notes = {"music_of": item.pair.pair_id}
    return sound_of(samples[:, : round(seconds * rate)], rate, where, notes)
