"""A release as a SLURM job: `artsound release` on a node, after the build's jobs if they go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from artsound.errors import ArtsoundError
from artsound.executors.batch import Batch
from artsound.executors.jobs import StageJob, queued, remember, remembered
from artsound.executors.slurm import RELEASE, submission
from artsound.release.assemble import LicenseChoice, MediaChoice, check_version
from artsound.release.finished import check_finished, recorded
from artsound.release.staging import check_vacant
from artsound.reopen import reopen
from artsound.threads import thread_variables
from artsound.workspace import Workspace


def submit_release(
    workspace: Workspace,
    out: Path,
    *,
    artworks: Path | None,
    tracks: Path | None,
    media: MediaChoice,
    licenses: LicenseChoice,
    version: str | None,
    previous: Path | None,
    say: Callable[[str], None],
) -> StageJob:
    """Submit the release of a build that is finished, or whose jobs are queued or running.

    It runs once all of them have succeeded, with what the recipe's `executor.slurm` and
    `executor.slurm.stages.release` ask for. The options are those of `release`.

    Args:
        workspace: the build.
        out: the release's folder.
        artworks: the artworks' source, if it is not where the build found it.
        tracks: the tracks' source, likewise.
        media: whether it holds the artworks and the music.
        licenses: the pairs that it holds.
        version: its version.
        previous: the release before.
        say: told of the job.

    Returns:
        The job; `follow` waits for it.

    Raises:
        UsageError: an option is wrong, as `release` would say.
        ArtsoundError: the build is not finished and none of its jobs is queued or running, or a
            release of it is; or SLURM refuses the job.
    """
    check_version(version, previous)
    check_vacant(out)
    build = reopen(workspace, artworks=artworks, tracks=tracks) if media == "embed" else None
    workspace = Workspace(workspace.root.resolve())
    options: dict[str, object] = {
        "out": out.resolve(),
        "media": media,
        "licenses": licenses,
        "version": version,
        "previous": previous and previous.resolve(),
        "artworks": build and build.artworks.resolve(),
        "tracks": build and build.tracks.resolve(),
    }
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    with workspace.locked():
        known = remembered(workspace)
        alive = queued(known)
        before = [job for job in known if job.stage in alive]
        if RELEASE in alive:
            raise ArtsoundError(
                f"a release of {workspace.root} is queued or running: wait for it, or say `artsound"
                f" cancel {workspace.root}`"
            )
        if not before:
            check_finished(workspace)
        settings = recorded(workspace).recipe.executor.slurm
        batch = Batch(
            workspace,
            RELEASE,
            settings,
            [sys.executable, "-m", "artsound.cli", "release", str(workspace.root), *given],
            environment=thread_variables(settings.jobs(RELEASE).cpus or 1),
            requeue=False,  # it appears whole or not at all: the next time would end as early
        )
        with submission(workspace, before) as jobs:
            number = batch.submit([job.id for job in before])
            jobs.append(StageJob(RELEASE, number, 0, str(out.resolve())))
            remember(workspace, jobs)
            say(f"{RELEASE}: job {number}" + (f", after {before[-1].stage}" if before else ""))
    return jobs[-1]
