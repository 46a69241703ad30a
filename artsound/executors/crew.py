"""The workers of a stage on Ray: hired where there is room, and replaced when they or a node die.

A death is held against a shard only if the shard was being made. Idle workers may be long dead, so
each is asked whether it is there before it gets a shard.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artsound.errors import ArtsoundError
from artsound.executors.node import node
from artsound.threads import prepare_worker, thread_variables
from artsound.workers import WorkerDiedError

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

    from artsound.executors.ray import RayStage

_LEAVE_S: Final = 30.0
_LOOK_S: Final = 5.0  # how often the cluster's nodes are looked at


@dataclass(frozen=True)
class _Task:
    """What a worker was asked to do.

    Attributes:
        worker: the worker.
        rank: the shard that it makes; None if it was only asked whether it is there.
        cpus: of a worker that was just hired, how many CPUs it waits for; else None.
    """

    worker: ActorHandle[Any]
    rank: int | None = None
    cpus: int | None = None


class Crew:
    """The workers of a stage, on the driver's side.

    Args:
        executor: the stage.
        shared: the same, where workers find it.

    Raises:
        ArtsoundError: no node has room for a worker.
    """

    def __init__(self, executor: RayStage, shared: ObjectRef[RayStage]) -> None:
        self.executor = executor
        self.shared = shared
        self.doing: dict[Any, _Task] = {}
        self.idle: list[ActorHandle[Any]] = []
        self.deaths: Counter[int] = Counter()
        self.lost_hires = 0  # one after the other
        self.hired = 0
        self._look()

    def work(self, queue: deque[int]) -> None:
        """Give out ranks, and again those whose worker died.

        Raises:
            ArtsoundError: what the first failing shard raised, or no node has room any more.
            WorkerDiedError: a shard's workers, or those newly hired, died too often.
        """
        import ray

        dead = (
            ray.exceptions.RayActorError,
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
        )
        left = len(queue)
        while left:
            self._staff(left)
            if queue:
                self._ask_idle()
            done, _ = ray.wait(list(self.doing), num_returns=1, timeout=_LOOK_S)
            if not done or time.monotonic() - self.looked > _LOOK_S:
                self._look()
            for ref in done:
                task = self.doing.pop(ref, None)
                if task is None:  # let go by `_look`
                    continue
                try:
                    error = ray.get(ref)
                except dead as death:
                    self._died(task, death)
                    if task.rank is not None:
                        queue.appendleft(task.rank)
                    continue
                if error is not None:
                    raise error
                self.lost_hires = 0
                left -= task.rank is not None
                if queue:
                    rank = queue.popleft()
                    self.doing[task.worker.make.remote(rank)] = _Task(task.worker, rank)
                else:
                    self.idle.append(task.worker)

    def leave(self) -> None:
        """Let the workers end what they serve, and end them."""
        import ray

        leaving = [worker.leave.remote() for worker in self.idle]
        ray.wait(leaving, num_returns=len(leaving), timeout=_LEAVE_S) if leaving else None
        for worker in (*self.idle, *(task.worker for task in self.doing.values())):
            ray.kill(worker)  # parts appear by renaming: none is half done

    def _staff(self, left: int) -> None:
        """Hire as many workers as there is room and work for."""
        import ray

        while len(self.doing) + len(self.idle) < min(self.size, left):
            worker = ray.remote(Worker).options(**self.options).remote(self.shared, self.hired)
            self.hired += 1
            # It gets a shard when it is there, since room for it may come late.
            self.doing[worker.ready.remote()] = _Task(worker, cpus=self.options["num_cpus"])

    def _ask_idle(self) -> None:
        """Ask those who wait whether they are there; one that is gets a shard."""
        for worker in self.idle:
            self.doing[worker.ready.remote()] = _Task(worker)
        self.idle.clear()

    def _look(self) -> None:
        """See what room there is now; let go of who waits for more than any node has."""
        import ray

        self.looked = time.monotonic()
        self.size, self.options = room(self.executor)
        for ref, task in list(self.doing.items()):
            if task.cpus is not None and task.cpus > self.options["num_cpus"]:
                del self.doing[ref]
                ray.kill(task.worker)

    def _died(self, task: _Task, death: Exception) -> None:
        import ray

        ray.kill(task.worker)  # out of reach is not dead: it would keep its GPU
        retries = self.executor.settings.retries
        if task.rank is not None:
            self.deaths[task.rank] += 1
            count, most = self.deaths[task.rank], retries
            what = self.executor.pipeline[0].task_name(task.rank)
        elif task.cpus is not None:
            # A node that dies takes all with it who were hired for it.
            self.lost_hires += 1
            count, most = self.lost_hires, (retries + 1) * self.size
            what = f"stage {self.executor.pipeline[0].stage.table}, a new worker"
        else:  # it died idle
            count, most, what = 0, 0, ""
        if count > most:
            said = " ".join(str(death).split())
            raise WorkerDiedError(
                f"{what}: its process on Ray died {count} times ({said}); finished shards are kept:"
                " run the same command again to continue, with more executor.ray.cpus a worker if"
                " memory ran out"
            ) from death
        self._look()


class Worker:
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


def room(executor: RayStage) -> tuple[int, dict[str, Any]]:
    """Return how many workers a stage gets now, and what each asks Ray for.

    Raises:
        ArtsoundError: no node has room for one.
    """
    import ray

    nodes = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    cpus = executor.cpus_per_task
    if executor.whole:  # it runs alone: the largest node is all its own
        cpus = max((int(resources.get("CPU", 0)) for resources in nodes), default=0)
    gpus = executor.gpus
    found = sum(
        min(
            int(resources.get("CPU", 0) // max(cpus, 1)),
            int(resources.get("GPU", 0) // gpus) if gpus else executor.tasks,
        )
        for resources in nodes
    )
    if not found:
        raise ArtsoundError(
            f"no node of the Ray cluster has {cpus} CPUs and {gpus} GPUs, as the recipe's"
            " [executor.ray] wants for a worker: ask for fewer, or add a node"
        )
    variables = {**thread_variables(executor.threads), "TOKENIZERS_PARALLELISM": "false"}
    return min(found, executor.workers, executor.tasks), {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "scheduling_strategy": "SPREAD",
        "runtime_env": {"env_vars": variables},
    }
