"""What a metric is, and what measuring gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.bootstrap import Interval, mean_interval

Array = NDArray[Any]
Floats = NDArray[np.float64]
Feature = Literal["frames", "logits", "vector", "spectrum"]
Counterpart = Literal["music", "artwork", "caption"]


@dataclass(frozen=True)
class Measurement:
    """A metric's value on a set.

    Attributes:
        value: None where it is undefined on this set; `details["undefined"]` says why.
        interval: 95 %, by bootstrap over items; None where there are too few.
        items: item by item in the order given; None for what only a set has.
        details: what a reader has to know: ranks, counts, scales; with an interval, `interval_of`
            says what is resampled.
    """

    value: float | None
    interval: Interval | None = None
    items: Floats | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


Measure = Callable[[Sequence[Array], Sequence[Array], np.random.Generator], Measurement]


@dataclass(frozen=True)
class Metric:
    """A metric over pairs of a generated clip and what it is held against.

    Attributes:
        name: its family; with an embedder's name, as in `fad-vggish`, it names a result.
        version: changes whenever the same input may give another value.
        higher_is_better: the direction; None for what has none.
        feature: what is measured of the generated music.
        counterpart: what it is held against: the pair's own music, its artwork, or the caption of
            its music.
        measure: from the generated clips' features and their counterparts', one an item.
        summary: one line on what it means.
        caveat: one line on what it does not mean.
    """

    name: str
    version: str
    higher_is_better: bool | None
    feature: Feature
    counterpart: Counterpart
    measure: Measure
    summary: str
    caveat: str


def mean_of(items: Floats, random: np.random.Generator, **details: Any) -> Measurement:
    """Return the mean of the pairs' values, shape (n,), with its interval."""
    interval = mean_interval(items, random)
    resampled = {} if interval is None else {"interval_of": "the pairs"}
    return Measurement(float(items.mean()), interval, items, {**details, **resampled})


def undefined(reason: str, **details: Any) -> Measurement:
    """Return a measurement without a value, which says why."""
    return Measurement(None, details={"undefined": reason, **details})
