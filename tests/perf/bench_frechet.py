"""The Frechet distance beside scipy.linalg.sqrtm's, on the same statistics in one run.

Sets of embeddings of d = 128, 512 and 2048 dimensions: twice as many as dimensions, and half as
many, where the product of the covariances is singular. Ours is timed from the statistics, as is the
textbook formula. Their turns are interleaved and the best counts; time is the processor's. The
relative difference is to the textbook's value; `sqrtm` of a singular product may be complex, of
which the real part is taken.

Usage: python -m tests.perf.bench_frechet [--dimensions 128 512 2048] [--rounds 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits

from art2mus.benchmark.metrics import frechet
from art2mus.benchmark.statistics import Statistics

Array = NDArray[np.float64]


def textbook(a: Statistics, b: Statistics, first: Array, second: Array) -> float:
    """Return the distance by the square root of the covariances' product."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = linalg.sqrtm(first @ second)
    difference = a.mean - b.mean
    found = difference @ difference + np.trace(first) + np.trace(second) - 2 * np.trace(root).real
    return float(found)


def best(rounds: int, calls: list[Callable[[], float]]) -> list[tuple[float, float]]:
    """Return each call's best time in seconds and its value."""
    found: list[list[tuple[float, float]]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, kept in zip(calls, found, strict=True):
            began = time.process_time()
            value = call()
            kept.append((time.process_time() - began, value))
    return [min(kept) for kept in found]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(f"{'d':>5} {'n':>6} {'sqrtm s':>9} {'ours s':>9} {'ratio':>7} {'difference':>10}  form")
    with threadpool_limits(options.threads):
        for d in options.dimensions:
            for n in (2 * d, d // 2):
                row(d, n, options.rounds)


def row(d: int, n: int, rounds: int) -> None:
    """Print one line of the table."""
    random = np.random.default_rng(d)
    a, b = (
        Statistics.of(random.normal(size=(n, d)) * random.uniform(0.1, 2, d) + shift)
        for shift in (0.0, 0.3)
    )
    first, second = a.covariance, b.covariance
    slow, fast = best(rounds, [lambda: textbook(a, b, first, second), lambda: frechet(a, b).value])
    difference = abs(fast[1] - slow[1]) / slow[1]
    print(
        f"{d:5} {n:6} {slow[0]:9.3f} {fast[0]:9.3f} {slow[0] / fast[0]:7.1f} {difference:10.1e}"
        f"  {frechet(a, b).form}"
    )


if __name__ == "__main__":
    main()
