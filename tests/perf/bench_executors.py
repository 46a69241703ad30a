"""What executors cost: time a shard that does nothing, and the resumption of a finished build.

The shards are rows of numbers, so what is measured is scheduling, the commit with its checksums,
and the start of processes. The finished builds have the stages of a real one. SLURM and Ray are
measured where they are (`tests/slurm/cluster.py`, `pip install ray`).

Usage: python -m tests.perf.bench_executors [--shards N]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa

from artsound.engine import run_stage, shard_inputs
from artsound.executors.jobs import follow
from artsound.executors.slurm import submit
from artsound.pipeline import stages
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.stage import Build, Stage
from tests.executors.toys import Numbers, toy_build
from tests.slurm.cluster import missing, slurm_cluster

QUIET = Progress(quiet=True)


class Link(Stage):
    """A stage of the shape of another, whose parts are a few numbers."""

    def __init__(self, shape: Stage, shards: int) -> None:
        self.table, self.side_tables, self.reads = shape.table, shape.side_tables, shape.reads
        self.of = shape
        self.count = shards

    @property
    def whole(self) -> bool:  # type: ignore[override]
        """Say what the other is."""
        return self.of.whole

    def shards(self, build: Build) -> int:
        return 1 if self.whole else self.count

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        return self.of.settings(recipe)

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        rows = pa.table({"id": list(range(shard * 10, shard * 10 + 10))})
        return dict.fromkeys((self.table, *self.side_tables), rows)


def _timed(what: str, shards: int, run: Callable[[Build], object], *settings: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build = toy_build(Path(folder), *settings, shards=shards)
        began = time.perf_counter()
        run(build)
        seconds = time.perf_counter() - began
        assert len(build.workspace.shards("numbers")) == shards
    print(f"{what:34} {shards:6} {seconds:8.1f} {1000 * seconds / shards:10.1f}", flush=True)


def _on_slurm(build: Build) -> None:
    submit(build, [Numbers()], 0, QUIET.say)
    follow(build.workspace, QUIET.say)


def overhead(shards: int) -> None:
    """Print the time of shards that do nothing, on each executor that is here."""
    print(f"{'executor':34} {'shards':>6} {'seconds':>8} {'ms a shard':>10}")
    for workers in (1, 2):
        _timed(
            f"local, workers: {workers}",
            shards,
            partial(run_stage, stage=Numbers(), workers=workers, progress=QUIET),
        )
    if importlib.util.find_spec("ray"):
        from artsound.executors.ray import cluster, run_stage_on_ray
        from artsound.executors.settings import Ray

        with contextlib.ExitStack() as stack:
            began = time.perf_counter()
            stack.enter_context(cluster(Ray(address="local"), QUIET.say))
            print(f"(Ray's own start: {time.perf_counter() - began:.1f} s)")
            _timed("ray", shards, lambda build: run_stage_on_ray(build, Numbers(), 0, QUIET))
    if not missing():
        with slurm_cluster():
            for jobs in (2, 8):
                count = jobs if jobs == 8 else shards
                _timed(
                    f"slurm, {jobs} jobs",
                    count,
                    _on_slurm,
                    f"executor.slurm.array_size={jobs}",
                )


def resumption(shards: int) -> None:
    """Print how long a finished build takes to find that nothing is missing."""
    with tempfile.TemporaryDirectory() as folder:
        build = toy_build(Path(folder))
        plan = [Link(stage, shards) for stage in stages(build.recipe)]
        for stage in plan:
            for shard in range(stage.shards(build)):
                inputs = shard_inputs(build, stage, shard)
                for table, rows in stage.run(build, shard).items():
                    build.workspace.commit(table, shard, rows, inputs=inputs)
        began = time.perf_counter()
        again = sum(run_stage(build, stage, 1, QUIET) for stage in plan)
        seconds = time.perf_counter() - began
        parts = len(list((build.workspace.root / "tables").rglob("part-*.parquet")))
        assert again == 0
        total = sum(stage.shards(build) for stage in plan)
        print(f"{total:6,} shards, {parts:6,} parts: found finished in {seconds:.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=200)
    given = parser.parse_args()
    resumption(111)  # 1,000 shards in all: nine of the stages are sharded
    overhead(given.shards)


if __name__ == "__main__":
    main()
