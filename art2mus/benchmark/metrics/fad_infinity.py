"""FAD-infinity: what the Frechet audio distance tends to as the set grows.

The distance of n clips is biased by about c / n. As Gui et al. 2024, "Adapting Frechet Audio
Distance for Generative Music Evaluation" (arXiv 2311.01616), after Chong and Forsyth 2020 (arXiv
1911.07023), distances at several n are fitted by a line over 1 / n, whose intercept is the value.

Two things differ from microsoft/fadtk's `score_inf`, which draws frames with replacement and keeps
the reference whole. Drawn with replacement from a set, more and more frames tend to that set, with
its bias, and not to what it was drawn from: here clips are drawn without replacement. And the
reference, of as many clips, is biased as much: here both sides grow, by the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.bootstrap import statistic_interval
from art2mus.benchmark.metrics.base import Array, Measurement, Metric, undefined
from art2mus.benchmark.metrics.frechet import BLOCKS, frechet
from art2mus.benchmark.statistics import Statistics, at_random, combine

_STEPS: Final = 9
_FEWEST: Final = 4  # blocks
_REPLICATES: Final = ((256, 100), (1024, 40), (1 << 62, 20))  # by the dimension


class Extrapolation(NamedTuple):
    """The line through the distances.

    Attributes:
        value: at infinitely many clips; below zero where chance has it so.
        slope: of the distance over the reciprocal of the share of the clips.
        r2: the share of the distances' variance that the line explains.
    """

    value: float
    slope: float
    r2: float


def draws(blocks: int, random: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return which blocks each size takes, without replacement: from half of them to all."""
    sizes = np.unique(np.linspace((blocks + 1) // 2, blocks, _STEPS).round().astype(int))
    return [np.sort(random.permutation(blocks)[:size]) for size in sizes]


def fad_infinity(
    generated: Sequence[Statistics],
    reference: Sequence[Statistics],
    drawn: Sequence[NDArray[np.int64]],
    times: NDArray[np.int64] | None = None,
) -> Extrapolation:
    """Extrapolate the Frechet distance.

    Args:
        generated: the statistics of blocks of clips of about equal size.
        reference: those of the same pairs' references.
        drawn: the blocks of each size, as `draws` gives them: two sizes or more.
        times: how often each block counts, shape (blocks,); once if None.

    Raises:
        ValueError: a size has fewer than two embeddings, or the dimensions differ.
    """
    often = np.ones(len(generated), np.int64) if times is None else times
    shares = np.array([len(rows) / len(generated) for rows in drawn])
    found = np.array(
        [
            frechet(
                *(
                    combine([blocks[row] for row in rows], often[rows].tolist())
                    for blocks in (generated, reference)
                )
            ).value
            for rows in drawn
        ]
    )
    slope, value = np.polyfit(1.0 / shares, found, 1)
    rest = np.square(found - (slope / shares + value)).sum()
    spread = np.square(found - found.mean()).sum()
    return Extrapolation(float(value), float(slope), float(1.0 - rest / spread) if spread else 1.0)


def measure(
    generated: Sequence[Array], reference: Sequence[Array], random: np.random.Generator
) -> Measurement:
    """Measure; both hold a clip's frames each, shape (frames, d)."""
    ours, theirs = at_random(generated, reference, BLOCKS, random)
    drawn = draws(len(ours), random)
    dimension = ours[0].dimension
    fewest = min(sum(blocks[row].count for row in drawn[0]) for blocks in (ours, theirs))
    details: dict[str, Any] = {"dimension": dimension, "frames_of_half": fewest}
    if len(ours) < _FEWEST or fewest <= dimension:
        return undefined(
            f"half of the clips have {fewest} frames: over 1 / n the distance is straight only from"
            f" more frames than the {dimension} dimensions on, and {_FEWEST} clips",
            **details,
        )
    found = fad_infinity(ours, theirs, drawn)
    details |= {"slope": found.slope, "r2": found.r2, "extrapolated": found.value}
    notes = []
    if len(generated) // 2 <= dimension:
        notes.append(
            f"half of the clips are fewer than the {dimension} dimensions: where frames of a clip"
            " are alike, some of the bias is left"
        )
    if found.value < 0:
        notes.append("extrapolates to below zero: not to be told from it")
    if notes:
        details["note"] = "; ".join(notes)
    replicates = next(times for limit, times in _REPLICATES if dimension <= limit)

    def resampled(times: NDArray[np.int64]) -> float:
        return fad_infinity(ours, theirs, drawn, times).value

    interval = statistic_interval(found.value, resampled, len(ours), random, replicates)
    details |= {"replicates": replicates, "interval_of": "both sets, by pairs"}
    return Measurement(max(0.0, found.value), interval, None, details)


FAD_INFINITY: Final = Metric(
    name="fad-infinity",
    version="2",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=measure,
    summary="the Frechet audio distance extrapolated to infinitely many clips, on both sides",
    caveat="a straight line over 1 / n is assumed (see r2), which needs clips by the hundred; the"
    " control `shuffled` is the reference itself, of which no line can be drawn",
)
