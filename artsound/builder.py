"""`artsound build`: from source archives to the tables of a workspace."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import multiprocess

from artsound import __version__
from artsound.errors import UsageError
from artsound.executors import Executor
from artsound.executors.jobs import refuse_while_queued
from artsound.executors.run import check, run
from artsound.models.registry import Models
from artsound.pipeline import stage_index, stages
from artsound.prepare import identities, pins, prepare_stages
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.sources.archive import cached_source
from artsound.stage import Build, Stage
from artsound.workers import WORKER
from artsound.workspace import Workspace


@dataclass(frozen=True)
class Sources:
    """Where the two collections are: each an archive, or a folder of archives or unpacked trees."""

    artworks: Path
    tracks: Path


def build(
    recipe: Recipe,
    *,
    artworks: Path | str,
    tracks: Path | str,
    out: Path | str,
    workers: int | None = None,
    executor: Executor = "local",
    until: str | None = None,
    redo_from: str | None = None,
    progress: Progress | None = None,
) -> Workspace:
    """Build the tables of a workspace, or continue a build that was stopped.

    A part is a pure function of its inputs: running the same build again makes only what is
    missing, and ends in the same bytes however often it was killed and however many workers it had.

    Args:
        recipe: what to build.
        artworks: ArtGraph's archive, or a folder that holds it, packed or unpacked.
        tracks: the Free Music Archive's archives, or a folder that holds them.
        out: the workspace folder, new or of the same build.
        workers: how many processes work at a time, by default one, which is this process itself.
            With more, a script must make the call under `if __name__ == "__main__":`. On a cluster,
            how many shards of a stage are made at a time, by default as many as there is room for.
        executor: where shards are made: `local`, `slurm` or `ray`, with the recipe's settings.
            With `slurm` the build is only submitted; `artsound status` says how far it is.
        until: the last stage to run; all of them if None.
        redo_from: make this stage and all after it again. Needed when the recipe or the sources
            differ from those that the workspace was begun with.
        progress: where progress is shown; silent if None.

    Returns:
        The workspace.

    Raises:
        UsageError: a source or stage does not exist, or the workspace belongs to another recipe.
        ArtsoundError: a source cannot be read, a model is not there, a shard failed, or the
            cluster cannot be used.
    """
    check(executor)
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: at least 1")
    at_once = workers or (1 if executor == "local" else 0)
    if multiprocess.current_process().name == WORKER:
        # Worker processes import the script that they are started from.
        raise UsageError(
            "a script that builds with several workers must call artsound.build under"
            ' `if __name__ == "__main__":`'
        )
    sources = Sources(_existing(artworks, "--artworks"), _existing(tracks, "--tracks"))
    plan = stages(recipe)
    last = len(plan) if until is None else stage_index(plan, until) + 1
    workspace = Workspace(Path(out))
    if workspace.root.exists() and not workspace.root.is_dir():
        raise UsageError(f"--out {out} is a file: choose a folder, new or of the same build")
    before = workspace.description().get("models", {}) if workspace.exists() else {}
    models = Models(recipe.models, workspace.requests, pins=pins(before))
    context = Build(recipe, workspace, sources.artworks, sources.tracks, models=models)
    show = progress or Progress(quiet=True)
    redone = plan if redo_from is None else plan[stage_index(plan, redo_from) :]
    again = [stage.table for stage in redone] if redo_from else []
    prepare_stages(context, plan[:last], show.say, again)
    with workspace.locked():
        refuse_while_queued(workspace)
        workspace.sweep()
        known = identities(context, plan, before)
        context = dataclasses.replace(context, identities=known)
        _claim(context, plan, redo_from)
        run(executor, context, plan[:last], at_once, show)
    return workspace


def _existing(path: Path | str, option: str) -> Path:
    found = Path(path)
    if not found.exists():
        raise UsageError(f"{option} {found}: no such file or folder")
    return found


def _claim(build: Build, plan: list[Stage], redo_from: str | None) -> None:
    """Check that the workspace is this build's, or make it so."""
    wanted = {
        "artsound": __version__,
        "recipe": build.recipe.model_dump(mode="json"),
        "models": _recorded(build),
        "sources": {
            "artworks": cached_source(build.artworks).fingerprint(),
            "tracks": cached_source(build.tracks).fingerprint(),
        },
        # Where `artsound release` finds the media; stays in the workspace.
        "where": {
            "artworks": str(build.artworks.resolve()),
            "tracks": str(build.tracks.resolve()),
        },
        # How many shards the source stages have; those of the others follow from these.
        "shards": {stage.table: stage.shards(build) for stage in plan if not stage.reads},
    }
    if not build.workspace.exists():
        build.workspace.describe(wanted)
        return
    begun = build.workspace.description()
    changes = _differences(_comparable(begun), _comparable(wanted))
    changes += [
        change
        for stage in plan
        if build.workspace.shards(stage.table)  # nothing is lost where nothing is made
        for change in _other_weights(
            _of(stage, build.recipe, begun.get("models", {})), _recorded(build)
        )
    ]
    if redo_from is None:
        if changes:
            raise UsageError(
                f"{build.workspace.root} was begun with another recipe or sources:"
                f" {'; '.join(changes)}. Build in a new folder, or say --redo-from"
                f" {_first_changed(build, plan, begun)} to make that stage and all after it again"
            )
        build.workspace.describe(wanted)  # the same sources may have moved
        return
    first = stage_index(plan, redo_from)
    if first > 0:
        before = Recipe.parse(begun["recipe"], "workspace.json")
        _refuse_earlier_changes(build, plan[:first], before, begun.get("models", {}))
    for stage in plan[first:]:
        for table in (stage.table, *stage.side_tables):
            build.workspace.drop(table)
    build.workspace.describe(wanted)


