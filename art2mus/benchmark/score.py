"""`art2mus benchmark score`: a folder of predictions to results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from art2mus.benchmark.evaluate import CLIP_S, Progress, assess
from art2mus.benchmark.predictions import PredictionsError, check, find, read_record
from art2mus.benchmark.results import Results, write_results
from art2mus.benchmark.run import seeds_in
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.data import Release

FILE: Final = "results.json"
_SILENT: Final = "silence"  # the control


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
    """

    split: str = "test"
    suite: str | Sequence[str] = "paper"
    clip_s: float | None = CLIP_S
    seed: int = 0
    device: str = "cpu"
    checkpoints: Mapping[str, str] | None = None
    partial: bool = False


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

    All that is wrong with the folder is found before anything is embedded. A silent prediction is
    wrong too; with `partial` it counts as it is, since leaving it out would favour its model.

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
        The results, and what is wrong with the folder, a line each.

    Raises:
        PredictionsError: something is wrong with it, and `partial` is not set.
        UsageError: no such split, suite, metric or folder.
        ArtsoundError: the release or weights are not whole.
    """
    ready(settings.suite, settings.checkpoints)
    release.require(settings.split)
    every = release.pairs(settings.split).column("pair_id")
    found, _ = find(folder)
    records = [one for one in (read_record(folder, pair) for pair in every if pair in found) if one]
    model = _model(records)
    checked = check(
        folder,
        every if only is None else only,
        every,
        seconds=settings.clip_s,
        silence_is_meant=model == _SILENT,
    )
    if checked.problems and not settings.partial:
        count = len(checked.problems)
        first = checked.problems[0]
        raise PredictionsError(
            f"{folder}: {count} {'thing is' if count == 1 else 'things are'} wrong for"
            f" {release.name} {settings.split}, such as {first}; put them right, or score what"
            " there is with --partial, which compares with nothing else",
            checked.problems,
        )
    if not checked.usable:
        raise PredictionsError(
            f"{folder}: none of its predictions can be scored for {release.name}"
            f" {settings.split}, such as {checked.problems[0]}",
            checked.problems,
        )
    results = assess(
        checked.usable,
        release,
        settings.split,
        suite=settings.suite,
        cache=cache,
        seed=settings.seed,
        device=settings.device,
        checkpoints=settings.checkpoints,
        clip_s=settings.clip_s,
        partial=settings.partial or only is not None,
        progress=progress,
        model=name or model or folder.resolve().name,
        model_details=_details(records, model, checked.problems),
        seeds=seeds_in(records),
    )
    if checked.problems:
        results = results.model_copy(update={"partial": True})
    write_results(out or folder / FILE, results)
    return results, checked.problems


def ready(
    suite: str | Sequence[str], checkpoints: Mapping[str, str] | None, device: str | None = None
) -> None:
    """Find out whether metrics can be computed, before music is generated or heard.

    Args:
        suite: of the metrics.
        checkpoints: paths of weights by embedder.
        device: where embedders compute; their weights are loaded too, unless it is None.

    Raises:
        UsageError: there is no such metric or embedder.
        ArtsoundError: weights are not there.
    """
    from art2mus.benchmark.embedders import registry
    from art2mus.benchmark.metrics.registry import choose
    from artsound.models.registry import forget

    chosen = choose(suite)
    registry.check_names(checkpoints or {})
    if device is None:
        return
    for embedder in dict.fromkeys(one.embedder for one in chosen):
        registry.load(embedder, checkpoints, device)
        forget()


def release_and_folder(folder: Path, release: str, revision: str | None) -> Release:
    """Open the release that a folder is scored on.

    Raises:
        UsageError: it is none; says so where the two were swapped.
    """
    from art2mus.data import open_release

    if (folder / "manifest.json").is_file() and not (Path(release) / "manifest.json").is_file():
        raise UsageError(f"{folder} is a release: the predictions come first, and then the release")
    return open_release(release, revision=revision)


def _model(records: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the model that all records name; None where there are none."""
    names = {str(record["model"]) for record in records}
    if len(names) > 1:
        raise UsageError(
            f"the predictions are of several models ({', '.join(sorted(names))}): give each a"
            " folder of its own"
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
    if records:
        first = records[0]
        made |= first.get("about", {})
        made |= {"settings": first.get("settings", {}), "seconds": first.get("seconds")}
    if problems:
        made["problems"] = list(problems)
    return made
