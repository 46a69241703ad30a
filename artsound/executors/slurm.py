"""A build on SLURM: a job array a sharded stage, a single job a whole one, chained by dependencies.

All jobs are submitted at once, and the command ends: the cluster needs nobody to watch it. Which
shards of the later stages are missing is not known then, so every node looks for itself. A job that
nears its time limit is put back into the queue, where it continues with the shards that are left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import dill
from datatrove.executor.slurm import SlurmPipelineExecutor

from artsound.atomic import write_atomically
from artsound.engine import log_folder, pending_shards, stage_threads, wants_gpu
from artsound.errors import ArtsoundError, UsageError
from artsound.executors.batch import STAMP, Batch
from artsound.executors.jobs import StageJob, end, end_lost, forget, remember, slurm
from artsound.executors.node import NodeShards, absolute, forget_failures, node
from artsound.pipeline import stage_index, stages
from artsound.stage import Build, Stage
from artsound.threads import thread_variables
from artsound.workspace import Workspace

RELEASE: Final = "release"  # what the job of a release is called among the stages
_ARRAY_SIZE: Final = 1000  # SLURM's own default allows indexes up to 1000
_PICKLED: Final = "executor.pik"


class SlurmStage(SlurmPipelineExecutor):  # type: ignore[misc]
    """The datatrove executor of one stage.

    datatrove's own submission cannot hold a job back, and its script requeues without end.

    Args:
        build: what the shards read; its paths are absolute.
        stage: the stage.
        shards: the numbers of the shards that are, or may be, missing.
        at_once: how many jobs of the array run at a time; 0 for no limit.
        inputs: how many parts each table has, or will have, that the stage reads.
    """

    def __init__(
        self,
        build: Build,
        stage: Stage,
        shards: Sequence[int],
        at_once: int,
        inputs: Mapping[str, int],
    ) -> None:
        wanted = build.recipe.executor.slurm.jobs(stage.table)
        super().__init__(
            [NodeShards(build, stage, shards, inputs)],
            tasks=len(shards),
            tasks_per_job=math.ceil(len(shards) / (wanted.array_size or _ARRAY_SIZE)),
            time="",  # `batch` says what is asked of SLURM
            partition="",
            cpus_per_task=wanted.cpus or 1,
            workers=at_once or -1,
            logging_dir=str(log_folder(build, stage)),
            skip_completed=False,  # the workspace's markers are the only truth about what is done
        )
        self.gpus = (1 if wanted.gpus is None else wanted.gpus) if wants_gpu(build, stage) else 0

    @property
    def array_tasks(self) -> int:
        """Return how many tasks the job array has."""
        return -(-int(self.tasks) // int(self.tasks_per_job))

    def batch(self) -> Batch:
        """Return the job array, or the job of a whole stage."""
        (step,) = self.pipeline
        build, stage = step.build, step.stage
        limit = "" if self.workers == -1 else f"%{self.workers}"
        kept = [build.workspace.folder(stage.table)] if stage.whole else []
        if any(build.models.setup(*model).entry.served for model in stage.models(build.recipe)):
            kept.append(build.workspace.requests)
        batch = Batch(
            build.workspace,
            stage.table,
            build.recipe.executor.slurm,
            command=(),
            asked={
                "array": None if stage.whole else f"0-{self.array_tasks - 1}{limit}",
                "gpus": self.gpus or None,
            },
            environment=thread_variables(
                self.cpus_per_task if stage.whole else stage_threads(stage)
            ),
            kept=kept,
        )
        launch = [sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline"]
        return dataclasses.replace(batch, command=[*launch, str(batch.folder / _PICKLED)])

    def run(self) -> None:
        """Make, on a node, the shards of this job; exit code 1 if one fails."""
        number = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
        first = number * self.tasks_per_job
        ranks = range(first, min(first + self.tasks_per_job, self.tasks))
        ranks_left = [rank for rank in ranks if self.pipeline[0].missing(rank)]
        if not ranks_left:
            return
        try:
            with node(self, f"job-{number:05d}") as make:
                for rank in ranks_left:
                    make(rank)
                    _tell()
        except (ArtsoundError, OSError) as error:
            sys.exit(f"artsound: {error}")


def _tell() -> None:
    """Tell the job's shell that a shard was made: the job is worth going on with."""
    if stamp := os.environ.get(STAMP):
        with Path(stamp).open("a") as stream:
            stream.write("+")


