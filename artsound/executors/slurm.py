"""A build on SLURM: a job array a sharded stage, a single job a whole one, chained by dependencies.

All jobs are submitted at once, and the command ends: the cluster needs nobody to watch it. Which
shards of the later stages are missing is not known then, so every node looks for itself. A job that
nears its time limit is put back into the queue, where it continues with the shards that are left.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import dill
from datatrove.executor.slurm import SlurmPipelineExecutor

from artsound.atomic import write_atomically
from artsound.engine import log_folder, pending_shards, stage_threads, wants_gpu
from artsound.errors import ArtsoundError, UsageError
from artsound.executors.jobs import NoSlurmError, StageJob, end, forget, job_folder, remember, slurm
from artsound.executors.node import NodeShards, absolute, node
from artsound.executors.settings import Slurm
from artsound.pipeline import stage_index
from artsound.stage import Build, Stage
from artsound.threads import thread_variables

_ARRAY_SIZE: Final = 1000  # SLURM's own default allows indexes up to 1000
_PICKLED: Final = "executor.pik"


class SlurmStage(SlurmPipelineExecutor):  # type: ignore[misc]
    """The datatrove executor of one stage.

    Args:
        build: what the shards read; its paths are absolute.
        stage: the stage.
        shards: the numbers of the shards that are, or may be, missing.
        at_once: how many jobs of the array run at a time; 0 for no limit.
    """

    def __init__(self, build: Build, stage: Stage, shards: Sequence[int], at_once: int) -> None:
        self.settings: Slurm = build.recipe.executor.slurm
        wanted = self.settings.jobs(stage.table)
        logs = log_folder(build, stage)
        super().__init__(
            [NodeShards(build, stage, shards)],
            tasks=len(shards),
            tasks_per_job=math.ceil(len(shards) / (wanted.array_size or _ARRAY_SIZE)),
            time=str(wanted.time or ""),
            partition=wanted.partition or "",
            cpus_per_task=wanted.cpus or 1,
            workers=at_once or -1,
            job_name=f"artsound-{stage.table}",
            max_array_size=-1,
            logging_dir=str(logs),
            slurm_logs_folder=str(logs / "slurm"),
            skip_completed=False,  # the workspace's markers are the only truth about what is done
        )
        self.folder = job_folder(build.workspace, stage.table)
        self.wanted = wanted
        self.whole = stage.whole
        gpus = 1 if wanted.gpus is None else wanted.gpus
        self.gpus = gpus if wants_gpu(build, stage) else 0
        self.threads = self.cpus_per_task if stage.whole else stage_threads(stage)

    @property
    def array_tasks(self) -> int:
        """Return how many tasks the job array has."""
        return -(-len(self.pipeline[0].pending) // int(self.tasks_per_job))

    def launch_merge_stats(self) -> None:
        """Launch nothing: the parts' markers are the statistics."""

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        """Return what sbatch is asked for."""
        Path(self.slurm_logs_folder).mkdir(parents=True, exist_ok=True)
        output = f"{self.slurm_logs_folder}/{'%j' if self.whole else '%A_%a'}.out"
        limit = "" if self.workers == -1 else f"%{self.workers}"
        asked = {
            "job-name": self.job_name,
            "output": output,
            "array": None if self.whole else f"0-{max_array - 1}{limit}",
            "partition": self.partition,
            "account": self.wanted.account,
            "time": self.time,
            "cpus-per-task": self.cpus_per_task,
            "mem": self.wanted.memory_gb and f"{self.wanted.memory_gb}G",
            "gpus": self.gpus or None,
            "signal": f"B:USR1@{self.settings.grace_s}" if self.settings.grace_s else None,
            # Jobs whose turn can never come, since one before them failed, leave the queue.
            "kill-on-invalid-dep": "yes",
            **{name.lstrip("-"): value for name, value in self.wanted.sbatch.items()},
        }
        return {name: value for name, value in asked.items() if value not in (None, "")}

    def get_launch_file_contents(self, sbatch_args: dict[str, Any], run_script: str) -> str:
        """Return the batch script.

        The shell waits beside the program, so that it hears SLURM's warning at once: the program
        may be in native code for minutes.
        """
        asked = [f"#SBATCH --{name}={value}" for name, value in sbatch_args.items()]
        pickled = str(self.folder / _PICKLED)
        launch = [sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline", pickled]
        given = {**thread_variables(self.threads), "TOKENIZERS_PARALLELISM": "false"}
        if self.settings.offline:
            given["HF_HUB_OFFLINE"] = "1"
        again = (
            f'[ "${{SLURM_RESTART_COUNT:-0}}" -lt {self.settings.requeues} ]'
            ' && scontrol requeue "$SLURM_JOB_ID"'
        )
        lines = [
            "#!/bin/bash",
            *asked,
            "#SBATCH --requeue",
            *(f"export {name}={value}" for name, value in sorted(given.items())),
            *filter(None, [self.settings.setup.strip()]),
            f"trap {shlex.quote(again)} USR1",
            f"{shlex.join(launch)} &",
            "job=$!",
            'wait "$job"; code=$?',
            'while kill -0 "$job" 2>/dev/null; do wait "$job"; code=$?; done',
            'exit "$code"',
        ]
        return "\n".join([*lines, ""])

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
        except (ArtsoundError, OSError) as error:
            sys.exit(f"artsound: {error}")


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
    for name in build.recipe.executor.slurm.stages:
        try:
            stage_index(list(plan), name)
        except UsageError as error:
            raise UsageError(f"executor.slurm.stages: {error}") from error
    build = absolute(build)
    count: dict[str, int] = {}
    job_of: dict[str, str] = {}  # of the tables that will be made: who makes them
    jobs: list[StageJob] = []
    try:
        for stage in plan:
            waits = sorted({job_of[table] for table in stage.reads if table in job_of}, key=int)
            shards = _shards(build, stage, count, known=not waits)
            count.update(dict.fromkeys(stage.side_tables, count[stage.table]))
            if not shards:
                continue
            executor = SlurmStage(build, stage, shards, at_once)
            executor.depends_job_id = ":".join(waits) or None
            job = StageJob(stage.table, _launch(executor), count[stage.table])
            jobs.append(job)
            remember(build.workspace, jobs)
            job_of.update(dict.fromkeys((stage.table, *stage.side_tables), job.id))
            say(f"{stage.table}: job {job.id}, {_many(executor.array_tasks, 'task')}")
    except BaseException:
        end(jobs)
        forget(build.workspace)
        raise
    return jobs


def _shards(build: Build, stage: Stage, count: dict[str, int], known: bool) -> list[int]:
    """Return the shards that are missing, or all if that is not known yet; count them."""
    if known:
        count[stage.table] = stage.shards(build)
        return pending_shards(build, stage)
    count[stage.table] = 1 if stage.whole else count[stage.reads[0]]
    for table in (stage.table, *stage.side_tables):
        build.workspace.drop(table, keep=count[stage.table])
    return list(range(count[stage.table]))


def _launch(executor: SlurmStage) -> str:
    """Write what a node needs, and submit the job."""
    executor.folder.mkdir(parents=True, exist_ok=True)
    write_atomically(executor.folder / _PICKLED, dill.dumps(executor))
    script = executor.folder / "job.sh"
    text = executor.get_launch_file_contents(executor.get_sbatch_args(executor.array_tasks), "")
    script.write_text(text, "utf-8")
    after = [f"--dependency=afterok:{executor.depends_job_id}"] if executor.depends_job_id else []
    try:
        return slurm("sbatch", "--parsable", *after, str(script)).strip().partition(";")[0]
    except NoSlurmError as error:
        raise NoSlurmError(
            f"{executor.job_name}: {error}: see [executor.slurm] of the recipe"
        ) from error


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
