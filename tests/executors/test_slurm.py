"""Builds on a real SLURM of one node: the same bytes as here, dependencies, failures, the end."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artsound.builder import build
from artsound.engine import run_stage
from artsound.errors import ArtsoundError, UsageError
from artsound.executors.follow import follow
from artsound.executors.jobs import (
    NoSlurmError,
    cancel,
    queued,
    refuse_while_queued,
    remembered,
    slurm,
)
from artsound.executors.node import failures
from artsound.executors.release import submit_release
from artsound.executors.slurm import SlurmStage, submit
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.release.manifest import read_manifest
from artsound.stage import Build, Stage
from artsound.status import on_cluster
from artsound.workspace import Workspace
from tests.conftest import SampleSources
from tests.executors.toys import (
    Broken,
    Chatty,
    Doomed,
    Hopeless,
    Numbers,
    Patient,
    Squares,
    Total,
    chatty_build,
    install_vllm,
    parts,
    toy_build,
)
from tests.secret_scan import finds, here
from tests.slurm.cluster import missing, slurm_cluster

QUIET = Progress(quiet=True)
TOKEN = "hf_canaryTokenOfTheHub"
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


def _described(toys: Build) -> Build:
    toys.workspace.describe({"recipe": toys.recipe.model_dump(mode="json")})
    return toys


def _until(true: Callable[[], object], within_s: float = 200.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.3)


def _runs(toys: Build, stage: str) -> bool:
    return bool(queued(remembered(toys.workspace)).get(stage, {}).get("running"))


def _output(toys: Build) -> str:
    found = sorted(toys.workspace.root.glob("slurm/*/output/*.out"))
    return "\n".join(path.read_text() for path in found)


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
    toys = _described(toy_build(tmp_path, FEW_JOBS))
    _submit(toys, Numbers(), Broken(), Total())
    with pytest.raises(ArtsoundError, match=r"squares, shard 1: .* no such luck") as found:
        follow(toys.workspace, QUIET.say)
    assert "\n" not in str(found.value)
    assert list(failures(toys.workspace, "squares")) == [1]
    assert not queued(remembered(toys.workspace))
    assert not toys.workspace.shards("total")
    assert not on_cluster(toys.workspace)  # nothing of `total`, which only waited
    toys.workspace.drop("numbers")
    _submit(toys, Doomed(), Squares(), Total())
    assert not failures(toys.workspace, "squares")  # they were of the jobs before
    with pytest.raises(ArtsoundError, match=r"SLURM ended numbers \(job \d+\) before it was done"):
        follow(toys.workspace, QUIET.say)
    (said,) = on_cluster(toys.workspace)
    assert "SLURM ended numbers" in said
    _submit(toys, Numbers(), Squares(), Total())
    follow(toys.workspace, QUIET.say)
    assert not failures(toys.workspace, "squares")


def test_jobs_are_cancelled_and_nothing_else_builds_before(cluster: Path, tmp_path: Path) -> None:
    toys = _described(toy_build(tmp_path))
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
    toys = toy_build(tmp_path, "executor.slurm.stages.square.cpus=1")
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


def test_a_folder_may_have_blanks(cluster: Path, tmp_path: Path) -> None:
    toys = toy_build(tmp_path / "my work 100%", FEW_JOBS, 'executor.slurm.sbatch.exclusive=""')
    toys.artworks.mkdir(exist_ok=True)
    _submit(toys, Numbers())
    follow(toys.workspace, QUIET.say)
    assert toys.workspace.shards("numbers") == [0, 1, 2, 3]
    assert len(list(toys.workspace.root.glob("slurm/numbers/output/*_?.out"))) == 2


def test_a_job_that_was_never_written_down_is_held_and_found(cluster: Path, tmp_path: Path) -> None:
    toys = _described(toy_build(tmp_path))
    toys = dataclasses.replace(toys, workspace=Workspace(toys.workspace.root.resolve()))
    batch = SlurmStage(toys, Numbers(), range(4), 0, {}).batch()
    batch.submit()  # and then the submission is killed
    time.sleep(3)
    assert "held" not in slurm("squeue", "--noheader", "--states=RUNNING,COMPLETED", "--me")
    assert not toys.workspace.shards("numbers")
    assert slurm("squeue", "--noheader", "--me").strip()
    cancel(toys.workspace)
    assert not slurm("squeue", "--noheader", "--me").strip()
    batch.submit()
    _submit(toys, Numbers())
    follow(toys.workspace, QUIET.say)
    assert not slurm("squeue", "--noheader", "--me").strip()


def test_nothing_is_cancelled_while_jobs_are_submitted(cluster: Path, tmp_path: Path) -> None:
    toys = _described(toy_build(tmp_path))
    with (
        toys.workspace.locked(),
        pytest.raises(ArtsoundError, match="another build is running"),
    ):
        cancel(toys.workspace)


def test_a_silent_controller_is_asked_again(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys = toy_build(tmp_path)
    _submit(toys, Numbers(), Squares())
    real, asked = shutil.which("squeue"), tmp_path / "asked"
    fails = tmp_path / "bin" / "squeue"
    fails.parent.mkdir()
    fails.write_text(
        f"#!/bin/sh\necho x >> {asked}\n"
        f"[ $(wc -l < {asked}) = 2 ] && echo 'Unable to contact slurm controller' >&2 && exit 1\n"
        f'exec {real} "$@"\n'
    )
    fails.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fails.parent}{os.pathsep}{os.environ['PATH']}")
    said: list[str] = []
    follow(toys.workspace, said.append, patience_s=1)
    assert any("Unable to contact slurm controller: asking again" in line for line in said)
    assert toys.workspace.shards("squares") == [0, 1, 2, 3]


def test_who_stops_waiting_is_told_that_the_jobs_go_on(
    cluster: Path, sources: SampleSources, tmp_path: Path
) -> None:
    out = tmp_path / "work"
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", out]
    options = ["--until", "tracks", "--executor", "slurm", "--set", FEW_JOBS, "--wait"]
    command = [sys.executable, "-m", "artsound.cli", "build", *map(str, (*where, *options))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        for line in waiting.stderr:
            if re.match(r"\w+: \d+ (pending|running)", line):
                break
        waiting.send_signal(signal.SIGTERM)
        said = waiting.stderr.read()
    assert waiting.returncode == 128 + signal.SIGTERM
    assert "stopped waiting, the SLURM jobs go on: `artsound status" in said
    assert "run the same command" not in said
    workspace = Workspace(out)
    assert remembered(workspace)
    follow(workspace, QUIET.say)
    assert workspace.shards("tracks")


def test_no_name_of_a_machine_is_in_the_logs(cluster: Path, tmp_path: Path) -> None:
    toys = _described(toy_build(tmp_path))
    _submit(toys, Patient(), Squares())
    _until(lambda: toys.workspace.shards("numbers") and _runs(toys, "numbers"))
    cancel(toys.workspace)
    logs = [path for path in toys.workspace.root.glob("logs/**/*") if path.is_file()]
    name = re.compile(rf"\b{re.escape(socket.gethostname().partition('.')[0])}\b")
    assert logs
    assert not [path for path in logs if name.search(path.read_text())]
    assert "CANCELLED" in _output(toys)


def test_a_job_that_is_queued_again_keeps_what_waits_for_it(cluster: Path, tmp_path: Path) -> None:
    toys = toy_build(tmp_path, FEW_JOBS, "executor.slurm.setup=echo begun")
    _submit(toys, Patient(), Squares(), Total())
    _until(lambda: toys.workspace.shards("numbers") and _runs(toys, "numbers"))
    slurm("scontrol", "requeue", f"{remembered(toys.workspace)[0].id}_0")
    follow(toys.workspace, QUIET.say)
    assert toys.workspace.read("total")["total"].to_pylist() == [0 + 1 + 4 + 9]
    first = next(toys.workspace.root.glob("slurm/numbers/output/*_0.out"))
    assert first.read_text().count("begun") == 2


def test_each_job_serves_the_chat_model_for_itself(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_vllm(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    here, there = chatty_build(tmp_path / "here"), chatty_build(tmp_path / "there", FEW_JOBS)
    run_stage(here, Chatty(), 1, QUIET)
    _submit(there, Chatty())
    follow(there.workspace, QUIET.say)
    assert parts(there.workspace) == parts(here.workspace)
    logs = sorted(there.workspace.root.glob("logs/numbers/nodes/job-*/serve-qwen3-14b.log"))
    assert [path.parent.name for path in logs] == ["job-00000", "job-00001"]


def test_a_release_is_a_job(
    cluster: Path, built: Workspace, released: Path, tmp_path: Path
) -> None:
    work = Workspace(tmp_path / "work")
    shutil.copytree(built.root, work.root)
    out = tmp_path / "my release"

    def artsound(*words: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "artsound.cli", "release", work.root, "--out", *words]
        return subprocess.run(
            list(map(str, line)), cwd=tmp_path, capture_output=True, text=True, check=False
        )

    _submit_release(work, out)
    with pytest.raises(ArtsoundError, match=r"a release of .* is queued or running"):
        _submit_release(work, tmp_path / "other")
    with pytest.raises(ArtsoundError, match=r"queued or running \(release\)"):
        refuse_while_queued(work)
    follow(work, QUIET.say)
    assert read_manifest(out) == read_manifest(released)
    options = ("--media", "none", "--executor", "slurm", "--wait")
    again = artsound(out.name, *options)
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    done = artsound("texts", *options)
    assert "next: artsound verify" in done.stdout, done.stderr
    assert read_manifest(tmp_path / "texts")["media"] == "none"
    work.drop("tracks")
    with pytest.raises(ArtsoundError, match=r"is not finished \(tracks is left\)"):
        _submit_release(work, tmp_path / "third")


def test_a_release_that_fails_says_why(cluster: Path, built: Workspace, tmp_path: Path) -> None:
    work = Workspace(tmp_path / "work")
    shutil.copytree(built.root, work.root)
    _submit_release(work, tmp_path / "released")
    work.part("artworks", 0).unlink()
    with pytest.raises(ArtsoundError, match=r"^release: .*artworks") as found:
        follow(work, QUIET.say)
    assert "\n" not in str(found.value)
    assert str(found.value) in on_cluster(work)
    assert not (tmp_path / "released").exists()


def _submit_release(workspace: Workspace, out: Path) -> None:
    submit_release(
        workspace,
        out,
        artworks=None,
        tracks=None,
        media="embed",
        licenses="all",
        version=None,
        previous=None,
        say=QUIET.say,
    )


@pytest.mark.timeout(600)
def test_a_job_whose_time_is_over_is_queued_again_and_continues(
    cluster: Path, tmp_path: Path
) -> None:
    settings = ("array_size=1", "time=2", "grace_s=30")
    toys = toy_build(tmp_path, *(f"executor.slurm.{setting}" for setting in settings))
    _submit(toys, Patient())
    follow(toys.workspace, QUIET.say)
    assert toys.workspace.shards("numbers") == [0, 1, 2, 3]
    assert not list(toys.workspace.root.glob("slurm/numbers/stamp-*"))


@pytest.mark.timeout(900)
def test_a_job_that_finishes_nothing_in_its_time_is_not_queued_for_ever(
    cluster: Path, tmp_path: Path
) -> None:
    settings = ("array_size=1", "time=2", "grace_s=30")
    toys = _described(toy_build(tmp_path, *(f"executor.slurm.{one}" for one in settings)))
    began = time.monotonic()
    _submit(toys, Hopeless(), Squares())
    with pytest.raises(
        ArtsoundError, match=r"no shard of a job of numbers was finished .* shard_rows"
    ):
        follow(toys.workspace, QUIET.say)
    assert time.monotonic() - began < 600
    assert toys.workspace.shards("numbers") == [0]
    assert "no shard of a job of numbers" in on_cluster(toys.workspace)[0]


@pytest.mark.timeout(1800)
def test_the_sample_gives_the_same_bytes_and_release(
    cluster: Path,
    sources: SampleSources,
    built: Workspace,
    released: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    workspace = build(
        Recipe.read("lite", [FEW_JOBS]),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=tmp_path / "work",
        executor="slurm",
    )
    _submit_release(workspace, tmp_path / "released")
    follow(workspace, QUIET.say)
    assert parts(workspace) == parts(built)
    assert read_manifest(tmp_path / "released") == read_manifest(released)
    for folder in (workspace.root / "logs", workspace.root / "tables", tmp_path / "released"):
        assert not finds(folder, [TOKEN, *here()])
