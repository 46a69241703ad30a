"""One metric on the features of clips and of what they are held against: a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark import bootstrap
from art2mus.benchmark.embedders.registry import Loaded
from art2mus.benchmark.metrics.registry import Chosen
from art2mus.benchmark.results import Result
from art2mus.benchmark.store import FeatureStore


@dataclass(frozen=True)
class Keys:
    """The contents' keys in the store, one a pair each."""

    generated: list[str]
    music: list[str]
    artwork: list[str]
    caption: list[str]


def measured(
    one: Chosen,
    loaded: Loaded,
    keys: Keys,
    store: FeatureStore,
    ids: Sequence[str],
    seed: int,
    *,
    skip_silent: bool = False,
) -> Result:
    """Measure.

    Args:
        one: the metric on its embedder.
        loaded: the embedder.
        keys: what it heard, saw or read.
        store: where its features are.
        ids: the pairs, in the order of the keys.
        seed: of the interval and of metrics that sample.
        skip_silent: leave pairs out of a metric that is not defined for a silent clip of theirs,
            if others are left; by default one such clip leaves the metric undefined.
    """
    metric = one.metric
    fingerprint = loaded.embedder.fingerprint
    against = {"music": keys.music, "artwork": keys.artwork, "caption": keys.caption}
    ours: Sequence[NDArray[Any]] = store.column(fingerprint, keys.generated, metric.feature)
    theirs: Sequence[NDArray[Any]] = store.column(
        fingerprint, against[metric.counterpart], metric.feature
    )
    noted: Mapping[str, Any] = {}
    if skip_silent and metric.feature == "spectrum":  # silence has none: its features are NaN
        held = [
            row
            for row, (a, b) in enumerate(zip(ours, theirs, strict=True))
            if not (np.isnan(a).any() or np.isnan(b).any())
        ]
        if 0 < len(held) < len(ids):
            without = len(ids) - len(held)
            noted = {
                "left_out": without,
                "note": f"without {without} of {len(ids)} pairs, a clip of which is silent and has"
                " no spectrum",
            }
            ours, theirs = [ours[row] for row in held], [theirs[row] for row in held]
            ids = [ids[row] for row in held]
    found = metric.measure(ours, theirs, bootstrap.generator(seed, one.name))
    items = None if found.items is None else dict(zip(ids, found.items.tolist(), strict=True))
    return Result(
        metric=one.name,
        version=metric.version,
        value=found.value,
        higher_is_better=metric.higher_is_better,
        interval=found.interval,
        n=len(ids),
        details={**found.details, **noted},
        items=items,
        embedder=one.embedder,
        checkpoint=loaded.checkpoint,
        checkpoint_hash=loaded.weights,
        embedder_sample_rate=loaded.embedder.sample_rate,
    )
