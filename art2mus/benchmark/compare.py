"""`art2mus benchmark compare`: is the difference between two models more than noise?

Paired bootstrap over items (Efron and Tibshirani 1993, chapter 16; for systems' comparison Koehn
2004): the pairs are resampled with replacement, both models' values of a pair together, and the
difference is taken anew. The interval is the percentiles'; the p-value is twice the share of
resamples on the far side of zero. Several metrics are tested at once, so p-values are also given
after Holm's correction (1979), and by these the verdict is reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.bootstrap import generator
from art2mus.benchmark.comparable import check_comparable
from art2mus.benchmark.leaderboard import NumberTable, label, number
from art2mus.benchmark.results import Result, Results
from artsound.errors import UsageError
from artsound.table import Cell, Table

Floats = NDArray[np.float64]

REPLICATES: Final = 10_000
LEVEL: Final = 0.05
_FEW: Final = 20
_CHUNK: Final = 1 << 21
_MEDIANS: Final = "retrieval-median-rank"


@dataclass(frozen=True)
class Difference:
    """How two models differ by a metric.

    Attributes:
        metric: its name.
        first: the value of the first.
        second: the value of the second.
        difference: the first less the second.
        interval: of the difference, 95 %.
        p: that no difference is as far from zero, two-sided.
        p_holm: the same, corrected for the number of metrics.
        better: the name of the better one, as the values have it; empty where they are equal, or
            where neither end of the metric is the better one.
        n: pairs.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p: float
    p_holm: float
    better: str
    n: int

    @property
    def more_than_noise(self) -> bool:
        """Whether the difference is significant at 5 %, after the correction."""
        return self.p_holm < LEVEL


@dataclass(frozen=True)
class Comparison:
    """Two models, metric by metric.

    Attributes:
        first: the name of one.
        second: of the other.
        differences: of the metrics that have a value a pair.
        without: the metrics that have none, or are undefined.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    without: tuple[str, ...]


def compare(
    first: Results,
    second: Results,
    *,
    names: tuple[str, str] = ("A", "B"),
    seed: int = 0,
    replicates: int = REPLICATES,
    any_length: bool = False,
) -> Comparison:
    """Compare two models.

    Args:
        first: results of one.
        second: of the other.
        names: of their files, for errors.
        seed: of the resampling.
        replicates: how many resamples.
        any_length: take clips of other lengths, too.

    Raises:
        UsageError: their conditions differ, or no metric has values of two pairs.
    """
    check_comparable(
        dict(zip(names, (first, second), strict=True))
        if len(set(names)) > 1
        else {f"{names[0]} (first)": first, f"{names[1]} (second)": second},
        any_length=any_length,
    )
    labels = _labels(first, second)
    found: list[Difference] = []
    without: list[str] = []
    for one in first.results:
        other = second.result(one.metric)
        if other is None or not one.items or not other.items or len(one.items) < 2:
            without.append(one.metric)
            continue
        found.append(_difference(one, other, labels, seed, replicates))
    if not found:
        raise UsageError(
            f"{names[0]} and {names[1]}: no metric has values for two pairs or more: nothing can be"
            " compared"
        )
    corrected = holm([one.p for one in found])
    return Comparison(
        *labels,
        tuple(replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)),
        tuple(without),
    )


def paired_bootstrap(
    a: Floats,
    b: Floats,
    random: np.random.Generator,
    replicates: int = REPLICATES,
    *,
    median: bool = False,
) -> tuple[float, tuple[float, float], float]:
    """Return the difference of two means over the same items, its 95 % interval, and p.

    Args:
        a: one value an item, shape (n,).
        b: likewise, of the same items in the same order.
        random: the source of the resamples.
        replicates: how many resamples.
        median: compare the medians instead.
    """
    centre = np.median if median else np.mean
    made: list[Floats] = []
    rows = max(1, _CHUNK // len(a))
    for start in range(0, replicates, rows):
        drawn = random.integers(0, len(a), (min(rows, replicates - start), len(a)))
        made.append(np.asarray(centre(a[drawn], axis=1) - centre(b[drawn], axis=1)))
    values = np.concatenate(made)
    low, high = np.percentile(values, [2.5, 97.5])
    # One more, since the sample itself is one of its resamples: p is never zero.
    tails = [int((values <= 0).sum()) + 1, int((values >= 0).sum()) + 1]
    p = min(1.0, 2.0 * min(tails) / (replicates + 1))
    return float(centre(a) - centre(b)), (float(low), float(high)), p


def holm(ps: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number: Holm 1979, step-down Bonferroni."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    made, largest = [0.0] * len(ps), 0.0
    for done, place in enumerate(order):
        largest = max(largest, min(1.0, ps[place] * (len(ps) - done)))
        made[place] = largest
    return made


def comparison_table(found: Comparison) -> Table:
    """Return the comparison as a table."""
    rows: list[tuple[Cell, ...]] = []
    for one in found.differences:
        low, high = one.interval
        better = f"{one.better} is better" if one.better else "neither end is the better one"
        verdict = f"yes, {better}" if one.more_than_noise else "no"
        rows.append(
            (
                one.metric,
                verdict,
                number(one.first),
                number(one.second),
                number(one.difference),
                f"[{number(low)}, {number(high)}]",
                number(one.p),
                number(one.p_holm),
                str(one.n),
            )
        )
    notes = ["Paired bootstrap over pairs; more than noise: p below 0.05 after Holm's correction."]
    if found.without:
        notes.append(f"Of the whole set only, or undefined: {', '.join(found.without)}.")
    fewest = min(one.n for one in found.differences)
    if fewest < _FEW:
        notes.append(f"{fewest} pairs are few for a bootstrap: its intervals are too narrow.")
    return NumberTable(
        "compare",
        f"{found.first} against {found.second}",
        (
            "Metric",
            "More than noise",
            found.first,
            found.second,
            "Difference",
            "95 % interval",
            "p",
            "p (Holm)",
            "Pairs",
        ),
        tuple(rows),
        tuple(notes),
        words=2,
    )


def _difference(
    one: Result, other: Result, labels: tuple[str, str], seed: int, replicates: int
) -> Difference:
    if one.items is None or other.items is None or one.items.keys() != other.items.keys():
        raise UsageError(f"{one.metric}: the two results are of different pairs")
    ids = sorted(one.items)
    a, b = (np.array([held[name] for name in ids]) for held in (one.items, other.items))
    difference, interval, p = paired_bootstrap(
        a,
        b,
        generator(seed, one.metric),
        replicates,
        median=one.metric.startswith(_MEDIANS),
    )
    better = ""
    if difference and one.higher_is_better is not None:
        better = labels[0 if (difference > 0) == one.higher_is_better else 1]
    centre = np.median if one.metric.startswith(_MEDIANS) else np.mean
    values = float(centre(a)), float(centre(b))
    return Difference(one.metric, *values, difference, interval, p, p, better, len(ids))


def _labels(first: Results, second: Results) -> tuple[str, str]:
    one, other = label(first), label(second)
    return (one, other) if one != other else (f"{one} (A)", f"{other} (B)")
