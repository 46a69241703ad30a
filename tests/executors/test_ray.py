"""Builds on a Ray cluster of two nodes, both on this machine: the same bytes, also after deaths."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artsound.builder import build
from artsound.engine import ShardFailedError, run_stage
from artsound.errors import ArtsoundError
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.release.assemble import release
from artsound.release.manifest import read_manifest
from artsound.stage import Build, Stage
from artsound.workers import WorkerDiedError
from artsound.workspace import Workspace
from tests.conftest import SampleSources
from tests.executors.toys import (
    Broken,
    Doomed,
    Leisurely,
    Mortal,
    Numbers,
    Squares,
    Total,
    parts,
    toy_build,
)

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

from artsound.executors.ray import cluster, run_stage_on_ray  # noqa: E402

QUIET = Progress(quiet=True)


@pytest.fixture
def nodes() -> Iterator[Any]:
    """Start a cluster: a head that does no work, and a node of one CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            found.add_node(num_cpus=1, env_vars={"TOY_NODE": "first"})
            patch.setenv("RAY_ADDRESS", found.address)
            yield found
        finally:
            ray.shutdown()
            found.shutdown()


@pytest.fixture
def second(nodes: Any) -> Iterator[Any]:
    """Add a second node of one CPU, which a test may kill."""
    found = nodes.add_node(num_cpus=1, env_vars={"TOY_NODE": "second"})
    nodes.wait_for_nodes()
    yield found
    if found in nodes.list_all_nodes():
        nodes.remove_node(found)


def _run(build: Build, *plan: Stage) -> None:
    with cluster(build.recipe.executor.ray, QUIET.say):
        for stage in plan:
            run_stage_on_ray(build, stage, 0, QUIET)


def test_a_plan_gives_the_same_bytes_as_here(second: object, tmp_path: Path) -> None:
    here, there = toy_build(tmp_path / "here"), toy_build(tmp_path / "there")
    for stage in (Numbers(), Squares(), Total()):
        run_stage(here, stage, 1, QUIET)
    _run(there, Numbers(), Squares(), Total())
    assert parts(there.workspace) == parts(here.workspace)
    assert len(parts(there.workspace)) == 4 * 3 + 1
    before = {p: p.stat().st_mtime_ns for p in there.workspace.root.rglob("part-*")}
    _run(there, Numbers(), Squares(), Total())
    assert before == {p: p.stat().st_mtime_ns for p in there.workspace.root.rglob("part-*")}


def test_a_failing_shard_is_named_and_the_others_stay(second: object, tmp_path: Path) -> None:
    toys = toy_build(tmp_path)
    with pytest.raises(ShardFailedError, match=r"stage squares, shard 1: ZeroDivisionError"):
        _run(toys, Numbers(), Broken())
    _run(toys, Squares(), Total())
    assert toys.workspace.read("total")["total"].to_pylist() == [0 + 1 + 4 + 9]


def test_a_shard_whose_worker_died_is_made_by_another(second: object, tmp_path: Path) -> None:
    toys = toy_build(tmp_path)
    _run(toys, Mortal())
    assert toys.workspace.shards("numbers") == [0, 1, 2, 3]


def test_a_shard_that_kills_every_worker_ends_the_build(second: object, tmp_path: Path) -> None:
    toys = toy_build(tmp_path, "executor.ray.retries=1")
    with pytest.raises(WorkerDiedError, match=r"stage numbers, shard 2: .* died 2 times") as found:
        _run(toys, Doomed())
    assert "\n" not in str(found.value)
    _run(toys, Numbers())


def test_a_node_that_dies_in_a_stage_costs_nothing(nodes: Any, second: Any, tmp_path: Path) -> None:
    toys = toy_build(tmp_path, shards=24)
    used: set[str] = set()

    def kill() -> None:
        while len(used) < 2:
            time.sleep(0.05)
            used.update(path.read_text() for path in tmp_path.glob("begun-*"))
            used.discard("")
        nodes.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    _run(toys, Leisurely())
    killer.join(10)
    assert not killer.is_alive()
    assert toys.workspace.shards("numbers") == list(range(24))
    assert toys.workspace.root.is_dir()
    assert not list(toys.workspace.root.rglob(".tmp-*"))


def test_a_worker_that_no_node_has_room_for_is_refused(second: object, tmp_path: Path) -> None:
    with pytest.raises(ArtsoundError, match=r"no node of the Ray cluster has 64 CPUs"):
        _run(toy_build(tmp_path, "executor.ray.cpus=64"), Numbers())


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path) -> None:
    toys = toy_build(tmp_path, "executor.ray.address=127.0.0.1:1")
    with pytest.raises(ArtsoundError, match=r"no Ray cluster at 127.0.0.1:1 .*ray start --head"):
        _run(toys, Numbers())


@pytest.mark.endurance
@pytest.mark.timeout(1500)
def test_the_sample_gives_the_same_bytes_and_release_after_a_node_died(
    nodes: Any,
    second: Any,
    sources: SampleSources,
    built: Workspace,
    released: Path,
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path / "work")

    def kill() -> None:
        while not workspace.shards("audio_captions"):
            time.sleep(0.1)
        nodes.remove_node(second, allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    build(
        Recipe.read("lite"),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=workspace.root,
        executor="ray",
    )
    assert parts(workspace) == parts(built)
    release(workspace, tmp_path / "released")
    assert read_manifest(tmp_path / "released") == read_manifest(released)
