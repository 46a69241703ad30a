"""The engine on toy stages: sharding, resuming, failing, with real files and processes."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from artsound.engine import ShardFailedError, pending_shards, run_stage
from artsound.errors import MissingDependency
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.stage import Build, Stage
from artsound.threads import cores
from artsound.workers import WorkerDiedError
from artsound.workspace import Workspace
from tests.executors.toys import Squares, Total

QUIET = Progress(quiet=True)
LIBRARIES = ("torch", "numba", "blas")


class Numbers(Stage):
    """Four parts of five numbers."""

    table = "numbers"

    def shards(self, build: Build) -> int:
        return 4

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        return {"seed": recipe.seed}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        numbers = [build.recipe.seed + shard * 5 + offset for offset in range(5)]
        return {"numbers": pa.table({"id": numbers, "pid": [os.getpid()] * 5})}


class Broken(Numbers):
    """Fails at its third shard."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        if shard == 2:
            raise ZeroDivisionError("no such luck")
        return super().run(build, shard)


class Unequipped(Numbers):
    """Misses a package."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        raise MissingDependency("the toy model", "pip install toy")


class Threads(Numbers):
    """Says how many threads its computations get: torch's, numba's and the most of any BLAS."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        return {"numbers": pa.table(_threads())}


class WholeThreads(Total):
    """Says the same of a whole stage."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        return {"total": pa.table(_threads())}


def _threads() -> dict[str, list[int]]:
    import numba
    import torch
    from threadpoolctl import threadpool_info

    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "torch": [torch.get_num_threads()],
        "numba": [numba.get_num_threads()],
        "blas": [max(blas)],
    }


class Slow(Total):
    """Tells its progress, from the third of ten steps on, and is slow."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        for done in range(3, 11):
            build.progress(done * 1000, 10_000)
            time.sleep(0.3)
        return super().run(build, shard)


class Killed(Numbers):
    """Loses its worker at the third shard, as when memory runs out."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        if shard == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(build, shard)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(Recipe.read("lite"), Workspace(tmp_path / "work"), tmp_path, tmp_path)


def _run_all(build: Build, workers: int) -> None:
    for stage in (Numbers(), Squares(), Total()):
        run_stage(build, stage, workers, QUIET)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plan_runs_to_its_end(build: Build, workers: int) -> None:
    _run_all(build, workers)
    assert build.workspace.read("total")["total"].to_pylist() == [sum(n**2 for n in range(20))]
    assert build.workspace.read("cubes")["id"].to_pylist() == [n**3 for n in range(20)]


def test_workers_are_processes_and_keep_what_they_load(build: Build) -> None:
    run_stage(build, Numbers(), 2, QUIET)
    pids = set(build.workspace.read("numbers")["pid"].to_pylist())
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids


@pytest.mark.parametrize("workers", [1, 2])
def test_a_shard_computes_on_one_thread_and_a_whole_stage_on_all_cores(
    build: Build, workers: int
) -> None:
    _run_all(build, 1)
    before = _threads()
    build.workspace.drop("total")
    run_stage(build, WholeThreads(), workers, QUIET)
    found = build.workspace.read("total").to_pydict()
    assert found == {library: [cores()] for library in LIBRARIES}
    build.workspace.drop("numbers")
    run_stage(build, Threads(), workers, QUIET)
    sharded = build.workspace.read("numbers").to_pydict()
    assert sharded == {library: [1] * 4 for library in LIBRARIES}
    assert _threads() == before


@pytest.mark.parametrize(("given", "expected"), [("1", 1), ("9999", None), ("", None), ("x", None)])
def test_a_job_uses_no_more_cores_than_it_was_given(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: int | None
) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", given)
    assert cores() == (expected or len(os.sched_getaffinity(0)))


def test_a_killed_worker_is_noticed(build: Build) -> None:
    with pytest.raises(WorkerDiedError, match=r"stage numbers, shard 2: .* signal SIGKILL"):
        run_stage(build, Killed(), 2, QUIET)
    assert run_stage(build, Numbers(), 2, QUIET) >= 1


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_whole_stage_shows_how_far_it_is(
    build: Build, monkeypatch: pytest.MonkeyPatch, workers: int, terminal: bool
) -> None:
    monkeypatch.setattr("artsound.progress._LINE_S", 0.4)
    _run_all(build, 1)
    build.workspace.drop("total")
    shown = StringIO()
    console = Console(file=shown, force_terminal=terminal, width=120, highlight=False)
    run_stage(build, Slow(), workers, Progress(console))
    text = shown.getvalue()
    assert ("/10000" if terminal else "000 of 10,000, ") in text
    assert re.search(r"about [012] s left", text)
    assert "total: 1 rows" in text
    assert not list((build.workspace.root / "logs/total").glob("*progress*"))


def test_a_finished_stage_is_not_run_again(build: Build) -> None:
    _run_all(build, 1)
    before = {p: p.stat().st_mtime_ns for p in build.workspace.root.rglob("part-*")}
    assert run_stage(build, Squares(), 1, QUIET) == 0
    assert before == {p: p.stat().st_mtime_ns for p in build.workspace.root.rglob("part-*")}


def test_only_what_is_missing_is_made(build: Build) -> None:
    _run_all(build, 1)
    build.workspace.part("squares", 1).unlink()
    build.workspace.part("cubes", 3).write_bytes(b"altered")
    assert pending_shards(build, Squares()) == [1, 3]
    assert run_stage(build, Squares(), 1, QUIET) == 2
    assert pending_shards(build, Total()) == []


def test_a_changed_setting_remakes_the_stage_and_what_follows(build: Build) -> None:
    _run_all(build, 1)
    other = Build(Recipe.read("lite", ["seed=1"]), build.workspace, build.artworks, build.tracks)
    assert pending_shards(other, Numbers()) == [0, 1, 2, 3]
    run_stage(other, Numbers(), 1, QUIET)
    assert pending_shards(other, Squares()) == [0, 1, 2, 3]


def test_parts_beyond_the_last_shard_are_forgotten(build: Build) -> None:
    _run_all(build, 1)
    build.workspace.commit("numbers", 9, pa.table({"id": [0]}), inputs="old")
    assert pending_shards(build, Numbers()) == []
    assert build.workspace.shards("numbers") == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_shard_is_named_and_the_others_stay(build: Build, workers: int) -> None:
    with pytest.raises(
        ShardFailedError, match=r"stage numbers, shard 2: ZeroDivisionError"
    ) as found:
        run_stage(build, Broken(), workers, QUIET)
    assert "\n" not in str(found.value)
    # Whoever made the third shard had made another; which of the others were, is up to the workers.
    kept = set(build.workspace.shards("numbers"))
    assert kept
    assert kept <= {0, 1, 3}
    traces = [path.read_text() for path in (build.workspace.root / "logs").rglob("task_*.log")]
    assert any("no such luck" in trace and "Traceback" in trace for trace in traces)
    assert run_stage(build, Numbers(), 1, QUIET) >= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_missing_package_is_said_as_it_is(build: Build, workers: int) -> None:
    with pytest.raises(MissingDependency, match=r"the toy model .* run: pip install toy"):
        run_stage(build, Unequipped(), workers, QUIET)
