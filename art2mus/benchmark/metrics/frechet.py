"""Frechet audio distance: how far apart two sets of embeddings lie, taken as Gaussians.

Equation 13 of the paper: FAD = |mu_b - mu_e|^2 + tr(S_b + S_e - 2 (S_b S_e)^(1/2)), of Kilgour et
al. 2019 (arXiv 1812.08466), which takes the embeddings of VGGish; here of any embedder.
Implementations to compare with: microsoft/fadtk, `calc_frechet_distance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from art2mus.benchmark.bootstrap import statistic_interval
from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric, undefined
from art2mus.benchmark.statistics import Statistics, at_random, combine

# Pairs are merged at random into so many blocks at most, which the bootstrap resamples.
BLOCKS: Final = 64
_REPLICATES: Final = ((256, 200), (1024, 100), (1 << 62, 40))  # by the size of the matrices


@dataclass(frozen=True)
class Frechet:
    """A Frechet distance.

    Attributes:
        value: squared length in the embeddings' units, never negative.
        mean_term: |mu_1 - mu_2|^2, a part of the value.
        form: `eigenvalues`, or `nuclear norm` where a set has no more embeddings than dimensions.
        rank_deficient: whether a covariance cannot have full rank: n at most d.
    """

    value: float
    mean_term: float
    form: str
    rank_deficient: bool


def frechet_distance(generated: ArrayLike | Statistics, reference: ArrayLike | Statistics) -> float:
    """Return the Frechet distance between two sets of embeddings.

    Args:
        generated: embeddings of shape (n, d), n at least 2, or their statistics.
        reference: likewise, shape (m, d).

    Raises:
        ValueError: fewer than two embeddings, different dimensions, or numbers not finite.
    """
    return frechet(_statistics(generated), _statistics(reference)).value


def frechet(a: Statistics, b: Statistics) -> Frechet:
    """Return the Frechet distance of two sets by their statistics, and how it was computed.

    tr (S_1 S_2)^(1/2) is the sum of the singular values of R_1 R_2^T for any factors R^T R = S.
    Where a set has no more embeddings than dimensions they are themselves its factor, and the sum
    is exact to rounding; a matrix square root of the d x d product, mostly null space, is not.
    Else R_1 is the Cholesky factor of S_1, or its symmetric square root where rounding left it
    indefinite, and the singular values are the roots of the eigenvalues of R_1 S_2 R_1^T, symmetric
    and positive semi-definite: nothing complex can come up.

    Raises:
        ValueError: a set has one embedding only, or the dimensions differ.
    """
    if a.dimension != b.dimension:
        raise ValueError(f"embeddings of {a.dimension} and of {b.dimension} dimensions")
    mean_term = float(np.square(a.mean - b.mean).sum())
    spread = a.total_variance + b.total_variance
    if a.factor is None and b.factor is None:
        form = "eigenvalues"
        root = _factor_of(a.covariance)
        product = root @ b.covariance @ root.T
        eigenvalues = linalg.eigvalsh((product + product.T) / 2, check_finite=False)
        cross = float(np.sqrt(np.maximum(eigenvalues, 0.0)).sum())
    else:
        form = "nuclear norm"
        cross = float(linalg.svdvals(_factor(a) @ _factor(b).T, check_finite=False).sum())
    deficient = min(a.rank_bound, b.rank_bound) < a.dimension
    # The value is mathematically not negative; what rounding leaves below zero is zero.
    return Frechet(max(mean_term + spread - 2.0 * cross, 0.0), mean_term, form, deficient)


def measure(
    generated: Sequence[Array], reference: Sequence[Array], random: np.random.Generator
) -> Measurement:
    """Measure; `generated` and `reference` hold a clip's frames each, shape (frames, d)."""
    ours, theirs = at_random(generated, reference, BLOCKS, random)
    a, b = combine(ours), combine(theirs)
    details: dict[str, Any] = {
        "dimension": a.dimension,
        "frames": a.count,
        "reference_frames": b.count,
    }
    if min(a.count, b.count) < 2:
        return undefined("a covariance needs two frames or more", **details)
    found = frechet(a, b)
    details |= {
        "mean_term": found.mean_term,
        "form": found.form,
        "rank_deficient": found.rank_deficient,
    }
    if found.rank_deficient:
        details["note"] = (
            f"{min(a.count, b.count)} frames are too few for a covariance of full rank in"
            f" {a.dimension} dimensions: the value is exact for these frames and biased upwards as"
            " an estimate; compare only sets of equal size"
        )

    def resampled(times: NDArray[np.int64]) -> float:
        one, other = combine(ours, times.tolist()), combine(theirs, times.tolist())
        return frechet(one, other).value if min(one.count, other.count) > 1 else float("nan")

    size = min(a.dimension, max(a.count, b.count))
    replicates = next(times for limit, times in _REPLICATES if size <= limit)
    interval = statistic_interval(found.value, resampled, len(ours), random, replicates)
    details |= {"blocks": len(ours), "replicates": replicates if interval else 0}
    if interval:
        details["interval_of"] = "both sets, by pairs; the bias of small sets is not covered"
    return Measurement(found.value, interval, None, details)


FAD: Final = Metric(
    name="fad",
    version="1",
    higher_is_better=False,
    feature="frames",
    counterpart="music",
    measure=measure,
    summary="Frechet distance between generated and real music, as Gaussians of embeddings",
    caveat="says nothing of whether a clip fits its artwork: `shuffled`, the same set, scores 0;"
    " falls with the number of clips",
)


def _statistics(given: ArrayLike | Statistics) -> Statistics:
    return given if isinstance(given, Statistics) else Statistics.of(given)


def _factor_of(covariance: Floats) -> Floats:
    """Return R with R^T R a symmetric positive semi-definite matrix, both of shape (d, d)."""
    try:
        return linalg.cholesky(covariance, check_finite=False)  # type: ignore[no-any-return]
    except linalg.LinAlgError:
        return _root(covariance)


def _root(covariance: Floats) -> Floats:
    """Return the symmetric square root of a symmetric positive semi-definite matrix."""
    values, vectors = linalg.eigh(covariance, check_finite=False, driver="evd")
    made: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return made


def _factor(statistics: Statistics) -> Floats:
    factor = statistics.unit_factor()
    return _factor_of(statistics.covariance) if factor is None else factor
