"""Kernel audio distance: the unbiased squared maximum mean discrepancy of two sets of embeddings.

Gretton et al. 2012 (JMLR 13), lemma 6: mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over distinct
pairs. KAD, Chung et al. 2025 (arXiv 2502.15602; YoonjinXD/kadtk, `calc_kernel_audio_distance`):
k(a, b) = exp(-|a - b|^2 / (2 s^2)) with s the median distance between reference embeddings, times
100. The polynomial kernel (a.b / d + 1)^3 is that of the kernel inception distance (Binkowski et
al. 2018, arXiv 1801.01401), times 1000 as usual there.

A clip has several frames, which are alike. kadtk counts pairs of them as any others, by which equal
sets of few clips lie apart; here only frames of different clips are compared, which makes the value
unbiased whatever the number of clips, and so now and then a little below zero for sets that cannot
be told apart. A clip that is in both sets, as in the controls, is compared with the others only.
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
from art2mus.benchmark.metrics.sampling import Frames, at_most

Kernel = Literal["gaussian", "polynomial"]

SCALE: Final = {"gaussian": 100.0, "polynomial": 1000.0}
_EPSILON: Final = 1e-8  # kadtk's, beside 2 s^2
_MOST: Final = 10_000  # frames of a set, and so clips
_MEDIAN_OF: Final = 5_000
_SAME: Final = 0.01  # of the bandwidth: how near the mean frames of the same music lie
_BLOCKS: Final = 256  # of clips, which the bootstrap resamples
_ROWS: Final = 1_024
_ROUNDING: Final = 1e-10
_REPLICATES: Final = 200


def kernel_distance(
    generated: ArrayLike,
    reference: ArrayLike,
    kernel: Kernel = "gaussian",
    bandwidth: float | None = None,
) -> float:
    """Return the distance, scaled by `SCALE[kernel]`, of embeddings that are independent.

    Args:
        generated: embeddings of shape (n, d), n at least 2, each of a clip of its own.
        reference: shape (m, d), m at least 2.
        kernel: `gaussian` (KAD) or `polynomial` (KID).
        bandwidth: s of the Gaussian; the reference's median distance if None.

    Raises:
        ValueError: fewer than two embeddings on a side, or shapes that do not fit.
    """
    x, y = np.asarray(generated, np.float64), np.asarray(reference, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"embeddings of shapes {x.shape} and {y.shape}: expected (n, d), (m, d)")
    width = None
    if kernel == "gaussian":
        width = median_distance(y) if bandwidth is None else bandwidth
    ours, theirs = (Frames(rows, np.arange(len(rows)), rows) for rows in (x, y))
    one_block = np.zeros(max(len(x), len(y)), int)
    sums = _Sums(ours, theirs, kernel, width, np.full(len(x), -1), one_block)
    return sums.distance(np.ones(1))


def median_distance(embeddings: Floats) -> float:
    """Return the median Euclidean distance between two embeddings, shape (n, d), n at least 2.

    Of an even number of distances it is the lower middle one, as torch.median has it.
    """
    distances = pdist(embeddings)
    return float(np.partition(distances, (len(distances) - 1) // 2)[(len(distances) - 1) // 2])


class _Sums:
    """Kernel values summed over blocks of clips, and how many they are: all that resamples need.

    Frames of one clip are alike: pairs of them would make a set look denser than it is. They are
    left out within each set, and between the sets where a clip is in both.

    Args:
        x: the generated frames.
        y: the reference's.
        bandwidth: of the Gaussian kernel; None for the polynomial.
        alike: by generated clip, the reference's clip that is the same music, or -1.
        blocks: by row of pairs, the block that it is in; blocks ascend.
    """

    def __init__(
        self,
        x: Frames,
        y: Frames,
        kernel: Kernel,
        bandwidth: float | None,
        alike: NDArray[np.int64],
        blocks: NDArray[np.int64],
    ) -> None:
        self.scale = SCALE[kernel]
        self._bandwidth = bandwidth
        self._blocks = blocks
        self._within = [self._summed(one, one, one.owners) for one in (x, y)]
        self._across = self._summed(x, y, alike[x.owners])

    def distance(self, times: Floats) -> float:
        """Return the distance with each block taken so often, NaN where no pairs are left."""
        every = np.outer(times, times)
        means = []
        for sums, numbers in (*self._within, self._across):
            number = (every * numbers).sum()
            if number <= 0:
                return float("nan")
            means.append(float((every * sums).sum() / number))
        found = means[0] + means[1] - 2.0 * means[2]
        # What rounding alone leaves, of a set and itself, is nothing.
        return 0.0 if abs(found) < _ROUNDING * means[1] else self.scale * found

    def _kernel(self, a: Floats, b: Floats) -> Floats:
        product = a @ b.T
        if self._bandwidth is None:
            made: Floats = (product / a.shape[1] + 1.0) ** 3
            return made
        squares = _squares(a, b, product)
        np.multiply(squares, -1.0 / (2.0 * self._bandwidth**2 + _EPSILON), out=squares)
        return np.exp(squares, out=squares)

    def _summed(self, a: Frames, b: Frames, left_out: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return sums and numbers of kernel values, shape (blocks, blocks).

        Args:
            a: frames.
            b: frames.
            left_out: by frame of `a`, the clip of `b` that it is not compared with.
        """
        count = int(self._blocks[-1]) + 1
        sums, numbers = np.zeros((count, count)), np.zeros((count, count))
        columns = self._blocks[b.owners]
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        for start in range(0, len(a.rows), _ROWS):
            part = slice(start, start + _ROWS)
            taken = left_out[part, None] != b.owners
            values = self._kernel(a.rows[part], b.rows) * taken
            rows = self._blocks[a.owners[part]]
            firsts = np.flatnonzero(np.diff(rows, prepend=-1))
            for made, found in ((sums, values), (numbers, taken)):
                by_column = np.add.reduceat(found, starts, axis=1, dtype=np.float64)
                place = np.ix_(rows[firsts], columns[starts])
                made[place] += np.add.reduceat(by_column, firsts, axis=0)
        return sums, numbers


