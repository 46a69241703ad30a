"""Kernel audio distance: the unbiased squared maximum mean discrepancy of two sets of embeddings.

Gretton et al. 2012 (JMLR 13), lemma 6: mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over distinct
pairs. KAD, Chung et al. 2025 (arXiv 2502.15602; YoonjinXD/kadtk, `calc_kernel_audio_distance`):
k(a, b) = exp(-|a - b|^2 / (2 s^2)) with s the median distance between reference embeddings, times
100. The polynomial kernel (a.b / d + 1)^3 is that of the kernel inception distance (Binkowski et
al. 2018, arXiv 1801.01401), times 1000 as usual there. Unbiased whatever the number of clips, and
so now and then a little below zero for sets that cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist

from art2mus.benchmark.bootstrap import statistic_interval
from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric, undefined
from art2mus.benchmark.metrics.sampling import at_most

Kernel = Literal["gaussian", "polynomial"]

SCALE: Final = {"gaussian": 100.0, "polynomial": 1000.0}
_EPSILON: Final = 1e-8  # kadtk's, beside 2 s^2
_MOST: Final = 10_000
_MEDIAN_OF: Final = 5_000
_ROWS: Final = 1_024
_REPLICATES: Final = 200


def kernel_distance(
    generated: ArrayLike,
    reference: ArrayLike,
    kernel: Kernel = "gaussian",
    bandwidth: float | None = None,
) -> float:
    """Return the distance, scaled by `SCALE[kernel]`.

    Args:
        generated: embeddings of shape (n, d), n at least 2.
        reference: shape (m, d), m at least 2.
        kernel: `gaussian` (KAD) or `polynomial` (KID).
        bandwidth: s of the Gaussian; the reference's median distance if None.

    Raises:
        ValueError: fewer than two embeddings on a side, or shapes that do not fit.
    """
    x, y = np.asarray(generated, np.float64), np.asarray(reference, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"embeddings of shapes {x.shape} and {y.shape}: expected (n, d), (m, d)")
    sums = _Sums(x, np.zeros(len(x), int), y, np.zeros(len(y), int), kernel, bandwidth)
    return sums.distance(np.ones(1))


def median_distance(embeddings: Floats) -> float:
    """Return the median Euclidean distance between two embeddings, shape (n, d), n at least 2.

    Of an even number of distances it is the lower middle one, as torch.median has it.
    """
    distances = pdist(embeddings)
    return float(np.partition(distances, (len(distances) - 1) // 2)[(len(distances) - 1) // 2])


class _Sums:
    """Kernel values summed over the frames of each pair of clips: all that resamples need."""

    def __init__(
        self,
        x: Floats,
        x_owner: NDArray[np.int64],
        y: Floats,
        y_owner: NDArray[np.int64],
        kernel: Kernel,
        bandwidth: float | None,
    ) -> None:
        self.scale = SCALE[kernel]
        self.bandwidth: float | None = None
        if kernel == "gaussian":
            self.bandwidth = median_distance(y[:_MEDIAN_OF]) if bandwidth is None else bandwidth
        clips = int(max(x_owner.max(), y_owner.max())) + 1
        self._counts = [np.bincount(owner, minlength=clips) for owner in (x_owner, y_owner)]
        self._within = [
            self._summed(x, x_owner, x, x_owner, clips),
            self._summed(y, y_owner, y, y_owner, clips),
        ]
        self._across = self._summed(x, x_owner, y, y_owner, clips)
        self._selves = [self._own(x, x_owner, clips), self._own(y, y_owner, clips)]

    def distance(self, times: Floats) -> float:
        """Return the distance with each clip taken so often, NaN without two frames on a side.

        A clip that is drawn twice is not paired with its own copy.
        """
        found = []
        for sums, counts, selves in zip(self._within, self._counts, self._selves, strict=True):
            pairs = np.outer(times, times)
            np.fill_diagonal(pairs, times)
            number = (pairs * np.outer(counts, counts)).sum() - times @ counts
            if number <= 0:
                return float("nan")
            found.append(((pairs * sums).sum() - times @ selves) / number)
        every = np.outer(times, times)
        number = (times @ self._counts[0]) * (times @ self._counts[1])
        return self.scale * float(found[0] + found[1] - 2.0 * (every * self._across).sum() / number)

    def _kernel(self, a: Floats, b: Floats) -> Floats:
        product = a @ b.T
        if self.bandwidth is None:
            made: Floats = (product / a.shape[1] + 1.0) ** 3
            return made
        squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * product
        made = np.exp(-np.maximum(squares, 0.0) / (2.0 * self.bandwidth**2 + _EPSILON))
        return made

    def _summed(
        self,
        a: Floats,
        a_owner: NDArray[np.int64],
        b: Floats,
        b_owner: NDArray[np.int64],
        clips: int,
    ) -> Floats:
        sums = np.zeros((clips, clips))
        starts = np.flatnonzero(np.diff(b_owner, prepend=-1))
        for start in range(0, len(a), _ROWS):
            values = self._kernel(a[start : start + _ROWS], b)
            by_clip = np.add.reduceat(values, starts, axis=1)
            rows = np.zeros((clips, len(starts)))
            np.add.at(rows, a_owner[start : start + _ROWS], by_clip)
            sums[:, b_owner[starts]] += rows
        return sums

    def _own(self, a: Floats, owner: NDArray[np.int64], clips: int) -> Floats:
        if self.bandwidth is None:
            values = (np.square(a).sum(axis=1) / a.shape[1] + 1.0) ** 3
        else:
            values = np.ones(len(a))
        return np.bincount(owner, weights=values, minlength=clips).astype(np.float64)


def measure(
    kernel: Kernel,
    generated: Sequence[Array],
    reference: Sequence[Array],
    random: np.random.Generator,
) -> Measurement:
    """Measure; both hold a clip's frames each, shape (frames, d)."""
    x, x_owner = at_most(generated, _MOST, random)
    y, y_owner = at_most(reference, _MOST, random)
    details: dict[str, Any] = {
        "frames": len(x),
        "reference_frames": len(y),
        "kernel": kernel,
    }
    if min(len(x), len(y)) < 2:
        return undefined("pairs need two frames or more", **details)
    sums = _Sums(x, x_owner, y, y_owner, kernel, None)
    if sums.bandwidth == 0.0:
        return undefined("the reference's frames are all alike: no bandwidth", **details)
    value = sums.distance(np.ones(len(generated)))
    interval = statistic_interval(
        value,
        lambda times: sums.distance(times.astype(np.float64)),
        len(generated),
        random,
        _REPLICATES,
        lowest=-np.inf,
    )
    details |= {"scale": sums.scale, "bandwidth": sums.bandwidth, "replicates": _REPLICATES}
    return Measurement(value, interval, None, details)


KAD: Final = Metric(
    name="kad",
    version="1",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=partial(measure, "gaussian"),
    summary="squared maximum mean discrepancy with a Gaussian kernel, unbiased, times 100",
    caveat="the bandwidth is the reference's: swapped sets differ; may fall a little below zero",
)
KID: Final = Metric(
    name="kid",
    version="1",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=partial(measure, "polynomial"),
    summary="squared maximum mean discrepancy with a cubic kernel, unbiased, times 1000",
    caveat="of moments up to the third; not bounded; may fall a little below zero",
)
