"""Builds on a Ray cluster of two nodes, both on this machine: the same bytes, also after deaths."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
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
    Chatty,
    Doomed,
    Large,
    Leisurely,
    Mortal,
    Numbers,
    Squares,
    Tail,
    Total,
    chatty_build,
    install_vllm,
    parts,
    toy_build,
)
from tests.secret_scan import finds, here

pytestmark = pytest.mark.endurance

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

from artsound.executors.ray import cluster, run_stage_on_ray  # noqa: E402

QUIET = Progress(quiet=True)
TOKEN = "hf_canaryTokenOfTheHub"


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a cluster: a head that does no work, and a node of one CPU; each has a `vllm`."""
    programs = tmp_path_factory.mktemp("programs")
    install_vllm(programs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
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


class Killer:
    """Kills a node as soon as it may, and remembers that it did."""

    def __init__(self, nodes: Any, node: Any, now: Callable[[], bool]) -> None:
        self.nodes, self.node, self.now = nodes, node, now
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self) -> None:
        while not self.now():
            time.sleep(0.05)
        self.nodes.remove_node(self.node, allow_graceful=False)

    def has_killed(self) -> bool:
        """Say whether it has; only asked once the build has ended."""
        self.thread.join(10)
        return not self.thread.is_alive() and self.node not in self.nodes.list_all_nodes()


def test_a_node_that_dies_in_a_stage_costs_nothing(nodes: Any, second: Any, tmp_path: Path) -> None:
    toys = toy_build(tmp_path, shards=24)

    def both_are_used() -> bool:
        return len({path.read_text() for path in tmp_path.glob("begun-*")} - {""}) == 2

    killer = Killer(nodes, second, both_are_used)
    _run(toys, Leisurely())
    assert killer.has_killed()
    assert toys.workspace.shards("numbers") == list(range(24))
    assert not list(toys.workspace.root.rglob(".tmp-*"))


def test_a_node_that_dies_late_costs_its_shard_one_death(nodes: Any, tmp_path: Path) -> None:
    large = nodes.add_node(num_cpus=4, env_vars={"TOY_NODE": "second"})
    nodes.wait_for_nodes()
    toys = toy_build(tmp_path, "executor.ray.retries=1", shards=5)

    def others_are_idle() -> bool:
        return (tmp_path / "hanging").exists() and len(toys.workspace.shards("numbers")) == 4

    killer = Killer(nodes, large, others_are_idle)
    _run(toys, Tail())
    assert killer.has_killed()
    assert toys.workspace.shards("numbers") == list(range(5))


def test_a_whole_stage_moves_to_a_smaller_node(nodes: Any, tmp_path: Path) -> None:
    large = nodes.add_node(num_cpus=2)
    nodes.wait_for_nodes()
    toys = toy_build(tmp_path, shards=1)
    killer = Killer(nodes, large, (tmp_path / "hanging").exists)
    _run(toys, Large())
    assert killer.has_killed()
    assert toys.workspace.shards("numbers") == [0]


def test_a_stage_that_no_node_is_left_for_ends(nodes: Any, second: Any, tmp_path: Path) -> None:
    nodes.remove_node(next(n for n in nodes.worker_nodes if n is not second))
    killer = Killer(nodes, second, (tmp_path / "hanging").exists)
    with pytest.raises(ArtsoundError, match="no node of the Ray cluster has"):
        _run(toy_build(tmp_path, shards=1), Large())
    assert killer.has_killed()


def test_each_worker_serves_the_chat_model_for_itself(second: object, tmp_path: Path) -> None:
    here, there = chatty_build(tmp_path / "here"), chatty_build(tmp_path / "there")
    for toys in (here, there):
        toys.artworks.mkdir(exist_ok=True)
    run_stage(here, Chatty(), 1, QUIET)
    _run(there, Chatty())
    assert parts(there.workspace) == parts(here.workspace)
    logs = list(there.workspace.root.glob("logs/numbers/nodes/worker-*/serve-qwen3-14b.log"))
    assert 1 <= len(logs) <= 2


def test_a_worker_that_no_node_has_room_for_is_refused(second: object, tmp_path: Path) -> None:
    with pytest.raises(ArtsoundError, match=r"no node of the Ray cluster has 64 CPUs"):
        _run(toy_build(tmp_path, "executor.ray.cpus=64"), Numbers())


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path) -> None:
    toys = toy_build(tmp_path, "executor.ray.address=127.0.0.1:1")
    with pytest.raises(ArtsoundError, match=r"no Ray cluster at 127.0.0.1:1 .*ray start --head"):
        _run(toys, Numbers())


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
    left: list[int] = []

    def now() -> bool:
        if workspace.shards("audio_captions"):
            left.append(len(parts(built)) - len(parts(workspace)))
        return bool(left)

    killer = Killer(nodes, second, now)
    build(
        Recipe.read("lite"),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=workspace.root,
        executor="ray",
    )
    assert killer.has_killed()
    assert left[0] > 0  # in the middle
    assert parts(workspace) == parts(built)
    release(workspace, tmp_path / "released")
    assert read_manifest(tmp_path / "released") == read_manifest(released)
    for folder in (workspace.root / "logs", workspace.root / "tables", tmp_path / "released"):
        assert not finds(folder, [TOKEN, *here()])