def submit(
    build: Build, plan: Sequence[Stage], at_once: int, say: Callable[[str], None]
) -> list[StageJob]:
    """Submit the jobs of a build's missing shards; all of them, or none if one is refused.

    Args:
        build: what the shards read.
        plan: the stages, each after everything that it reads.
        at_once: how many jobs of a stage run at a time; 0 for no limit.
        say: told of every job.

    Returns:
        The jobs; none if nothing is missing.

    Raises:
        UsageError: the recipe has settings for a stage that there is not.
        NoSlurmError: SLURM is not here or refuses a job; says why.
    """
    _check_names(build, plan)
    build = absolute(build)
    count: dict[str, int] = {}
    job_of: dict[str, str] = {}  # of the tables that will be made: who makes them
    with submission(build.workspace) as jobs:
        for stage in plan:
            waits = sorted({job_of[table] for table in stage.reads if table in job_of}, key=int)
            shards = _shards(build, stage, count, known=not waits)
            count.update(dict.fromkeys(stage.side_tables, count[stage.table]))
            if not shards:
                continue
            forget_failures(build.workspace, stage.table, shards)
            inputs = {table: count[table] for table in stage.reads}
            executor = SlurmStage(build, stage, shards, at_once, inputs)
            batch = executor.batch()
            write_atomically(batch.folder / _PICKLED, dill.dumps(executor))
            job = StageJob(stage.table, batch.submit(waits), count[stage.table])
            jobs.append(job)
            remember(build.workspace, jobs)
            job_of.update(dict.fromkeys((stage.table, *stage.side_tables), job.id))
            say(f"{stage.table}: job {job.id}, {_many(executor.array_tasks, 'task')}")
    return jobs


@contextlib.contextmanager
def submission(workspace: Workspace, known: Sequence[StageJob] = ()) -> Iterator[list[StageJob]]:
    """Let jobs run once all are submitted and written down, or end all of them.

    Args:
        workspace: whose jobs.
        known: jobs that were there before; they stay.

    Yields:
        The jobs, for those to be added that are submitted.
    """
    jobs = list(known)
    if not known:
        end_lost(workspace)
    try:
        yield jobs
        if new := [job.id for job in jobs if job not in known]:
            slurm("scontrol", "release", ",".join(new))
    except BaseException:
        end([job.id for job in jobs if job not in known])
        if known:
            remember(workspace, known)
        else:
            end_lost(workspace)
            forget(workspace)
        raise


def _check_names(build: Build, plan: Sequence[Stage]) -> None:
    """Raise UsageError if the recipe has settings for the jobs of a stage that there is not."""
    known = {stage.table: stage for stage in [*plan, *stages(build.recipe)]}
    for name in build.recipe.executor.slurm.stages:
        if name != RELEASE:
            try:
                stage_index(list(known.values()), name)
            except UsageError as error:
                raise UsageError(f"executor.slurm.stages: {error}") from error


def _shards(build: Build, stage: Stage, count: dict[str, int], known: bool) -> list[int]:
    """Return the shards that are missing, or all if that is not known yet; count them."""
    if known:
        count[stage.table] = stage.shards(build)
        return pending_shards(build, stage)
    count[stage.table] = 1 if stage.whole else count[stage.reads[0]]
    for table in (stage.table, *stage.side_tables):
        build.workspace.drop(table, keep=count[stage.table])
    return list(range(count[stage.table]))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
