"""The worker processes of a stage: a datatrove executor that can be stopped and that sees deaths.

datatrove's own pool waits for ever when the system kills a worker, as it does when memory runs
out, and its workers print tracebacks on Ctrl-C. Here the parent alone hears signals; it hands out
one task at a time and kills the workers when it leaves, however it leaves.
"""

from __future__ import annotations

import contextlib
import copy
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import multiprocess
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from multiprocess import connection, forkserver, resource_tracker

from artsound.errors import ArtsoundError
from artsound.stopping import signals_held
from artsound.threads import prepare_worker, thread_variables

WORKER: Final = "artsound worker"  # the name of every worker process
_QUIET: Final = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


class WorkerDiedError(ArtsoundError):
    """The system ended a worker process in the middle of a task."""


class Workers(LocalPipelineExecutor):  # type: ignore[misc]
    """Runs the tasks of one step on this machine.

    Args:
        step: makes task n when it is run with rank n, and names it by `task_name`.
        tasks: number of tasks.
        processes: how many worker processes; none computes in this process, one task at a time.
        threads: how many threads a task may use.
        logs: folder of the tasks' logs.
    """

    def __init__(
        self, step: PipelineStep, tasks: int, *, processes: int, threads: int, logs: Path
    ) -> None:
        # Nothing is skipped: the workspace's markers are the only truth about what is done.
        super().__init__([step], tasks=tasks, logging_dir=str(logs), skip_completed=False)
        self.processes = min(processes, tasks)
        self.threads = threads

    def run(self) -> None:
        """Run all tasks.

        Raises:
            ArtsoundError: what the first failing task raised; the others are stopped.
            WorkerDiedError: a worker process was killed.
        """
        if self.processes:
            self._run_in_processes()
            return
        with _environment({**thread_variables(self.threads), **_QUIET}):
            for rank in range(self.tasks):
                self.run_task(rank)

    def run_task(self, rank: int) -> None:
        """Run one task in this process."""
        copy.deepcopy(self)._run_for_rank(rank)  # a copy, since datatrove's steps keep counts

    def _run_in_processes(self) -> None:
        workers: dict[Any, Any] = {}  # our end of the pipe to a worker: its process
        doing: dict[Any, int] = {}
        ranks = iter(range(self.tasks))
        resource_tracker.ensure_running()  # beforehand, since it lets signals through again
        try:
            with signals_held(), _environment({**thread_variables(1), **_QUIET}):
                for _ in range(self.processes):
                    pipe, process = _start_worker()
                    workers[pipe] = process
            for number, pipe in enumerate(workers):
                _send(pipe, (self.threads, number))
                _send(pipe, self)
                doing[pipe] = next(ranks)
                _send(pipe, doing[pipe])
            while doing:
                for pipe in connection.wait(list(doing)):
                    self._hear(pipe, workers[pipe], doing.pop(pipe))
                    if (rank := next(ranks, None)) is not None:
                        doing[pipe] = rank
                        _send(pipe, rank)
        finally:
            for pipe, process in workers.items():
                process.kill()  # parts appear by renaming: none is half done
                process.join()
                pipe.close()

    def _hear(self, pipe: Any, process: Any, rank: int) -> None:
        try:
            error = pipe.recv()
        except (EOFError, ConnectionError) as ended:
            process.join()
            raise WorkerDiedError(
                f"{self.pipeline[0].task_name(rank)}: its process was ended by"
                f" {_cause(process.exitcode)}; finished shards are kept: run the same command"
                " again to continue, with fewer --workers if memory ran out"
            ) from ended
        if error is not None:
            raise error


def _start_worker() -> tuple[Any, Any]:
    context = multiprocess.get_context("forkserver")
    # The slow imports are done once, before the fork. OpenMP reads its variables when it loads.
    context.set_forkserver_preload(["artsound.preload"])
    forkserver.ensure_running()
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True, name=WORKER)
    process.start()
    theirs.close()
    return ours, process


def _send(pipe: Any, message: object) -> None:
    with contextlib.suppress(ConnectionError):  # a dead worker is noticed when it is heard next
        pipe.send(message)


def _work(pipe: Any) -> None:
    """Do what comes through the pipe, in a worker process: the threads, the executor, ranks."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):  # the parent has gone
        prepare_worker(*pipe.recv())
        executor = pipe.recv()
        while True:
            pipe.send(_outcome(executor, pipe.recv()))


def _outcome(executor: Workers, rank: int) -> Exception | None:
    try:
        executor.run_task(rank)
    except (ArtsoundError, OSError) as error:
        return error
    return None


def _end_with_parent() -> None:
    """Let no worker compute on for hours after its parent was killed."""
    multiprocess.parent_process().join()
    os._exit(1)


def _cause(exitcode: int) -> str:
    if exitcode < 0:
        return f"signal {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}, after what it printed above"


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
