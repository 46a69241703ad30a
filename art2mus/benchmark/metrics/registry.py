"""Metrics by name, and the suites of them.

A result is named by its metric and the embedder that it rests on: `fad-vggish`. A new metric is one
file and one line here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from art2mus.benchmark.embedders.registry import EMBEDDERS
from art2mus.benchmark.metrics.base import Metric
from art2mus.benchmark.metrics.clap_score import CLAP_SCORE
from art2mus.benchmark.metrics.fad_infinity import FAD_INFINITY
from art2mus.benchmark.metrics.frechet import FAD
from art2mus.benchmark.metrics.imagebind_score import SCORE_ARTWORK, SCORE_MUSIC
from art2mus.benchmark.metrics.kernel import KAD, KID
from art2mus.benchmark.metrics.kl import KL_SIGMOID, KL_SOFTMAX
from art2mus.benchmark.metrics.retrieval import MEDIAN_RANK, R_AT_1, R_AT_10
from art2mus.benchmark.metrics.spectrum_kl import SPECTRUM_KL
from artsound.errors import UsageError

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        FAD,
        FAD_INFINITY,
        KAD,
        KID,
        KL_SOFTMAX,
        KL_SIGMOID,
        SPECTRUM_KL,
        SCORE_ARTWORK,
        SCORE_MUSIC,
        R_AT_1,
        R_AT_10,
        MEDIAN_RANK,
        CLAP_SCORE,
    )
}


class Chosen(NamedTuple):
    """A metric on an embedder.

    Attributes:
        name: of the result.
        metric: the formula.
        embedder: a name of `EMBEDDERS`.
    """

    name: str
    metric: Metric
    embedder: str


def _suite(sets: str, labels: str, joint: str, text: str) -> tuple[str, ...]:
    return (
        f"fad-{sets}",
        f"fad-infinity-{sets}",
        f"kad-{labels}",
        f"kl-softmax-{labels}",
        f"kl-sigmoid-{labels}",
        "spectrum-kl",
        f"score-artwork-{joint}",
        f"score-music-{joint}",
        f"retrieval-r1-{joint}",
        f"retrieval-r10-{joint}",
        f"retrieval-median-rank-{joint}",
        f"score-caption-{text}",
    )


SUITES: Final[Mapping[str, tuple[str, ...]]] = {
    "paper": _suite("vggish", "panns-16k", "imagebind", "clap-music"),
    "lite": _suite("lite-musicnn", "lite-musicnn", "lite-conse", "lite-conse"),
}


def choose(suite: str | Sequence[str]) -> list[Chosen]:
    """Return the metrics of a suite, or of a list of names, in their order.

    Raises:
        UsageError: no such suite, metric or embedder, or an embedder that does not give what the
            metric measures; says what there is.
    """
    if isinstance(suite, str):
        if suite not in SUITES:
            raise UsageError(
                f"unknown suite {suite!r}: {_near(suite, SUITES)}there is {', '.join(SUITES)};"
                " or give a list of metrics"
            )
        suite = SUITES[suite]
    if not suite:
        raise UsageError("no metric to evaluate: name one or more, or a suite")
    return [_chosen(name) for name in dict.fromkeys(suite)]


def names() -> list[str]:
    """Return every name that `choose` takes in a list."""
    return [name for metric in METRICS.values() for name in _named(metric)]


def _chosen(name: str) -> Chosen:
    if name in METRICS and METRICS[name].feature == "spectrum":
        return Chosen(name, METRICS[name], "spectrum")
    for family in sorted(METRICS, key=len, reverse=True):
        embedder = name.removeprefix(f"{family}-")
        if embedder != name and embedder in EMBEDDERS and _fits(METRICS[family], embedder):
            return Chosen(name, METRICS[family], embedder)
    raise UsageError(
        f"unknown metric {name!r}: {_meant(name)}`art2mus benchmark metrics --names` lists all"
    )


def _meant(name: str) -> str:
    """Ask for the name that may have been meant, or for one of those of its family."""
    near = [] if name in METRICS else difflib.get_close_matches(name, names(), n=1)
    if near:
        return f"did you mean {near[0]!r}? "
    families = difflib.get_close_matches(name, METRICS, n=1) or [
        family for family in METRICS if family.startswith(f"{name}-")
    ]
    of_them = [one for family in families for one in _named(METRICS[family])]
    return f"did you mean one of {', '.join(of_them)}? " if of_them else ""


def _named(metric: Metric) -> list[str]:
    """Return the names of a metric on each embedder that it can rest on."""
    if metric.feature == "spectrum":
        return [metric.name]
    return [f"{metric.name}-{name}" for name in EMBEDDERS if _fits(metric, name)]


def _fits(metric: Metric, embedder: str) -> bool:
    entry = EMBEDDERS[embedder]
    return metric.feature in entry.gives and metric.counterpart in entry.sees


def _near(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
