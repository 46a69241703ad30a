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
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor

from artsound.engine import log_folder, pending_shards, stage_threads, wants_gpu
from artsound.errors import ArtsoundError, MissingDependency
from artsound.executors.node import NodeShards, absolute, node
from artsound.executors.settings import Ray
from artsound.progress import Progress, ProgressFile
from artsound.stage import Build, Stage
from artsound.threads import prepare_worker, thread_variables
from artsound.workers import WorkerDiedError

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

_LEAVE_S: Final = 30.0
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
    """

    def __init__(self, build: Build, stage: Stage, shards: Sequence[int], at_once: int) -> None:
        self.settings: Ray = build.recipe.executor.ray
        super().__init__(
            [NodeShards(build, stage, shards)],
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

        crew = _Crew(self, ray.put(self))
        try:
            crew.work(deque(range(self.tasks)))
        finally:
            crew.leave()


class _Crew:
    """The workers of a stage, on the driver's side."""

    def __init__(self, executor: RayStage, shared: ObjectRef[RayStage]) -> None:
        self.executor = executor
        self.shared = shared
        self.size, self.options = _room(executor)
        self.doing: dict[Any, tuple[ActorHandle[Any], int | None]] = {}
        self.idle: list[ActorHandle[Any]] = []
        self.deaths: Counter[int | None] = Counter()
        self.hired = 0

    def work(self, queue: deque[int]) -> None:
        """Give out ranks, and again those whose worker died."""
        import ray

        for _ in range(self.size):
            self._hire()
        left = len(queue)
        while left:
            while self.idle and queue:
                worker, rank = self.idle.pop(), queue.popleft()
                self.doing[worker.make.remote(rank)] = (worker, rank)
            done, _ = ray.wait(list(self.doing), num_returns=1)
            worker, made = self.doing.pop(done[0])
            try:
                error = ray.get(done[0])
            except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError) as death:
                self._died(made, death)
                if made is not None:
                    queue.appendleft(made)
                self._hire()
                continue
            if error is not None:
                raise error
            self.idle.append(worker)
            left -= made is not None

    def leave(self) -> None:
        """Let the workers end what they serve, and end them."""
        import ray

        leaving = [worker.leave.remote() for worker in self.idle]
        ray.wait(leaving, num_returns=len(leaving), timeout=_LEAVE_S) if leaving else None
        for worker in (*self.idle, *(worker for worker, _ in self.doing.values())):
            ray.kill(worker)  # parts appear by renaming: none is half done

    def _hire(self) -> None:
        import ray

        worker = ray.remote(_Worker).options(**self.options).remote(self.shared, self.hired)
        self.hired += 1
        # It gets a shard when it is there: room for it may come late or, after a death, never.
        self.doing[worker.ready.remote()] = (worker, None)

    def _died(self, rank: int | None, death: Exception) -> None:
        self.deaths[rank] += 1
        if self.deaths[rank] > self.executor.settings.retries:
            what = "a worker" if rank is None else self.executor.pipeline[0].task_name(rank)
            said = " ".join(str(death).split())
            raise WorkerDiedError(
                f"{what}: its process on Ray died {self.deaths[rank]} times ({said}); finished"
                " shards are kept: run the same command again to continue, with more"
                " executor.ray.cpus a worker if memory ran out"
            ) from death


class _Worker:
    """A Ray actor: makes shards of one stage on its node."""

    def __init__(self, executor: RayStage, number: int) -> None:
        prepare_worker(executor.threads, 0)  # Ray itself shows it the GPUs that are its own
        self._executor = executor
        self._name = f"worker-{number:03d}"
        self._leaving = contextlib.ExitStack()
        self._make: Callable[[int], None] | None = None

    def ready(self) -> None:
        """Answer."""

    def make(self, rank: int) -> Exception | None:
        """Make a shard; return what went wrong."""
        try:
            if self._make is None:
                self._make = self._leaving.enter_context(node(self._executor, self._name))
            self._make(rank)
        except (ArtsoundError, OSError) as error:
            return error
        return None

    def leave(self) -> None:
        """End what was served for the stage."""
        self._leaving.close()


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
    pending = pending_shards(build, stage)
    told = ProgressFile(log_folder(build, stage) / "progress.json") if stage.whole else None
    with progress.stage(stage.table, stage.shards(build), build.workspace, told):
        if pending:
            heard = dataclasses.replace(build, progress=told) if told else build
            RayStage(heard, stage, pending, at_once).run()
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


def _room(executor: RayStage) -> tuple[int, dict[str, Any]]:
    """Return how many workers a stage gets, and what each asks Ray for."""
    import ray

    nodes = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    cpus = executor.cpus_per_task
    if executor.whole:  # it runs alone: the largest node is all its own
        cpus = max(int(resources.get("CPU", 0)) for resources in nodes)
    gpus = executor.gpus
    room = sum(
        min(
            int(resources.get("CPU", 0) // max(cpus, 1)),
            int(resources.get("GPU", 0) // gpus) if gpus else executor.tasks,
        )
        for resources in nodes
    )
    if not room:
        raise ArtsoundError(
            f"no node of the Ray cluster has {cpus} CPUs and {gpus} GPUs, as the recipe's"
            " [executor.ray] wants for a worker: ask for fewer, or add a node"
        )
    variables = {**thread_variables(executor.threads), "TOKENIZERS_PARALLELISM": "false"}
    return min(room, executor.workers, executor.tasks), {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "scheduling_strategy": "SPREAD",
        "runtime_env": {"env_vars": variables},
    }
