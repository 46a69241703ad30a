"""Which results may stand side by side: those that were made under the same conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from art2mus.benchmark.inspection import ENOUGH
from art2mus.benchmark.results import Result, Results
from artsound.errors import UsageError

ANY_LENGTH: Final = "--any-length"


class Condition(NamedTuple):
    """Something that must be equal for results to be compared.

    Attributes:
        exact: what is compared.
        shown: the same for people.
    """

    exact: Any
    shown: str


def conditions(results: Results) -> dict[str, Condition]:
    """Return, by name, all that must be equal for results to be compared.

    The same release under another name, or on the Hub, is the same. Partial results may stand
    beside others of exactly the same pairs.
    """
    dataset, made = results.dataset, results.predictions
    revision = f"@{dataset.revision[:12]}" if dataset.revision else ""
    release = f"{dataset.name}{revision} (content {dataset.fingerprint[:12]})"
    # What is wrong with a folder is wrong with that folder alone; missing pairs count below.
    said = results.model_details.get("problems") if results.partial else None
    gaps = {f"{name}: no prediction" for name in made.missing}
    problems = [one for one in said or () if one not in gaps]
    pairs = str(made.count)
    if results.partial:
        pairs = f"{made.count} of {dataset.pairs}{', with problems' if problems else ''}"
    clip = "whole" if results.clip_s is None else f"{results.clip_s:g} s"
    return {
        "release": Condition(dataset.fingerprint, release),
        "suite": Condition(results.suite, results.suite),
        "seed of the metrics": Condition(results.seed, str(results.seed)),
        "split": Condition(dataset.split, dataset.split),
        "clip length": Condition(results.clip_s, clip),
        "pairs": Condition((made.count, results.partial, made.missing, problems), pairs),
        **{one.metric: _measured(one, results) for one in results.results},
    }


def check_comparable(named: Mapping[str, Results], *, any_length: bool = False) -> None:
    """Refuse results that were made under different conditions.

    Args:
        named: results by the name of their file.
        any_length: take clips of other lengths, too. Metrics depend on how much of a clip is heard.

    Raises:
        UsageError: conditions differ; names all of them, with both values.
    """
    (first, one), *others = named.items()
    for name, other in others:
        mine, theirs = conditions(one), conditions(other)
        differing = [
            f"{key} ({_shown(mine, key)}, {_shown(theirs, key)})"
            for key in dict.fromkeys([*mine, *theirs])
            if key not in mine or key not in theirs or mine[key].exact != theirs[key].exact
        ]
        lengths = (one.predictions.heard_s, other.predictions.heard_s)
        if not any_length and min(lengths) < ENOUGH * max(lengths):
            differing.append(
                f"seconds heard of a clip (on average {lengths[0]:.3g}, {lengths[1]:.3g};"
                f" {ANY_LENGTH} takes them together, marked)"
            )
        if differing:
            raise UsageError(
                f"{first} and {name} cannot be compared: they differ in {'; '.join(differing)}:"
                " score them alike, or make a table of each"
            )


def _shown(found: Mapping[str, Condition], key: str) -> str:
    return found[key].shown if key in found else "none"


def _measured(one: Result, results: Results) -> Condition:
    """Return what a metric's value rests on: its version, its weights, and at which rates."""
    if one.embedder_sample_rate is not None:
        rates = f"{one.embedder_sample_rate} Hz"
    else:
        own = ", ".join(str(rate) for rate in results.predictions.sample_rates)
        rates = f"the clips' own {own} Hz"
    begin = f"version {one.version}, {one.embedder} {one.checkpoint_hash[:12]} at {rates}"
    return Condition((one.version, one.embedder, one.checkpoint_hash, rates), begin)
