"""What executors cost: time a shard that does nothing, and the resumption of a finished build.

The shards are rows of numbers, so what is measured is scheduling, the commit with its checksums,
and the start of processes. The finished build is one of `artsound build` on tiny media, which the
same command finds finished. SLURM and Ray are measured where they are (`tests/slurm/cluster.py`,
`pip install ray`).

Usage: python -m tests.perf.bench_executors [--shards N] [--items N]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from artsound.engine import run_stage
from artsound.executors.follow import follow
from artsound.executors.slurm import submit
from artsound.progress import Progress
from artsound.stage import Build
from artsound.status import status
from artsound.workspace import Workspace
from tests.chat_server import ChatServer
from tests.conftest import SampleSources
from tests.endurance.archives import write_artgraph, write_fma
from tests.endurance.fast import SERVED, command, settings, write_weights
from tests.endurance.media import clips, images
from tests.executors.toys import Numbers, toy_build
from tests.slurm.cluster import missing, slurm_cluster

QUIET = Progress(quiet=True)
_RESUMED: Final = 3  # times


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


def resumption(items: int) -> None:
    """Print how long `artsound build` takes on a build of so many artworks and tracks, all done.

    A shard has one item. The build is real, with tiny checkpoints and captions from a local server,
    and what is timed is the whole command: its start, the sources' listings, the checksums of the
    weights and of all parts.
    """
    with tempfile.TemporaryDirectory() as name, ChatServer(SERVED) as server:
        folder = Path(name)
        artworks = write_artgraph(folder / "artgraph.zip", images(items))
        sources = SampleSources(artworks, write_fma(folder / "fma", clips(items)))
        overrides = settings(write_weights(folder / "weights"), server.url, shard_rows=1)
        line = command(sources, folder / "work", overrides)
        seconds = []
        before: dict[Path, int] = {}
        for _ in range(1 + _RESUMED):
            began = time.perf_counter()
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
            found = {path: path.stat().st_mtime_ns for path in folder.glob("work/tables/**/part-*")}
            if before and found != before:
                raise SystemExit("a finished build made parts again")
            before = found
        shards = sum(stage.done for stage in status(Workspace(folder / "work")))
    again = ", ".join(f"{taken:.2f}" for taken in seconds[1:])
    print(f"{shards:,} shards, {len(before) // 2:,} parts: built in {seconds[0]:.0f} s")
    print(f"`artsound build` again, nothing to do: {again} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--items", type=int, default=111, help="of the finished build")
    given = parser.parse_args()
    resumption(given.items)  # 1,000 shards in all: nine of its ten stages are sharded
    overhead(given.shards)


if __name__ == "__main__":
    main()
