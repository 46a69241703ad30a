"""The metrics, one file each, and the functions that they are made of."""

from art2mus.benchmark.metrics.base import Measurement, Metric
from art2mus.benchmark.metrics.fad_infinity import fad_infinity
from art2mus.benchmark.metrics.frechet import frechet, frechet_distance
from art2mus.benchmark.metrics.imagebind_score import imagebind_score
from art2mus.benchmark.metrics.kernel import kernel_distance
from art2mus.benchmark.metrics.kl import kl_divergence
from art2mus.benchmark.metrics.registry import METRICS, SUITES, choose, names
from art2mus.benchmark.metrics.retrieval import retrieval_ranks
from art2mus.benchmark.metrics.spectrum_kl import spectrum_distribution, spectrum_kl

__all__ = [
    "METRICS",
    "SUITES",
    "Measurement",
    "Metric",
    "choose",
    "fad_infinity",
    "frechet",
    "frechet_distance",
    "imagebind_score",
    "kernel_distance",
    "kl_divergence",
    "names",
    "retrieval_ranks",
    "spectrum_distribution",
    "spectrum_kl",
]
