"""A build on Ray: each stage by workers over the cluster that keep their models between shards.

A worker or a whole node may die: its shard is given to another worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor

from artsound.engine import log_folder, pending_shards, stage_threads, wants_gpu
from artsound.errors import ArtsoundError, MissingDependency
from artsound.executors.crew import Crew
from artsound.executors.node import NodeShards, absolute, forget_failures
from artsound.executors.settings import Ray
from artsound.executors.visible import wait_for_parts
from artsound.progress import Progress, ProgressFile
from artsound.stage import Build, Stage

_KNOCK_S: Final = 10.0


class RayStage(RayPipelineExecutor):  # type: ignore[misc]
    """The datatrove executor of one stage.

    datatrove's own gives every task a new process, passes over errors of tasks, and logs where two
    builds on one node meet; this one keeps its workers, and raises what the first task raised.

    Args:
        build: what the shards read; its paths are absolute.
        stage: the stage.
        shards: the numbers of the missing shards.
        at_once: how many workers there are at most; 0 for as many as there is room for.
        inputs: how many parts each table has that the stage reads.
    """

    def __init__(
        self,
        build: Build,
        stage: Stage,
        shards: Sequence[int],
        at_once: int,
        inputs: Mapping[str, int],
    ) -> None:
        self.settings: Ray = build.recipe.executor.ray
        super().__init__(
            [NodeShards(build, stage, shards, inputs)],
            tasks=len(shards),
            workers=at_once or -1,
            cpus_per_task=self.settings.cpus,
            logging_dir=str(log_folder(build, stage)),
            skip_completed=False,  # the workspace's markers are the only truth about what is done
        )
        self.whole = stage.whole
        self.gpus = self.settings.gpus if wants_gpu(build, stage) else 0
        self.threads = stage_threads(stage)

    _run_for_rank = PipelineExecutor._run_for_rank

    def run(self) -> None:
        """Make all shards.

        Raises:
            ArtsoundError: what the first failing shard raised; the others are stopped.
            WorkerDiedError: a shard's workers died more often than the recipe allows.
        """
        import ray

        crew = Crew(self, ray.put(self))
        try:
            crew.work(deque(range(self.tasks)))
        finally:
            crew.leave()


def run_stage_on_ray(build: Build, stage: Stage, at_once: int, progress: Progress) -> int:
    """Make the shards of a stage that are missing, on the cluster.

    Args:
        build: what the shards read.
        stage: the stage to run.
        at_once: how many shards are made at a time; 0 for as many as there is room for.
        progress: told of every part that is committed.

    Returns:
        The number of shards made.

    Raises:
        ArtsoundError: a shard failed; the message says which, why, and where the trace is.
    """
    build = absolute(build)
    count = stage.shards(build)
    pending = pending_shards(build, stage)
    inputs = {table: len(build.workspace.shards(table)) for table in stage.reads}
    forget_failures(build.workspace, stage.table, pending)
    told = ProgressFile(log_folder(build, stage) / "progress.json") if stage.whole else None
    with progress.stage(stage.table, count, build.workspace, told):
        if pending:
            heard = dataclasses.replace(build, progress=told) if told else build
            RayStage(heard, stage, pending, at_once, inputs).run()
            # The next stage counts these parts, here.
            made = (stage.table, *stage.side_tables)
            wait_for_parts(build.workspace, dict.fromkeys(made, count))
    return len(pending)


@contextlib.contextmanager
def cluster(settings: Ray, say: Callable[[str], None]) -> Iterator[None]:
    """Be connected to a Ray cluster: one that is running, or one of this machine alone.

    Args:
        settings: which.
        say: told what there is.

    Raises:
        MissingDependency: ray is not installed.
        ArtsoundError: there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a build tells nobody that it runs
    try:
        import ray
    except ImportError as error:
        raise MissingDependency("--executor ray", "pip install 'artsound[ray]'") from error
    mine = not ray.is_initialized()
    if mine:
        ended = signal.getsignal(signal.SIGTERM)
        where = {"address": settings.address} if settings.address else {}
        try:
            _knock(settings.address or os.environ.get("RAY_ADDRESS", ""))
            ray.init(**where, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError) as error:
            said = str(error).partition("\n")[0]
            raise ArtsoundError(
                f"no Ray cluster at {settings.address or 'this machine'} ({said}): start one with"
                " `ray start --head`, or set executor.ray.address"
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ended)  # Ray has put its own in place of ours
    try:
        found = ray.cluster_resources()
        nodes = sum(bool(one["Alive"]) for one in ray.nodes())
        cards = f", {found['GPU']:.0f} GPUs" if found.get("GPU") else ""
        say(f"Ray: nodes: {nodes}, {found.get('CPU', 0):.0f} CPUs{cards}")
        yield
    finally:
        if mine:
            ray.shutdown()


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in address and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()
