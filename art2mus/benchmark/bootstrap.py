"""Seeded bootstrap intervals over a benchmark's items.

Percentiles for a mean or a median of items (Efron 1979); for what only a set has, standard errors
by the bootstrap of m out of n (Bickel, Goetze and van Zwet 1997).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Interval = tuple[float, float]

REPLICATES: Final = 2000
_TIMES: Final = 256  # as many draws an item
_UPPER: Final = 0.975
_CHUNK: Final = 1 << 22


def generator(seed: int, name: str) -> np.random.Generator:
    """Return a metric's own random numbers, whichever other metrics are computed."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def mean_interval(
    values: Floats, random: np.random.Generator, replicates: int = REPLICATES
) -> Interval | None:
    """Return the 95 % percentile interval of the mean over items; None for fewer than two items."""
    return _percentiles(values, np.mean, random, replicates)


def median_interval(
    values: Floats, random: np.random.Generator, replicates: int = REPLICATES
) -> Interval | None:
    """Return the 95 % percentile interval of the median over items; None for fewer than two."""
    return _percentiles(values, np.median, random, replicates)


def statistic_interval(
    value: float,
    statistic: Callable[[NDArray[np.int64]], float],
    items: int,
    random: np.random.Generator,
    replicates: int,
    lowest: float = 0.0,
) -> Interval | None:
    """Return value -/+ 1.96 standard errors of a smooth statistic of the whole set.

    The bootstrap of m out of n with m = 256 n: items are drawn 256 n times, and the deviation found
    is multiplied by 16, the square root of 256. A resample of n would hold 63 % of the items only,
    some of them often: the Frechet distance of such a set is that of a smaller one, further off and
    wider spread. One of 256 n holds them all, in shares that vary by a sixteenth, and shows what
    each of them weighs. (For a median, which is not smooth, that is no estimate:
    `median_interval`.) Instead of 1.96 it is Student's value for the number of items or of
    resamples, whichever is less.

    What is covered is the value that sets of this size have on average; a statistic that is biased
    in small sets is so in its interval.

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
    drawn = (random.multinomial(_TIMES * items, chances) for _ in range(replicates))
    found = np.array([statistic(times) for times in drawn])
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return None
    error = float(np.sqrt(_TIMES) * found.std(ddof=1))
    half = float(stdtrit(min(items, len(found)) - 1, _UPPER)) * error
    return max(lowest, value - half), max(lowest, value + half)


def _percentiles(
    values: Floats,
    centre: Callable[..., Floats],
    random: np.random.Generator,
    replicates: int,
) -> Interval | None:
    if len(values) < 2:
        return None
    found: list[Floats] = []
    rows = max(1, _CHUNK // len(values))
    for start in range(0, replicates, rows):
        drawn = random.integers(0, len(values), (min(rows, replicates - start), len(values)))
        found.append(centre(values[drawn], axis=1))
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    return float(low), float(high)
