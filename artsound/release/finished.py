"""Whether a build is finished: every part is there, and made from what the others hold now."""

from __future__ import annotations

from pathlib import Path

from artsound.engine import shard_inputs
from artsound.errors import ArtsoundError
from artsound.executors.jobs import inside, refuse_while_queued
from artsound.executors.visible import wait_for_parts
from artsound.models.registry import Models
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.stage import Build
from artsound.status import status
from artsound.workspace import Workspace


def check_finished(workspace: Workspace) -> None:
    """See that all stages of a build are done, each from what the earlier ones hold now.

    No source is read: what the build recorded of them counts.

    Args:
        workspace: the build.

    Raises:
        ArtsoundError: its SLURM jobs are queued or running, a stage is not done, or a part was made
            from others than are there; says which, and what to do.
    """
    refuse_while_queued(workspace)
    found = status(workspace)
    if inside(workspace):  # other nodes have just made the last parts
        wait_for_parts(workspace, {stage.table: stage.shards or 0 for stage in found})
        found = status(workspace)
    for stage in found:
        if stage.state != "done":
            raise ArtsoundError(
                f"{workspace.root} is not finished ({stage.table} is {stage.state}): run"
                " `artsound build` again, it continues where it stopped"
            )
    _check_inputs(workspace)


def recorded(workspace: Workspace) -> Build:
    """Return the build that made a workspace as that recorded it; no source need be there.

    Raises:
        UsageError: the folder is no workspace.
    """
    begun = workspace.description()
    recipe = Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json")
    models = ((key.partition("/"), known) for key, known in begun.get("models", {}).items())
    return Build(
        recipe,
        workspace,
        Path(begun["where"]["artworks"]),
        Path(begun["where"]["tracks"]),
        models=Models(recipe.models, workspace.requests),
        identities={(role, name): known for (role, _, name), known in models},
    )


def _check_inputs(workspace: Workspace) -> None:
    build, sources = recorded(workspace), workspace.description()["sources"]
    for stage in stages(build.recipe):
        for shard in workspace.shards(stage.table):
            inputs = shard_inputs(build, stage, shard, sources)
            for table in (stage.table, *stage.side_tables):
                marker = workspace.marker(table, shard)
                if marker is None or marker.inputs != inputs:
                    raise ArtsoundError(
                        f"{table}, part {shard}, was not made from what {workspace.root} holds now:"
                        " run `artsound build` again, it makes anew what has changed"
                    )
