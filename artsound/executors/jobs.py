"""The SLURM jobs of a workspace, in `W/slurm`: which there are, how they are, their end."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError
from artsound.executors.node import failures
from artsound.workspace import Workspace

_POLL_S: Final = 2.0
_PATIENCE_S: Final = 120.0  # SLURM itself kills after its KillWait, by default 30 s


class NoSlurmError(ArtsoundError):
    """SLURM's commands are not on this machine, or its controller does not answer."""


@dataclass(frozen=True)
class StageJob:
    """The job of a stage.

    Attributes:
        stage: the stage's name.
        id: SLURM's number of the job, or of the job array.
        shards: how many shards the stage has when it is done.
    """

    stage: str
    id: str
    shards: int


def remember(workspace: Workspace, jobs: Sequence[StageJob]) -> None:
    """Write down the jobs of a workspace."""
    text = json.dumps({"jobs": [asdict(job) for job in jobs]}, indent=1)
    write_atomically(_list(workspace), f"{text}\n".encode())


def forget(workspace: Workspace) -> None:
    """Forget the jobs of a workspace."""
    _list(workspace).unlink(missing_ok=True)


def job_folder(workspace: Workspace, stage: str) -> Path:
    """Return where the script of a stage's job is, and what it reads."""
    return workspace.root / "slurm" / stage


def _list(workspace: Workspace) -> Path:
    return workspace.root / "slurm" / "jobs.json"


def remembered(workspace: Workspace) -> list[StageJob]:
    """Return the jobs of the last build that was given to SLURM, ended or not.

    Raises:
        ArtsoundError: the list of them is damaged.
    """
    path = _list(workspace)
    try:
        return [StageJob(**job) for job in json.loads(path.read_text("utf-8"))["jobs"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise ArtsoundError(
            f"{path} is not readable ({error}): look at squeue, and delete the file once no job"
            " of this build is there"
        ) from error


def queued(jobs: Sequence[StageJob]) -> dict[str, dict[str, int]]:
    """Return the tasks that wait or run, by stage: how many are in each of SLURM's states.

    Raises:
        NoSlurmError: SLURM cannot be asked.
    """
    if not jobs:
        return {}
    ids = ",".join(job.id for job in jobs)
    try:
        said = slurm("squeue", "--noheader", "--array", f"--jobs={ids}", "--format=%F|%T")
    except NoSlurmError as error:
        if "Invalid job id" in str(error):  # it has forgotten them: they ended long ago
            return {}
        raise
    stages = {job.id: job.stage for job in jobs}
    found: dict[str, Counter[str]] = {}
    for line in said.splitlines():
        number, _, state = line.strip().partition("|")
        found.setdefault(stages[number], Counter())[state.lower()] += 1
    return {stage: dict(sorted(states.items())) for stage, states in found.items()}


def refuse_while_queued(workspace: Workspace) -> None:
    """See that no job of a workspace waits or runs, before something else builds in it.

    Raises:
        ArtsoundError: one does, or SLURM cannot be asked.
    """
    jobs = remembered(workspace)
    if not jobs:
        return
    try:
        alive = queued(jobs)
    except NoSlurmError as error:
        raise ArtsoundError(
            f"{workspace.root} was given to SLURM, which cannot be asked from here ({error}): build"
            f" where it can, or delete {_list(workspace)} if its jobs have ended"
        ) from error
    if alive:
        raise ArtsoundError(
            f"SLURM jobs of {workspace.root} are queued or running ({', '.join(alive)}): wait for"
            f" them, or say `artsound cancel {workspace.root}`"
        )
    forget(workspace)


def cancel(workspace: Workspace) -> int:
    """End the jobs of a workspace, and wait until they have ended; what is committed stays.

    Returns:
        How many stages had a job that waited or ran.

    Raises:
        UsageError: the folder is no workspace.
        ArtsoundError: SLURM cannot be asked, or a job does not end.
    """
    workspace.description()
    jobs = remembered(workspace)
    alive = queued(jobs)
    end([job for job in jobs if job.stage in alive])
    forget(workspace)
    with workspace.locked():
        workspace.sweep()
    return len(alive)


def end(jobs: Sequence[StageJob]) -> None:
    """Cancel jobs, and wait until none of them runs.

    Raises:
        ArtsoundError: SLURM cannot be asked, or a job does not end.
    """
    if not jobs:
        return
    slurm("scancel", *(job.id for job in jobs))
    until = time.monotonic() + _PATIENCE_S
    while alive := queued(jobs):
        if time.monotonic() > until:
            raise ArtsoundError(
                f"jobs of {', '.join(alive)} were cancelled and still run: look at squeue, and"
                " cancel again"
            )
        time.sleep(_POLL_S / 4)


def follow(workspace: Workspace, say: Callable[[str], None]) -> None:
    """Wait until the jobs of a workspace have ended; an interruption does not end them.

    Args:
        workspace: the workspace.
        say: told of every change.

    Raises:
        ArtsoundError: a shard failed or a job was ended; the message says which and why.
    """
    jobs = remembered(workspace)
    before: dict[str, dict[str, int]] = {}
    while alive := queued(jobs):
        for stage in {**before, **alive}:
            if before.get(stage) != alive.get(stage):
                say(f"{stage}: {words(alive[stage]) if stage in alive else 'ended'}")
        before = alive
        time.sleep(_POLL_S)
    for job in jobs:
        for shard, reason in failures(workspace, job.stage).items():
            raise ArtsoundError(f"{job.stage}, shard {shard}: {reason}")
    for job in jobs:
        if len(workspace.shards(job.stage)) < job.shards:
            raise ArtsoundError(
                f"SLURM ended {job.stage} (job {job.id}) before it was done: its output is in"
                f" {workspace.root / 'logs' / job.stage / 'slurm'}; finished shards are kept: run"
                " the same command again to continue"
            )


def words(states: dict[str, int]) -> str:
    """Return states for people: `2 running, 40 pending`."""
    return ", ".join(f"{count} {state}" for state, count in states.items())


def slurm(*command: str) -> str:
    """Run one of SLURM's commands and return what it prints.

    Raises:
        NoSlurmError: it is not here, or it fails; with its own words.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise NoSlurmError(
            f"there is no {command[0]} on this machine: build where jobs can be submitted"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise NoSlurmError(f"{command[0]} failed: {said}")
    return done.stdout
