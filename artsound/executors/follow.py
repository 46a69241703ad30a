"""Waiting for the SLURM jobs of a workspace, and saying how they ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from artsound.errors import ArtsoundError
from artsound.executors.batch import given_up, output_folder
from artsound.executors.jobs import NoSlurmError, StageJob, forget, queued, remembered, words
from artsound.executors.node import failures
from artsound.stopping import Stopped
from artsound.workspace import Workspace

_POLL_S: Final = 2.0
_RETRY_S: Final = 10.0
# A controller may be restarted, or change places with its backup, while jobs go on.
_PATIENCE_S: Final = 1800.0
_ERROR: Final = "artsound: "


class StoppedWaitingError(ArtsoundError):
    """The user stopped waiting; the jobs go on.

    Args:
        workspace: whose jobs.
        exit_code: of the command.
    """

    def __init__(self, workspace: Workspace, exit_code: int) -> None:
        super().__init__(
            f"stopped waiting, the SLURM jobs go on: `artsound status {workspace.root}` says how"
            f" far they are, `artsound cancel {workspace.root}` ends them"
        )
        self.exit_code = exit_code


def follow(
    workspace: Workspace, say: Callable[[str], None], patience_s: float = _PATIENCE_S
) -> None:
    """Wait until the jobs of a workspace have ended; an interruption does not end them.

    Args:
        workspace: the workspace.
        say: told of every change.
        patience_s: how long SLURM may be out of reach once it has answered, in seconds.

    Raises:
        StoppedWaitingError: a signal came.
        ArtsoundError: a shard failed or a job was ended; the message says which and why.
    """
    jobs = remembered(workspace)
    try:
        _wait(jobs, say, patience_s)
    except Stopped as stopped:
        raise StoppedWaitingError(workspace, stopped.exit_code) from None
    for job in jobs:  # each after those that it waited for
        for shard, reason in failures(workspace, job.stage).items():
            raise ArtsoundError(f"{job.stage}, shard {shard}: {reason}")
        if why := ended_early(workspace, job):
            raise ArtsoundError(why)
    forget(workspace)


def _wait(jobs: list[StageJob], say: Callable[[str], None], patience_s: float) -> None:
    before: dict[str, dict[str, int]] = {}
    alive = queued(jobs)
    while alive:
        for stage in {**before, **alive}:
            if before.get(stage) != alive.get(stage):
                say(f"{stage}: {words(alive[stage]) if stage in alive else 'ended'}")
        before = alive
        time.sleep(_POLL_S)
        alive = _ask(jobs, say, patience_s)


def _ask(
    jobs: list[StageJob], say: Callable[[str], None], patience_s: float
) -> dict[str, dict[str, int]]:
    """Return what waits or runs, from a SLURM that may be out of reach for a while."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return queued(jobs)
        except NoSlurmError as error:
            if time.monotonic() > until:
                raise
            say(f"{error}: asking again")
            time.sleep(min(_RETRY_S, patience_s))


def ended_early(workspace: Workspace, job: StageJob) -> str | None:
    """Return why a job that has ended is not done, as far as no shard says it; None if it is."""
    if _done(workspace, job):
        return None
    output = output_folder(workspace, job.stage)
    return (
        given_up(workspace, job.stage)
        or _last_error(output, job)
        or f"SLURM ended {job.stage} (job {job.id}) before it was done: its output is in {output};"
        " what is finished is kept: run the same command again to continue"
    )


def _done(workspace: Workspace, job: StageJob) -> bool:
    if not job.out:
        return len(workspace.shards(job.stage)) >= job.shards
    from artsound.release.manifest import NAME

    return (Path(job.out) / NAME).is_file()


def _last_error(output: Path, job: StageJob) -> str | None:
    """Return the error that a release's command ended with, from its output; None of a stage."""
    if not job.out:
        return None
    try:
        lines = (output / f"{job.id}.out").read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    errors = [line for line in lines if line.startswith(_ERROR)]
    return f"{job.stage}: {errors[-1].removeprefix(_ERROR)}" if errors else None
