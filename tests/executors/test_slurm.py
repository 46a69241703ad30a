"""Builds on a real SLURM of one node: the same bytes as here, dependencies, failures, the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artsound.builder import build
from artsound.engine import run_stage
from artsound.errors import ArtsoundError, UsageError
from artsound.executors.jobs import (
    NoSlurmError,
    cancel,
    follow,
    queued,
    refuse_while_queued,
    remembered,
    slurm,
)
from artsound.executors.node import failures
from artsound.executors.slurm import submit
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.release.assemble import release
from artsound.release.manifest import read_manifest
from artsound.stage import Build, Stage
from artsound.workspace import Workspace
from tests.conftest import SampleSources
from tests.executors.toys import Broken, Numbers, Patient, Squares, Total, parts, toy_build
from tests.slurm.cluster import missing, slurm_cluster

QUIET = Progress(quiet=True)
FEW_JOBS = "executor.slurm.array_size=2"

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(bool(missing()), reason=f"no SLURM: {', '.join(missing())}"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    with slurm_cluster() as root:
        yield root


def _submit(toys: Build, *plan: Stage) -> None:
    submit(toys, plan, 0, QUIET.say)


def test_a_plan_gives_the_same_bytes_as_here(cluster: Path, tmp_path: Path) -> None:
    here, there = toy_build(tmp_path / "here"), toy_build(tmp_path / "there", FEW_JOBS)
    for stage in (Numbers(), Squares(), Total()):
        run_stage(here, stage, 1, QUIET)
    _submit(there, Numbers(), Squares(), Total())
    assert [(job.stage, job.shards) for job in remembered(there.workspace)] == [
        ("numbers", 4),
        ("squares", 4),
        ("total", 1),
    ]
    follow(there.workspace, QUIET.say)
    assert parts(there.workspace) == parts(here.workspace)
    assert len(parts(there.workspace)) == 4 * 3 + 1
    there.workspace.part("squares", 2).write_bytes(b"altered")
    _submit(there, Numbers(), Squares(), Total())  # all but one shard is intact
    follow(there.workspace, QUIET.say)
    assert parts(there.workspace) == parts(here.workspace)
    assert not list(there.workspace.root.rglob(".tmp-*"))


def test_a_failed_shard_is_named_and_what_waits_for_it_leaves_the_queue(
    cluster: Path, tmp_path: Path
) -> None:
    toys = toy_build(tmp_path, FEW_JOBS)
    toys.workspace.describe({"recipe": toys.recipe.model_dump(mode="json")})
    _submit(toys, Numbers(), Broken(), Total())
    with pytest.raises(ArtsoundError, match=r"squares, shard 1: .* no such luck") as found:
        follow(toys.workspace, QUIET.say)
    assert "\n" not in str(found.value)
    assert list(failures(toys.workspace, "squares")) == [1]
    assert not queued(remembered(toys.workspace))
    assert not toys.workspace.shards("total")
    _submit(toys, Numbers(), Squares(), Total())
    follow(toys.workspace, QUIET.say)
    assert not failures(toys.workspace, "squares")


def test_jobs_are_cancelled_and_nothing_else_builds_before(cluster: Path, tmp_path: Path) -> None:
    toys = toy_build(tmp_path)
    toys.workspace.describe({"recipe": toys.recipe.model_dump(mode="json")})
    _submit(toys, Patient(), Squares())
    with pytest.raises(ArtsoundError, match=r"queued or running .*artsound cancel"):
        refuse_while_queued(toys.workspace)
    assert cancel(toys.workspace) == 2
    assert not slurm("squeue", "--noheader").strip()
    assert cancel(toys.workspace) == 0
    refuse_while_queued(toys.workspace)


def test_a_refused_job_takes_the_others_with_it(cluster: Path, tmp_path: Path) -> None:
    toys = toy_build(tmp_path, "executor.slurm.stages.squares.partition=none-such")
    with pytest.raises(NoSlurmError, match=r"artsound-squares: .*invalid partition"):
        _submit(toys, Patient(), Squares())
    assert not slurm("squeue", "--noheader").strip()
    assert not remembered(toys.workspace)


def test_settings_of_a_stage_that_is_not_there_are_refused(cluster: Path, tmp_path: Path) -> None:
    toys = toy_build(tmp_path, "executor.slurm.stages.square.time=1")
    with pytest.raises(UsageError, match=r"executor.slurm.stages: .* did you mean 'squares'"):
        _submit(toys, Numbers(), Squares())


def test_the_command_line_submits_waits_and_shows(
    cluster: Path, sources: SampleSources, tmp_path: Path
) -> None:
    out = tmp_path / "work"
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", out]
    options = ["--until", "tracks", "--executor", "slurm", "--set", FEW_JOBS]

    def artsound(*words: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "artsound.cli", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "next: artsound status" in artsound("build", *where, *options)
    shown = artsound("status", out)
    assert "tracks: SLURM job" in shown
    assert "pending" in shown
    assert "cancelled the jobs of" in artsound("cancel", out)
    assert "next: the same without --until" in artsound("build", *where, *options, "--wait")
    build(
        Recipe.read("lite"),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=tmp_path / "here",
        until="tracks",
    )
    assert parts(Workspace(out)) == parts(Workspace(tmp_path / "here"))


@pytest.mark.endurance
@pytest.mark.timeout(600)
def test_a_job_whose_time_is_over_is_queued_again_and_continues(
    cluster: Path, tmp_path: Path
) -> None:
    settings = ("array_size=1", "time=1", "grace_s=20")
    toys = toy_build(tmp_path, *(f"executor.slurm.{setting}" for setting in settings))
    _submit(toys, Patient())
    follow(toys.workspace, QUIET.say)
    assert toys.workspace.shards("numbers") == [0, 1, 2, 3]


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_the_sample_gives_the_same_bytes_and_release(
    cluster: Path, sources: SampleSources, built: Workspace, released: Path, tmp_path: Path
) -> None:
    workspace = build(
        Recipe.read("lite", [FEW_JOBS]),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=tmp_path / "work",
        executor="slurm",
    )
    follow(workspace, QUIET.say)
    assert parts(workspace) == parts(built)
    release(workspace, tmp_path / "released")
    assert read_manifest(tmp_path / "released") == read_manifest(released)
