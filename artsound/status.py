"""`artsound status`: what of a build is done, what was rejected, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from artsound.executors.batch import output_folder
from artsound.executors.follow import ended_early
from artsound.executors.jobs import NoSlurmError, StageJob, queued, remembered, words
from artsound.executors.node import failures
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.schema import Reason
from artsound.workspace import Workspace

# The reasons of rows with status `failed`.
_GIVEN_UP: Final = (Reason.CAPTION_FAILED, Reason.SCORE_FAILED, Reason.EMBEDDING_FAILED)


@dataclass(frozen=True)
class StageStatus:
    """How far a stage has come.

    Attributes:
        table: the stage.
        done: number of committed shards.
        shards: number of shards, or None where an earlier stage must finish first.
        rows: rows in the committed shards.
        failures: rows that are not `ok`, by reason.
        seconds: time that the committed shards took, summed over workers.
    """

    table: str
    done: int
    shards: int | None
    rows: int
    failures: dict[str, int]
    seconds: float

    @property
    def state(self) -> str:
        """Return `done`, `partly` or `left`."""
        if self.shards is not None and self.done >= self.shards > 0:
            return "done"
        return "partly" if self.done else "left"


def status(workspace: Workspace) -> list[StageStatus]:
    """Return the status of every stage of a workspace's recipe, from its markers alone.

    Raises:
        UsageError: the folder is no workspace.
    """
    begun = workspace.description()
    recipe = Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json")
    known: dict[str, int | None] = dict(begun.get("shards", {}))
    found = []
    for stage in stages(recipe):
        shards = known.get(stage.table)
        if shards is None and stage.reads:
            shards = 1 if stage.whole else known.get(stage.reads[0])
        known[stage.table] = shards
        found.append(_of(workspace, stage.table, shards))
    return found


def hint(found: Sequence[StageStatus]) -> str | None:
    """Return how to try rows again that a model gave up on, or None if there are none.

    Rejected rows are not among them: for those, it is the source that would have to change.
    """
    for stage in found:
        given_up = sum(count for reason, count in stage.failures.items() if reason in _GIVEN_UP)
        if given_up:
            return (
                f"Failed rows stay as they are ({given_up} in {stage.table}); to try them again,"
                f" run the build with --redo-from {stage.table}"
            )
    return None


def on_cluster(workspace: Workspace) -> list[str]:
    """Return a line for every stage that has SLURM jobs, or shards that failed on a node.

    Raises:
        ArtsoundError: the list of the jobs is damaged.
    """
    jobs = remembered(workspace)
    try:
        alive = queued(jobs)
    except NoSlurmError as error:
        alive = {}
        lines = [f"its SLURM jobs cannot be asked for: {error}"]
    else:
        lines = [
            f"{job.stage}: SLURM job {job.id}, {words(alive[job.stage])}; its output is in"
            f" {output_folder(workspace, job.stage)}"
            for job in jobs
            if job.stage in alive
        ]
        lines += _first_end(workspace, [job for job in jobs if job.stage not in alive])
    begun = Recipe.parse(workspace.description()["recipe"], f"{workspace.root}/workspace.json")
    for stage in stages(begun):
        found = failures(workspace, stage.table)
        lines += [f"{stage.table}, shard {shard}: {why}" for shard, why in found.items()]
    return lines


def _first_end(workspace: Workspace, ended: Sequence[StageJob]) -> list[str]:
    """Return why the first job ended early, unless its shards say so; the others waited for it."""
    for job in ended:
        if failures(workspace, job.stage):
            return []
        if why := ended_early(workspace, job):
            return [why]
    return []


def _of(workspace: Workspace, table: str, shards: int | None) -> StageStatus:
    numbers = workspace.shards(table)
    markers = [workspace.marker(table, number) for number in numbers]
    failures: dict[str, int] = {}
    for marker in markers:
        for reason, count in marker.failures.items() if marker else ():
            failures[reason] = failures.get(reason, 0) + count
    return StageStatus(
        table,
        done=len(numbers),
        shards=shards,
        rows=sum(marker.rows for marker in markers if marker),
        failures=failures,
        seconds=sum(marker.seconds for marker in markers if marker),
    )
