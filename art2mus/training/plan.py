"""The arithmetic of a training: which examples make which step, on any number of processes.

An epoch is a permutation of the rows, a pure function of the seed and the epoch; a step takes the
next `batch.size` of it, and the last incomplete batch is dropped. How a batch is spread over
processes and accumulation steps changes nothing about it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from art2mus.training.settings import TrainSettings
from artsound.errors import UsageError

Example = tuple[int, int]  # epoch, row
_SHUFFLE = 2**32 - 1  # keeps the order's numbers apart from those of `diffusion.draw`


def launched() -> int:
    """Return how many processes `torchrun` or accelerate has launched; 1 without them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def first_process() -> bool:
    """Whether this is the process of a launch that writes and scores."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class Plan:
    """The steps of a training.

    Attributes:
        rows: of the training split.
        batch: examples in an optimiser step, over all processes.
        processes: how many there are.
        per_process: examples that a process holds at a time.
        accumulation: passes of all processes in a step.
        epochs: begun epochs; the last is cut short where `total_steps` says so.
        total_steps: optimiser steps in all.
        seed: of the order.
    """

    rows: int
    batch: int
    processes: int
    per_process: int
    accumulation: int
    epochs: int
    total_steps: int
    seed: int

    @classmethod
    def make(cls, rows: int, settings: TrainSettings, processes: int = 1) -> Plan:
        """Spread the recipe's batch over the processes, in as few passes as it allows.

        Raises:
            UsageError: the batch is larger than the split, or cannot be spread evenly.
        """
        size, most = settings.batch.size, settings.batch.per_process
        if size > rows:
            raise UsageError(
                f"batch.size = {size} is larger than the split {settings.split!r}, which has"
                f" {rows:,} rows: --set batch.size={max(rows, 1)} or less"
            )
        if size % processes:
            raise UsageError(
                f"batch.size = {size} cannot be spread evenly over {processes} processes: make it a"
                f" multiple of {processes}, or start another number of processes"
            )
        share = size // processes
        passes = next(n for n in range(1, share + 1) if share % n == 0 and share // n <= most)
        in_epoch = rows // size
        total = settings.schedule.steps or settings.schedule.epochs * in_epoch
        return cls(
            rows=rows,
            batch=size,
            processes=processes,
            per_process=share // passes,
            accumulation=passes,
            epochs=math.ceil(total / in_epoch),
            total_steps=total,
            seed=settings.seed,
        )

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in an epoch."""
        return self.rows // self.batch

    def position(self, step: int) -> tuple[int, int]:
        """Return the epoch that comes after so many finished steps, and the finished ones in it."""
        return divmod(step, self.steps_per_epoch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the rows in the order in which an epoch takes them."""
        sequence = np.random.SeedSequence((_SHUFFLE, self.seed, epoch))
        return np.random.Generator(np.random.Philox(sequence)).permutation(self.rows)

    def describe(self) -> str:
        """Return the arithmetic in three lines for people."""
        processes = f"{self.processes} process{'es' if self.processes > 1 else ''}"
        in_epoch = self.steps_per_epoch
        return (
            f"batch: {self.batch} = {self.per_process} x {processes} x {self.accumulation}"
            " accumulated\n"
            f"epoch: {in_epoch:,} steps = {self.rows:,} rows // {self.batch}"
            f" ({self.rows - in_epoch * self.batch} left over)\n"
            f"training: {self.total_steps:,} steps = {self.total_steps / in_epoch:.4g} epochs"
        )


class BatchSampler:
    """One process's batches of examples, from a finished step to the end of the training.

    A batch sampler of torch's DataLoader; examples are named by epoch and row, which is all that
    their noise depends on.

    Args:
        plan: the steps.
        process: which of the processes, from 0.
        finished: optimiser steps that are done.
    """

    def __init__(self, plan: Plan, process: int = 0, finished: int = 0) -> None:
        self.plan = plan
        self.process = process
        self.finished = finished

    def __len__(self) -> int:
        return (self.plan.total_steps - self.finished) * self.plan.accumulation

    def __iter__(self) -> Iterator[list[Example]]:
        plan = self.plan
        step = self.finished
        while step < plan.total_steps:
            epoch, begun = plan.position(step)
            order = plan.order(epoch)
            for place in range(begun, min(plan.steps_per_epoch, begun + plan.total_steps - step)):
                batch = order[place * plan.batch : (place + 1) * plan.batch]
                # Pass by pass, as if the processes' shares lay side by side in a larger memory.
                shares = batch.reshape(plan.accumulation, plan.processes, plan.per_process)
                for rows in shares[:, self.process]:
                    yield [(epoch, int(row)) for row in rows]
                step += 1
