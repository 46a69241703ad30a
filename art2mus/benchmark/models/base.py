"""What the benchmark asks of a generating model, and what it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from art2mus.benchmark.clips import SHORTEST_S
from artsound.errors import ArtsoundError

if TYPE_CHECKING:
    from art2mus.data import Media, Release

Precision = Literal["auto", "float32", "bfloat16"]

_MOST_CHANNELS: Final = 8
# Models overshoot full scale by some decibels; beyond this, samples were not scaled to it.
_LOUDEST: Final = 8.0
# What integers of WAV files are called in NumPy: their middle and their full scale.
_PCM: Final[Mapping[str, tuple[float, float]]] = {
    "uint8": (128.0, 128.0),
    "int16": (0.0, 2.0**15),
    "int32": (0.0, 2.0**31),
}


class Settings(BaseModel):
    """A model's settings, `--set key=value`; each adapter has its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoSettings(Settings):
    """Of a model that has none."""


@dataclass(frozen=True)
class Task:
    """What music is generated for.

    Attributes:
        release: the dataset.
        split: of it.
        seconds: how long each piece is to be.
        seed: of the run; each pair's own is derived from it.
        device: where models compute: `cpu` or `cuda`.
        cache: where replies of chat models are kept.
    """

    release: Release
    split: str
    seconds: float
    seed: int
    device: str
    cache: Path


@dataclass(frozen=True)
class Sound:
    """What a model made.

    Attributes:
        samples: float32, shape (channels, samples), full scale is 1.
        sample_rate: in Hz.
        notes: what is worth keeping beside it, such as the text that it was made from.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    notes: Mapping[str, Any] = field(default_factory=dict)


class Model(Protocol):
    """A generating model, or a control."""

    def open(self, task: Task) -> Mapping[str, Any]:
        """Check all that can be checked without loading weights.

        Returns:
            What shapes the music, JSON-able: music made with other values is not continued.

        Raises:
            ArtsoundError: something is missing or does not fit.
        """
        ...

    def about(self) -> Mapping[str, Any]:
        """Return what tables and readers want to know: `encoder`, `tokens`, `training_hours`..."""
        ...

    def load(self) -> None:
        """Load the weights."""
        ...

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Return a piece for each item; a pure function of the items and their seeds.

        Args:
            items: rows of the release, of which the model takes what it is made for.
            seconds: how long each piece is to be.
            seeds: one an item, from 0 to 2^31 - 1.
        """
        ...


def sound_of(
    samples: Any, sample_rate: int, where: str, notes: Mapping[str, Any] | None = None
) -> Sound:
    """Check what a model returned for one item.

    Args:
        samples: a NumPy array or a tensor of shape (samples,) or (channels, samples): floats with
            full scale 1, or uint8, int16 or int32 as WAV files hold them, which are brought to it.
        sample_rate: in Hz.
        where: which model and pair, for errors.
        notes: see `Sound`.

    Raises:
        ArtsoundError: it is no sound of a second or more, some samples are not finite, or they are
            of no such scale.
    """
    made = np.atleast_2d(_floats(samples, where))
    if made.ndim != 2 or not 1 <= made.shape[0] <= _MOST_CHANNELS:
        raise ArtsoundError(
            f"{where} has shape {np.shape(samples)}: return (samples,) or (channels, samples)"
        )
    if not np.isfinite(made).all():
        raise ArtsoundError(
            f"{where} has samples that are NaN or infinite: try another precision or seed"
        )
    if made.shape[1] < SHORTEST_S * sample_rate:
        raise ArtsoundError(
            f"{where} lasts {made.shape[1] / sample_rate:.2f} s: pieces of 1 s or more count"
        )
    peak = float(np.abs(made).max())
    if peak > _LOUDEST:
        raise ArtsoundError(
            f"{where} has a peak of {peak:.6g}, and full scale is 1: divide 16-bit samples by"
            " 32768, or return them as int16"
        )
    return Sound(np.ascontiguousarray(made), sample_rate, notes or {})


def _floats(samples: Any, where: str) -> NDArray[np.float32]:
    """Return samples as floats with full scale 1, of any shape."""
    if hasattr(samples, "detach"):
        samples = samples.detach().cpu()
        samples = samples.float() if samples.is_floating_point() else samples.numpy()
    try:
        given = np.asarray(samples)
        if given.dtype.kind not in "iubc":
            return np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise ArtsoundError(
            f"{where} is no sound ({error}): return an array of samples for each image"
        ) from error
    if given.dtype.name not in _PCM:
        raise ArtsoundError(
            f"{where} is of {given.dtype}, whose full scale nobody knows: return floats with full"
            " scale 1, or int16"
        )
    middle, full = _PCM[given.dtype.name]
    return ((given.astype(np.float64) - middle) / full).astype(np.float32)


def public_name(checkpoint: str) -> str:
    """Return what a checkpoint is called in results: a repository, or a folder without its path."""
    return Path(checkpoint).name if Path(checkpoint).exists() else checkpoint
