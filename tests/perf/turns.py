"""Timing what is compared in turns, so that what else the machine does falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch


def best(rounds: int, calls: Sequence[Callable[[], object]], device: str = "cpu") -> list[float]:
    """Return each call's best time in seconds, in turns, after one round that does not count.

    On one thread of a CPU it is the processor's time, else the clock's.
    """
    times: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, taken in zip(calls, times, strict=True):
            began = _now(device)
            call()
            if number:
                taken.append(_now(device) - began)
    return [min(taken) for taken in times]


def _now(device: str) -> float:
    """Return the time when all that was asked for is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif torch.get_num_threads() == 1:
        return time.process_time()
    return time.perf_counter()
