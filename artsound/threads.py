"""How many threads a computation gets.

Shards run beside each other, one thread each; a whole stage runs alone, on all cores.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

from threadpoolctl import threadpool_limits

_WORKER: Final = "ARTSOUND_WORKER"


def worker_number() -> int:
    """Return which of a build's worker processes this is, from 0; 0 in any other process."""
    return int(os.environ.get(_WORKER, "0"))


def cores() -> int:
    """Return how many cores this process may use: those it is bound to, or fewer by SLURM's word.

    A cluster that binds no job to its cores still counts on each to use what it asked for.
    """
    bound = len(os.sched_getaffinity(0))
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(bound, int(given)) if given.isdecimal() and int(given) else bound


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that libraries read when they load."""
    return {
        name: str(threads)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }


def prepare_worker(threads: int, number: int) -> None:
    """Set the environment of a worker process for libraries that it has yet to load."""
    os.environ.update(thread_variables(threads) | {_WORKER: str(number)})
    if "numba" not in sys.modules:  # numba does not bear a change of its variable afterwards
        os.environ["NUMBA_NUM_THREADS"] = str(threads)


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Give so many threads to the libraries that are loaded: BLAS, OpenMP, torch and numba."""
    torch = sys.modules.get("torch")
    numba = sys.modules.get("numba")
    torch_before = torch.get_num_threads() if torch else 0
    numba_before = numba.get_num_threads() if numba else 0
    with threadpool_limits(limits=threads):
        if torch:
            torch.set_num_threads(threads)
        if numba:
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(torch_before)
            if numba:
                numba.set_num_threads(numba_before)