def _first_changed(build: Build, plan: list[Stage], begun: Mapping[str, Any]) -> str:
    """Return the first stage that a changed recipe or source reaches."""
    try:
        recipe = Recipe.parse(begun["recipe"], "workspace.json")
    except UsageError:  # of a version with other settings
        return plan[0].table
    for stage in plan:
        source = stage.source and cached_source(getattr(build, stage.source)).fingerprint()
        if source and source != begun["sources"][stage.source]:
            return stage.table
        if _settings(stage, recipe) != _settings(stage, build.recipe):
            return stage.table
        if _other_weights(_of(stage, recipe, begun.get("models", {})), _recorded(build)):
            return stage.table
    return plan[-1].table


def _settings(stage: Stage, recipe: Recipe) -> dict[str, Any]:
    """Return what of a recipe shapes a stage's rows, its models' settings among it."""
    models = {
        name: recipe.models[name].shaping()
        for _, name in stage.models(recipe)
        if name in recipe.models
    }
    return {**stage.settings(recipe), "models": {name: m for name, m in models.items() if m}}


def _recorded(build: Build) -> dict[str, Any]:
    """Return what workspace.json says of the models' weights."""
    return {f"{role}/{name}": dict(known) for (role, name), known in build.identities.items()}


def _comparable(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a workspace's description must stay the same while it is built."""
    return {
        "recipe": _shaping(description["recipe"]),
        "sources": description.get("sources"),
    }


def _shaping(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return Recipe.parse(recipe, "workspace.json").shaping()
    except UsageError:  # of a version with other settings
        return recipe


def _other_weights(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the models whose weights are others than those that the workspace was begun with."""
    changes = []
    for name in sorted(before.keys() & now.keys()):
        old, new = _weights(before[name], now[name]), _weights(now[name], before[name])
        if old != new:
            changes.append(
                f"the weights of {name.partition('/')[2]}: {_short(old)} -> {_short(new)}"
            )
    return changes


def _weights(identity: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of weights, less what is not known on the other side."""
    mine, theirs = identity["weights"], other["weights"]
    return {part: mine[part] for part in mine if mine[part] and theirs.get(part)}


def _short(weights: Mapping[str, str]) -> str:
    """Return weights for people: checksums and commits by their first digits."""
    return ", ".join(re.sub(r"[0-9a-f]{40,64}", lambda m: m[0][:12], w) for w in weights.values())


def _of(stage: Stage, recipe: Recipe, models: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is recorded of a stage's models."""
    used = (f"{role}/{name}" for role, name in stage.models(recipe))
    return {name: models[name] for name in used if name in models}


def _refuse_earlier_changes(
    build: Build, kept: list[Stage], before: Recipe, models: Mapping[str, Any]
) -> None:
    for stage in kept:
        other = _other_weights(_of(stage, before, models), _recorded(build))
        if other or _settings(stage, before) != _settings(stage, build.recipe):
            raise UsageError(
                f"the change reaches stage {stage.table}, which comes before the one to redo:"
                f" say --redo-from {stage.table}"
            )


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return `key: old -> new` for every leaf that differs."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        changes = []
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path else str(key)
            changes += _differences(old.get(key), new.get(key), inner)
        return changes
    if old == new:
        return []
    if path.startswith("sources."):
        return [f"the contents of the {path.removeprefix('sources.')} source"]
    return [f"{path.removeprefix('recipe.')}: {old!r} -> {new!r}"]
