"""Mean and scatter of a set of embeddings, in one pass, in float64, mergeable.

Chan, Golub and LeVeque 1983: two sets' counts, means and scatters give those of their union, so a
set of any size is seen batch by batch and no sum of squares cancels. As long as a set has fewer
embeddings than dimensions its scatter is kept as a factor F with F^T F the scatter: smaller, and
exact where a covariance matrix of that rank would be mostly rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_ENOUGH: Final = 1_024  # embeddings that are gathered before they are merged


@dataclass(frozen=True)
class Statistics:
    """What a Gaussian needs to know of a set of embeddings.

    Attributes:
        count: how many embeddings.
        mean: theirs, shape (d,).
        factor: F of shape (r, d), r at most d, with F^T F the scatter; None where `scatter` is
            kept.
        scatter: sum of (x - mean)(x - mean)^T, shape (d, d); None where `factor` is kept.
    """

    count: int
    mean: Floats
    factor: Floats | None
    scatter: Floats | None

    @classmethod
    def of(cls, embeddings: ArrayLike) -> Statistics:
        """Return the statistics of embeddings of shape (n, d), n at least 1.

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        rows = np.asarray(embeddings, np.float64)
        if rows.ndim != 2 or not rows.size:
            raise ValueError(f"embeddings of shape {rows.shape}: expected (n, d), n at least 1")
        if not np.isfinite(rows).all():
            raise ValueError("embeddings with numbers that are not finite")
        mean = rows.mean(axis=0)
        return _made(len(rows), mean, rows - mean)

    @property
    def dimension(self) -> int:
        """How many numbers an embedding has."""
        return len(self.mean)

    @property
    def covariance(self) -> Floats:
        """The unbiased covariance, shape (d, d).

        Raises:
            ValueError: of a single embedding there is none.
        """
        made: Floats = self._whole_scatter() / self._freedom
        return made

    @property
    def total_variance(self) -> float:
        """The trace of the covariance."""
        if self.factor is not None:
            return float(np.square(self.factor).sum()) / self._freedom
        return float(np.trace(self._whole_scatter())) / self._freedom

    @property
    def rank_bound(self) -> int:
        """What the covariance's rank cannot exceed: n - 1, or d."""
        return min(self.count - 1, self.dimension)

    def unit_factor(self) -> Floats | None:
        """Return R of shape (r, d) with R^T R the covariance, where the factor is kept."""
        if self.factor is None:
            return None
        made: Floats = self.factor / np.sqrt(self._freedom)
        return made

    def merge(self, other: Statistics) -> Statistics:
        """Return the statistics of both sets together."""
        return combine((self, other))

    @property
    def _freedom(self) -> int:
        if self.count < 2:
            raise ValueError("one embedding has no covariance: two or more are needed")
        return self.count - 1

    def _whole_scatter(self) -> Floats:
        if self.scatter is not None:
            return self.scatter
        if self.factor is None:
            raise ValueError("statistics hold a factor or a scatter")
        made: Floats = self.factor.T @ self.factor
        return made


def combine(parts: Sequence[Statistics], weights: Sequence[int] | None = None) -> Statistics:
    """Return the statistics of the parts' union, each taken as often as its weight says.

    Args:
        parts: of one dimension, one or more.
        weights: non-negative, one a part, not all zero; 1 each if None. They make a bootstrap's
            resample out of the statistics of its items.

    Raises:
        ValueError: nothing is left to combine, or the dimensions differ.
    """
    times = [1] * len(parts) if weights is None else [int(weight) for weight in weights]
    taken = [(part, often) for part, often in zip(parts, times, strict=True) if often > 0]
    if not taken:
        raise ValueError("no statistics to combine")
    if len({part.dimension for part, _ in taken}) > 1:
        raise ValueError("statistics of embeddings of different dimensions")
    counts = np.array([part.count * often for part, often in taken], np.float64)
    means = np.stack([part.mean for part, _ in taken])
    mean = counts @ means / counts.sum()
    between = np.sqrt(counts)[:, None] * (means - mean)
    factors = [
        np.sqrt(float(often)) * part.factor for part, often in taken if part.factor is not None
    ]
    scatters = [(part.scatter, often) for part, often in taken if part.scatter is not None]
    rows = np.concatenate([*factors, between])
    if not scatters:
        return _made(int(counts.sum()), mean, rows)
    scatter = rows.T @ rows
    for part, often in scatters:
        scatter += part * float(often)
    return Statistics(int(counts.sum()), mean, None, scatter)


def accumulate(clips: Iterable[ArrayLike]) -> Statistics:
    """Return the statistics of all clips' embeddings, holding those of a few clips at a time.

    Args:
        clips: embeddings of shape (n, d) each; one clip or more.

    Raises:
        ValueError: there is none, or embeddings are not finite or of different dimensions.
    """
    parts: list[Statistics] = []
    for clip in clips:
        parts.append(Statistics.of(clip))
        if sum(part.count for part in parts[1:]) > max(_ENOUGH, parts[0].dimension):
            parts = [combine(parts)]
    return combine(parts)


def at_random(
    first: Sequence[ArrayLike],
    second: Sequence[ArrayLike],
    most: int,
    random: np.random.Generator,
) -> tuple[list[Statistics], list[Statistics]]:
    """Return both sets' statistics in blocks of pairs, the same pairs on both sides.

    Args:
        first: a clip's embeddings a pair, shape (n, d).
        second: those of its counterpart.
        most: how many blocks are made at most; with fewer pairs it is one a pair.
        random: which pairs are in a block together.
    """
    blocks = np.array_split(random.permutation(len(first)), min(len(first), most))
    made = [
        [accumulate(clips[int(row)] for row in rows) for rows in blocks]
        for clips in (first, second)
    ]
    return made[0], made[1]


def _made(count: int, mean: Floats, rows: Floats) -> Statistics:
    """Return statistics whose scatter is rows^T rows, in the smaller form."""
    if len(rows) <= len(mean):
        return Statistics(count, mean, rows, None)
    return Statistics(count, mean, None, rows.T @ rows)
