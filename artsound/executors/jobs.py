"""The SLURM jobs of a workspace, in `W/slurm`: which there are, how they are, their end."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError
from artsound.workspace import Workspace

_POLL_S: Final = 0.5
_PATIENCE_S: Final = 120.0  # SLURM itself kills after its KillWait, by default 30 s


class NoSlurmError(ArtsoundError):
    """SLURM's commands are not on this machine, or its controller does not answer."""


@dataclass(frozen=True)
class StageJob:
    """The job of a stage, or of a release.

    Attributes:
        stage: the stage's name, or `release`.
        id: SLURM's number of the job, or of the job array.
        shards: how many shards the stage has when it is done.
        out: the folder that a release writes; nothing for a stage.
    """

    stage: str
    id: str
    shards: int
    out: str = ""


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


def comment(workspace: Workspace) -> str:
    """Return what every job of a workspace carries, so that none is ever lost."""
    return f"artsound {workspace.root.resolve()}"


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
        said = slurm("squeue", "--noheader", "--array", f"--jobs={ids}", "--format=%F|%T|%r")
    except NoSlurmError as error:
        if "Invalid job id" in str(error):  # it has forgotten them: they ended long ago
            return {}
        raise
    stages = {job.id: job.stage for job in jobs}
    found: dict[str, Counter[str]] = {}
    for line in said.splitlines():
        number, state, reason = line.strip().split("|", 2)
        held = reason == "JobHeldUser"  # by a submission that was killed
        found.setdefault(stages[number], Counter())["held" if held else state.lower()] += 1
    return {stage: dict(sorted(states.items())) for stage, states in found.items()}


def inside(workspace: Workspace) -> bool:
    """Say whether this process is part of one of the workspace's jobs."""
    own = (os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_JOB_ID"))
    return any(job.id in own for job in remembered(workspace))


def refuse_while_queued(workspace: Workspace) -> None:
    """See that no job of a workspace waits or runs, before something else builds in it.

    One of its jobs need not ask: SLURM began it after those that it waits for.

    Raises:
        ArtsoundError: one does, or SLURM cannot be asked.
    """
    jobs = remembered(workspace)
    if not jobs or inside(workspace):
        return
    try:
        alive = queued(jobs)
    except NoSlurmError as error:
        raise ArtsoundError(
            f"{workspace.root} was given to SLURM, which cannot be asked from here ({error}): go on"
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
    with workspace.locked():  # nobody submits more of them meanwhile
        jobs = remembered(workspace)
        alive = queued(jobs)
        end([job.id for job in jobs if job.stage in alive])
        end_lost(workspace)
        forget(workspace)
        workspace.sweep()
    return len(alive)


def end_lost(workspace: Workspace) -> None:
    """Cancel the jobs of a workspace that a killed submission left unwritten; they are held.

    Raises:
        ArtsoundError: SLURM cannot be asked, or a job does not end.
    """
    said = slurm("squeue", "--noheader", "--me", "--format=%F|%k")
    lines = (line.strip().partition("|") for line in said.splitlines())
    end(sorted({number for number, _, text in lines if text == comment(workspace)}))


def end(ids: Sequence[str]) -> None:
    """Cancel jobs by their numbers, and wait until none of them runs.

    Raises:
        ArtsoundError: SLURM cannot be asked, or a job does not end.
    """
    if not ids:
        return
    slurm("scancel", *ids)
    until = time.monotonic() + _PATIENCE_S
    while queued(jobs := [StageJob(number, number, 0) for number in ids]):
        if time.monotonic() > until:
            raise ArtsoundError(
                f"SLURM jobs {', '.join(queued(jobs))} were cancelled and still run: look at squeue"
                " and cancel again"
            )
        time.sleep(_POLL_S)


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
