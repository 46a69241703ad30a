"""What a reader of the benchmark's tables has to know, in sentences under them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from art2mus.benchmark.comparable import conditions
from art2mus.benchmark.layout import COLUMNS, PAPER_NOTE
from art2mus.benchmark.results import Result, Results

Shown = tuple[str, str, Results]  # a row's file, its label, its results

DAGGER: Final = "†"
# What common sense demands: each before those with a larger number.
_ORDER: Final = {"ground-truth": 0, "shuffled": 1, "noise": 2, "silence": 2}
_TIE: Final = 1e-6
_BIAS: Final = (
    "Intervals tell how much values vary with what is resampled. What a metric is off by on few"
    " clips, as FAD is, they do not cover."
)


def table7_notes(ours: Sequence[Shown], *, paper: bool) -> list[str]:
    """Return the notes of table 7; the first tells the conditions that all rows share."""
    _, _, one = ours[0]
    known = conditions(one)
    clip = "whole clips" if one.clip_s is None else f"the first {one.clip_s:g} s of each clip"
    pairs = f"{one.predictions.count} pairs of split {one.dataset.split}"
    used = [
        f"{column.name}: {found.metric}"
        + (f" at {found.embedder_sample_rate} Hz" if found.embedder_sample_rate else "")
        for column in COLUMNS
        if (found := column.find(one)) is not None
    ]
    notes = [
        f"Ours: {known['release'].shown}, {pairs}, {clip}, suite {one.suite}; {', '.join(used)}."
    ]
    if others := _others(one):
        notes.append(
            f"{DAGGER} {'; '.join(others)}: values on another scale than the paper's, to be"
            " compared with one another only."
        )
    notes += _of_rows(ours)
    shown = (
        (label, found)
        for _, label, results in ours
        for column in COLUMNS
        if (found := column.find(results)) is not None
    )
    notes += _of_values(shown)
    return [*notes, PAPER_NOTE] if paper else notes


def metric_notes(ours: Sequence[Shown]) -> list[str]:
    """Return the notes of the table of all metrics."""
    results = [one for _, _, one in ours]
    notes = []
    if any(found.interval for one in results for found in one.results):
        notes.append(_BIAS)
    undirected = [one.metric for one in results[0].results if one.higher_is_better is None]
    if undirected:
        notes.append(f"Neither end is the better one of {', '.join(undirected)}.")
    reasons: dict[str, list[str]] = {}
    for _, label, one in ours:
        for found in one.results:
            if found.value is None:
                why = f"{found.metric}: {found.details['undefined']}"
                reasons.setdefault(why, []).append(label)
    notes += [f"Undefined for {', '.join(who)}: {why}." for why, who in reasons.items()]
    notes += _of_values((label, found) for _, label, one in ours for found in one.results)
    return [*notes, *_of_controls(results)]


def _of_values(shown: Iterable[tuple[str, Result]]) -> Iterator[str]:
    """Say what metrics remark on their own values, each remark once, with the rows it is on."""
    remarks: dict[tuple[str, str], list[str]] = {}
    for label, found in shown:
        if found.value is not None and (said := found.details.get("note")):
            remarks.setdefault((found.metric, said), []).append(label)
    for (metric, said), labels in remarks.items():
        yield f"{metric} of {', '.join(labels)}: {said}."


def _others(one: Results) -> list[str]:
    """Say of the columns that rest on another embedder than the paper's on which they rest."""
    return [
        f"{column.name} rests on {found.embedder}, not on {column.paper}"
        for column in COLUMNS
        if (found := column.find(one)) is not None and not column.is_papers(found)
    ]


def _of_rows(ours: Sequence[Shown]) -> Iterator[str]:
    """Say what sets single rows apart."""
    _, _, one = ours[0]
    if any(results.partial for _, _, results in ours):
        yield (
            f"Partial: {one.predictions.count} of {one.dataset.pairs} pairs, or with problems; not"
            " comparable with whole results."
        )
    for _, label, results in ours:
        made = results.predictions
        if made.short and results.clip_s is not None:
            yield (
                f"{label}: {made.short} of {made.count} clips are shorter than {results.clip_s:g} s"
                f" (the shortest {made.shortest_s:.3g} s); metrics depend on how much is heard."
            )
    if any(results.model_details.get("toy_prior") for _, _, results in ours):
        yield "Models with a toy prior in place of AudioLDM 2 are marked so."
    numbered = [(label, file) for file, label, results in ours if label.rpartition(" #")[1]]
    if numbered:
        yield f"{'; '.join(f'{label}: {file}' for label, file in numbered)}."
    said = {results.model_details.get("note"): label for _, label, results in reversed(ours)}
    for note, label in reversed(said.items()):
        if note:
            yield f"{label}: {note}."


def _of_controls(ours: Sequence[Results]) -> Iterator[str]:
    """Say where metrics do not put the controls into the order that common sense demands."""
    controls = {
        str(one.model_details["registry"]): one
        for one in ours
        if one.model_details.get("registry") in _ORDER
    }
    ties, inverted = [], []
    for metric in ours[0].results:
        if metric.higher_is_better is None:
            continue
        of_sets = metric.items is None
        found = {name: one.result(metric.metric) for name, one in controls.items()}
        before: dict[str, list[str]] = {}
        for better, worse in ((a, b) for a in found for b in found if _ORDER[a] < _ORDER[b]):
            lead = _lead(found[better], found[worse])
            if lead is None:
                continue
            if lead < -_TIE:
                before.setdefault(better, []).append(worse)
            elif of_sets and lead <= _TIE and (better, worse) == ("ground-truth", "shuffled"):
                ties.append(metric.metric)
        inverted += [
            f"{metric.metric} puts {' and '.join(worse)} before {better}"
            for better, worse in before.items()
        ]
    if ties:
        yield (
            f"shuffled ties with ground-truth by {', '.join(ties)}: to metrics of whole sets it is"
            " the same set of clips."
        )
    if inverted:
        yield (
            "Not in the order of common sense (ground-truth, shuffled, then noise and silence):"
            f" {'; '.join(inverted)}. What these metrics do not mean: art2mus benchmark metrics."
        )


def _lead(better: Result | None, worse: Result | None) -> float | None:
    """Return by how much one is better than another, relative to the larger; None if unknown."""
    if better is None or worse is None or better.value is None or worse.value is None:
        return None
    lead = better.value - worse.value
    scale = max(1.0, abs(better.value), abs(worse.value))
    return (lead if better.higher_is_better else -lead) / scale