def _squares(a: Floats, b: Floats, product: Floats) -> Floats:
    """Return squared distances, shape (n, m), never negative."""
    made: Floats = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * product
    return np.maximum(made, 0.0, out=made)


def _alike(x: Floats, y: Floats, within: float) -> NDArray[np.int64]:
    """Return by row of x the nearest row of y that is no further than that, or -1."""
    found = np.full(len(x), -1)
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS]
        squares = _squares(part, y, part @ y.T)
        nearest = squares.argmin(axis=1)
        near = squares[np.arange(len(part)), nearest] <= within**2
        found[start : start + len(part)][near] = nearest[near]
    return found


def measure(
    kernel: Kernel,
    generated: Sequence[Array],
    reference: Sequence[Array],
    random: np.random.Generator,
) -> Measurement:
    """Measure; both hold a clip's frames each, shape (frames, d)."""
    # The order is one of chance, so that blocks are, too.
    order = random.permutation(len(generated))[:_MOST]
    x, y = (at_most(clips, order, _MOST, random) for clips in (generated, reference))
    details: dict[str, Any] = {
        "clips": len(order),
        "frames": len(x.rows),
        "reference_frames": len(y.rows),
        "kernel": kernel,
    }
    if len(order) < 2:
        return undefined("pairs of frames of different clips need two clips or more", **details)
    sample = random.permutation(len(y.rows))[:_MEDIAN_OF]
    width = median_distance(y.rows[sample])
    if width == 0.0:
        return undefined("the reference's frames are all alike: no bandwidth", **details)
    alike = _alike(x.means, y.means, _SAME * width)
    blocks = np.arange(len(order)) * min(len(order), _BLOCKS) // len(order)
    sums = _Sums(x, y, kernel, width if kernel == "gaussian" else None, alike, blocks)
    number = int(blocks[-1]) + 1
    value = sums.distance(np.ones(number))
    if not np.isfinite(value):
        return undefined("both sets are one and the same clip", **details)
    interval = statistic_interval(
        value,
        lambda times: sums.distance(times.astype(np.float64)),
        number,
        random,
        _REPLICATES,
        lowest=-np.inf,
    )
    details |= {"scale": sums.scale, "replicates": _REPLICATES, "in_both": int((alike >= 0).sum())}
    if kernel == "gaussian":
        details["bandwidth"] = width
    if interval:
        details["interval_of"] = "both sets, by pairs"
    return Measurement(value, interval, None, details)


KAD: Final = Metric(
    name="kad",
    version="2",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=partial(measure, "gaussian"),
    summary="squared maximum mean discrepancy by a Gaussian kernel, unbiased over clips, times 100",
    caveat="the bandwidth is the reference's: swapped sets differ; may fall a little below zero;"
    " `shuffled` is the same set and scores 0",
)
KID: Final = Metric(
    name="kid",
    version="2",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=partial(measure, "polynomial"),
    summary="squared maximum mean discrepancy by a cubic kernel, unbiased over clips, times 1000",
    caveat="of moments up to the third; not bounded; may fall a little below zero",
)
