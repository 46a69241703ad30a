"""Runs the stages of a build where the user wants: on this machine, on SLURM or on Ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from artsound.engine import run_stage
from artsound.errors import UsageError
from artsound.executors import Executor
from artsound.progress import Progress
from artsound.stage import Build, Stage


def check(executor: str) -> None:
    """See that there is such an executor.

    Raises:
        UsageError: there is not.
    """
    if executor not in get_args(Executor):
        raise UsageError(f"--executor {executor}: one of {', '.join(get_args(Executor))}")


def run(
    executor: Executor, build: Build, plan: Sequence[Stage], workers: int, progress: Progress
) -> None:
    """Make what is missing of a build; with `slurm`, submit it.

    Args:
        executor: where.
        build: what the shards read.
        plan: the stages, each after everything that it reads.
        workers: how many shards of a stage are made at a time; 0 for as many as there is room for.
        progress: told of every part that is committed, or of every job that is submitted.

    Raises:
        ArtsoundError: a shard failed, or the cluster cannot be used; says why.
    """
    # What a cluster needs is imported where one is used.
    if executor == "slurm":
        from artsound.executors.slurm import submit

        submit(build, plan, workers, progress.say)
    elif executor == "ray":
        from artsound.executors.ray import cluster, run_stage_on_ray

        with cluster(build.recipe.executor.ray, progress.say):
            for stage in plan:
                run_stage_on_ray(build, stage, workers, progress)
    else:
        for stage in plan:
            run_stage(build, stage, workers, progress)
