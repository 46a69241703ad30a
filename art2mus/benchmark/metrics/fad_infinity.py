"""FAD-infinity: what the Frechet audio distance tends to as the set grows.

Gui et al. 2024, "Adapting Frechet Audio Distance for Generative Music Evaluation" (arXiv
2311.01616), after Chong and Forsyth 2020 (arXiv 1911.07023): the distance of n frames is biased by
about c / n, so distances at several n are fitted by a line over 1 / n, whose intercept is the
value. As microsoft/fadtk's `score_inf`: 25 sizes evenly from 500 frames (here from half of them
where there are fewer than 1000) to all, each drawn with replacement; the reference stays whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.bootstrap import statistic_interval
from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric, undefined
from art2mus.benchmark.metrics.frechet import frechet
from art2mus.benchmark.metrics.sampling import at_most
from art2mus.benchmark.statistics import Statistics, combine

_STEPS: Final = 25
_SMALLEST: Final = 500
_FEWEST: Final = 20
_MOST: Final = 50_000
_REPLICATES: Final = 40


class Extrapolation(NamedTuple):
    """The line through the distances.

    Attributes:
        value: at infinitely many frames; negative where the set is too small to tell.
        slope: of the distance over 1 / n.
        r2: the share of the distances' variance that the line explains.
    """

    value: float
    slope: float
    r2: float


def fad_infinity(
    generated: Floats,
    reference: Statistics,
    random: np.random.Generator,
    steps: int = _STEPS,
    smallest: int | None = None,
) -> Extrapolation:
    """Extrapolate the Frechet distance.

    Args:
        generated: embeddings of shape (n, d).
        reference: the other set's statistics.
        random: which embeddings each size takes.
        steps: how many sizes.
        smallest: the first of them; 500, or n // 2 if that is less, where it is None.
    """
    first = min(_SMALLEST, len(generated) // 2) if smallest is None else smallest
    sizes = np.linspace(first, len(generated), steps).astype(int)
    found = np.array(
        [
            frechet(
                Statistics.of(generated[random.integers(0, len(generated), size)]), reference
            ).value
            for size in sizes
        ]
    )
    slope, value = np.polyfit(1.0 / sizes, found, 1)
    rest = np.square(found - (slope / sizes + value)).sum()
    spread = np.square(found - found.mean()).sum()
    return Extrapolation(float(value), float(slope), float(1.0 - rest / spread) if spread else 1.0)


def measure(
    generated: Sequence[Array], reference: Sequence[Array], random: np.random.Generator
) -> Measurement:
    """Measure; both hold a clip's frames each, shape (frames, d)."""
    rows, owners = at_most(generated, _MOST, random)
    whole = combine([Statistics.of(clip) for clip in reference])
    if len(rows) < _FEWEST or whole.count < 2:
        return undefined(f"{len(rows)} frames are too few to extrapolate from", frames=len(rows))
    found = fad_infinity(rows, whole, random)
    details = {"slope": found.slope, "r2": found.r2, "frames": len(rows)}
    if found.value < 0:
        return undefined(f"the set is too small: it extrapolates to {found.value:.4g}", **details)

    def resampled(times: NDArray[np.int64]) -> float:
        taken = rows[np.repeat(np.arange(len(rows)), times[owners])]
        return fad_infinity(taken, whole, random).value if len(taken) >= _FEWEST else float("nan")

    replicates = _REPLICATES if whole.dimension <= 512 else 0
    interval = statistic_interval(found.value, resampled, len(generated), random, replicates)
    return Measurement(found.value, interval, None, {**details, "replicates": replicates})


FAD_INFINITY: Final = Metric(
    name="fad-infinity",
    version="1",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=measure,
    summary="the Frechet audio distance extrapolated to infinitely many clips",
    caveat="a straight line over 1 / n is assumed (see r2); the reference set is taken as it is,"
    " by the interval too",
)
