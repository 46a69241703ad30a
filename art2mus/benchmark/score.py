"""`art2mus benchmark score`: a folder of predictions to results.json."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from art2mus.benchmark.evaluate import CLIP_S, Progress, assess
from art2mus.benchmark.predictions import Checked, PredictionsError, check, find
from art2mus.benchmark.results import Results, write_results
from art2mus.benchmark.run import different, seeds_in
from art2mus.benchmark.store import FeatureStore
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.data import Release

FILE: Final = "results.json"
_SHORTEST_S, _LONGEST_S = 1.0, 3600.0


@dataclass(frozen=True)
class ScoreSettings:
    """How predictions are scored.

    Attributes:
        split: of the release.
        suite: `paper`, `lite`, or names of metrics.
        clip_s: how much of each clip and of its ground truth is heard; None for all.
        seed: of the intervals.
        device: where embedders compute.
        checkpoints: paths of weights by embedder.
        partial: score what can be, where something is wrong with the folder.

    Raises:
        UsageError: `clip_s` is no length from 1 to 3600 s.
    """

    split: str = "test"
    suite: str | Sequence[str] = "paper"
    clip_s: float | None = CLIP_S
    seed: int = 0
    device: str = "cpu"
    checkpoints: Mapping[str, str] | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if self.clip_s is not None and not _SHORTEST_S <= self.clip_s <= _LONGEST_S:
            raise UsageError(
                f"{self.clip_s:g} s are to be heard of each clip: give {_SHORTEST_S:g} to"
                f" {_LONGEST_S:g}, or all"
            )


def score(
    folder: Path,
    release: Release,
    settings: ScoreSettings,
    *,
    out: Path | None = None,
    cache: Path | None = None,
    name: str | None = None,
    only: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Results, tuple[str, ...]]:
    """Score a folder of predictions and write the results.

    Weights are loaded first, and then all that is wrong with the folder is found before anything is
    embedded. A silent prediction is wrong too; with `partial` it counts as it is, since leaving it
    out would favour its model, but for metrics that are not defined for silence: these are of the
    other pairs, and say so.

    Args:
        folder: `{pair_id}.wav` or `.flac`.
        release: what they were generated for.
        settings: how.
        out: the file; results.json in the folder if None.
        cache: where embeddings are kept between runs.
        name: of the model; by default that of the predictions' records, or the folder's.
        only: the pairs that were to be generated; all of the split if None.
        progress: told how many clips of how many are heard.

    Returns:
        The results, and what is wrong with the folder or worth saying of it, a line each.

    Raises:
        PredictionsError: something is wrong with it, and `partial` is not set.
        UsageError: no such split, suite, metric or folder, or its files are of another split.
        ArtsoundError: the release or weights are not whole.
    """
    from art2mus.benchmark.embedders.registry import load

    release.require(settings.split)
    found, _ = find(folder)
    every = release.pairs(settings.split).column("pair_id")
    _refuse_other_splits(folder, set(found), every, release, settings.split)
    loaded = {
        embedder: load(embedder, settings.checkpoints, settings.device)
        for embedder in embedders_of(settings.suite, settings.checkpoints)
    }
    with _kept(cache) as place:
        with FeatureStore(place) as store:
            checked = check(
                folder,
                every if only is None else only,
                every,
                store,
                seconds=settings.clip_s,
                release=release.fingerprint,
            )
        _refuse(checked, folder, release.name, settings)
        records = list(checked.records.values())
        model = _model(records)
        results = assess(
            checked.usable,
            release,
            settings.split,
            suite=settings.suite,
            cache=place,
            seed=settings.seed,
            device=settings.device,
            checkpoints=settings.checkpoints,
            clip_s=settings.clip_s,
            partial=settings.partial or only is not None,
            progress=progress,
            model=name or model or folder.resolve().name,
            model_details=_details(records, model, checked.problems),
            seeds=seeds_in(records),
            skip_silent=settings.partial,
            loaded=loaded,
        )
    if checked.problems:
        results = results.model_copy(update={"partial": True})
    write_results(out or folder / FILE, results)
    return results, (*checked.problems, *checked.notes)


def ready(suite: str | Sequence[str], checkpoints: Mapping[str, str] | None, device: str) -> None:
    """Find out whether metrics can be computed, before music is generated; nothing stays loaded.

    Args:
        suite: of the metrics.
        checkpoints: paths of weights by embedder.
        device: where embedders compute.

    Raises:
        UsageError: there is no such metric or embedder.
        ArtsoundError: weights are not there.
    """
    from art2mus.benchmark.embedders.registry import load
    from artsound.models.registry import forget

    for embedder in embedders_of(suite, checkpoints):
        load(embedder, checkpoints, device)
        forget()


def embedders_of(suite: str | Sequence[str], checkpoints: Mapping[str, str] | None) -> list[str]:
    """Return the names of the embedders that metrics rest on, in the metrics' order.

    Args:
        suite: of the metrics, or their names.
        checkpoints: paths of weights by embedder.

    Raises:
        UsageError: there is no such suite, metric or embedder.
    """
    from art2mus.benchmark.embedders.registry import check_names
    from art2mus.benchmark.metrics.registry import choose

    check_names(checkpoints or {})
    return list(dict.fromkeys(one.embedder for one in choose(suite)))


def _refuse_other_splits(
    folder: Path, found: AbstractSet[str], every: Sequence[str], release: Release, split: str
) -> None:
    """Refuse a folder all of whose files are of another split.

    Raises:
        UsageError: it is such a folder; names the split.
    """
    if not found.isdisjoint(every):
        return
    for other in release.splits:
        there = 0 if other == split else len(found & set(release.pairs(other).column("pair_id")))
        if there:
            raise UsageError(
                f"{folder}: {there} of its {len(found)} files are of {release.name}'s split"
                f" {other}, and none of {split}: give --split {other}"
            )


def _refuse(checked: Checked, folder: Path, name: str, settings: ScoreSettings) -> None:
    """Refuse a folder that something is wrong with.

    Raises:
        PredictionsError: unless that is taken as it is, or nothing in it can be scored.
    """
    problems = checked.problems
    if problems and not settings.partial:
        count = len(problems)
        raise PredictionsError(
            f"{folder}: {count} {'thing is' if count == 1 else 'things are'} wrong for"
            f" {name} {settings.split}, such as {problems[0]}; put them right, or score what"
            " there is with --partial, which compares with nothing else",
            problems,
        )
    if not checked.usable:
        raise PredictionsError(
            f"{folder}: none of its predictions can be scored for {name}"
            f" {settings.split}, such as {problems[0]}",
            problems,
        )


@contextlib.contextmanager
def _kept(cache: Path | None) -> Iterator[Path]:
    """Lend the cache, or a folder for this one score."""
    with contextlib.ExitStack() as stack:
        yield cache or Path(stack.enter_context(tempfile.TemporaryDirectory()))


def release_and_folder(folder: Path, release: str, revision: str | None) -> Release:
    """Open the release that a folder is scored on.

    Raises:
        UsageError: it is none, or the folder has no predictions; says so where they were swapped.
    """
    from art2mus.data import open_release

    if (folder / "manifest.json").is_file() and not (Path(release) / "manifest.json").is_file():
        raise UsageError(f"{folder} is a release: the predictions come first, and then the release")
    find(folder)
    return open_release(release, revision=revision)


def _model(records: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the model that all records name; None where there are none.

    Raises:
        UsageError: they are of several models, or were made in several ways.
    """
    names = {str(record["model"]) for record in records}
    if len(names) > 1:
        raise UsageError(
            f"the predictions are of several models ({', '.join(sorted(names))}): give each a"
            " folder of its own"
        )
    for record in records:
        if said := different(records[0], record):
            raise UsageError(
                f"the predictions were made in several ways ({said}): give each a folder of its own"
            )
    return names.pop() if names else None


def _details(
    records: Sequence[Mapping[str, Any]], model: str | None, problems: Sequence[str]
) -> dict[str, Any]:
    """Return what results say of the model: its registry entry, its own words, its settings."""
    from art2mus.benchmark.models.registry import MODELS

    made: dict[str, Any] = {}
    entry = MODELS.get(model or "")
    if entry is not None:
        made |= {"takes": entry.takes, "weights": entry.weights, "license": entry.license}
        made |= {"registry": model, **({"note": entry.note} if entry.note else {})}
    if records:
        first = records[0]
        made |= first.get("about", {})
        made |= {key: first.get(key) for key in ("settings", "seconds", "batch")}
    if problems:
        made["problems"] = list(problems)
    return made
