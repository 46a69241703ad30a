"""Timing what is compared in turns, so that what else the machine does falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch


def best(rounds: int, calls: Sequence[Callable[[], object]]) -> list[float]:
    """Return each call's best time in seconds, in turns, after one round that does not count.

    On one thread it is the processor's time, on more the clock's.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, taken in zip(calls, times, strict=True):
            began = clock()
            call()
            if number:
                taken.append(clock() - began)
    return [min(taken) for taken in times]
