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
        samples: a NumPy array or a tensor of shape (samples,) or (channels, samples).
        sample_rate: in Hz.
        where: which model and pair, for errors.
        notes: see `Sound`.

    Raises:
        ArtsoundError: it is no sound of a second or more, or some samples are not finite.
    """
    if hasattr(samples, "detach"):
        samples = samples.detach().cpu().float()
    try:
        made = np.atleast_2d(np.asarray(samples, np.float32))
    except (TypeError, ValueError) as error:
        raise ArtsoundError(
            f"{where} is no sound ({error}): return an array of samples for each image"
        ) from error
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
    return Sound(np.ascontiguousarray(made), sample_rate, notes or {})


def public_name(checkpoint: str) -> str:
    """Return what a checkpoint is called in results: a repository, or a folder without its path."""
    return Path(checkpoint).name if Path(checkpoint).exists() else checkpoint
