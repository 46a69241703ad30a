"""Seeded bootstrap intervals over a benchmark's items (Efron 1979)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

REPLICATES: Final = 2000
_NORMAL: Final = 1.959963984540054  # of a normal distribution 95 % lie within so many deviations
_CHUNK: Final = 1 << 22


def generator(seed: int, name: str) -> np.random.Generator:
    """Return a metric's own random numbers, whichever other metrics are computed."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def mean_interval(
    values: Floats, random: np.random.Generator, replicates: int = REPLICATES
) -> Interval | None:
    """Return the 95 % percentile interval of the mean over items; None for fewer than two items."""
    if len(values) < 2:
        return None
    means: list[Floats] = []
    rows = max(1, _CHUNK // len(values))
    for start in range(0, replicates, rows):
        drawn = random.integers(0, len(values), (min(rows, replicates - start), len(values)))
        means.append(values[drawn].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def statistic_interval(
    value: float,
    statistic: Callable[[NDArray[np.int64]], float],
    items: int,
    random: np.random.Generator,
    replicates: int,
    lowest: float = 0.0,
) -> Interval | None:
    """Return value -/+ 1.96 bootstrap standard errors of a statistic of the whole set.

    Not the percentiles: a resample holds fewer distinct items than the set (63 % of them), and
    what is biased in small sets, as the Frechet distance is, would lie above the value itself.

    Args:
        value: of the set itself.
        statistic: maps how often each item is taken, shape (items,), to its value; NaN where it is
            undefined.
        items: how many there are.
        random: the source of the resamples.
        replicates: how many resamples.
        lowest: what the statistic cannot be below.

    Returns:
        The interval; None for fewer than two items, or where resamples leave nothing to measure.
    """
    if items < 2:
        return None
    chances = np.full(items, 1.0 / items)
    found = np.array([statistic(random.multinomial(items, chances)) for _ in range(replicates)])
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return None
    half = _NORMAL * float(found.std(ddof=1))
    return max(lowest, value - half), value + half
