"""The loop: steps, and between them checkpoints, validation and the log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from art2mus.aligner import ImageAligner
from art2mus.checkpoint import Description
from art2mus.training.examples import Batch, Examples, loader
from art2mus.training.folder import RunFolder
from art2mus.training.frozen import Watch
from art2mus.training.log import RunLog
from art2mus.training.objective import Objective
from art2mus.training.plan import BatchSampler, Plan
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import TrainSettings
from art2mus.training.state import Best, Position, load_state, save_state
from art2mus.training.validation import Validated
from artsound.errors import ArtsoundError


@dataclass(frozen=True)
class _Step:
    """A step that was taken: its mean loss, its gradient's norm and its learning rate."""

    loss: float
    norm: float
    rate: float


Validate = Callable[[ImageAligner], Validated]


class Trainer:
    """A training, from where it stands to its end, in one of its processes.

    Args:
        settings: the recipe.
        plan: which examples make which step.
        objective: the frozen half of a step.
        examples: of the training split.
        aligner: what learns.
        optimizer: of its parameters.
        scheduler: of the learning rate; advanced once a step.
        average: diffusers' EMAModel of the parameters, or None.
        accelerator: accelerate's.
        folder: where everything is written, by the first process.
        description: what a checkpoint says of itself, its step and metrics aside.
        position: where the training stands.
        validate: measures the aligner after a step; None for no validation.
        watch: of the frozen parts.
        progress: what is shown.
    """

    def __init__(
        self,
        *,
        settings: TrainSettings,
        plan: Plan,
        objective: Objective,
        examples: Examples,
        aligner: ImageAligner,
        optimizer: Optimizer,
        scheduler: Any,
        average: Any,
        accelerator: Any,
        folder: RunFolder,
        description: Description,
        position: Position,
        validate: Validate | None,
        watch: Watch,
        progress: TrainingProgress,
    ) -> None:
        self.settings = settings
        self.plan = plan
        self.objective = objective
        self.examples = examples
        self.aligner = aligner
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.average = average
        self.accelerator = accelerator
        self.folder = folder
        self.description = description
        self.position = position
        self.validate = validate
        self.watch = watch
        self.progress = progress
        if position.step:
            load_state(folder.training, aligner, optimizer, self._averages)
            scheduler.load_state_dict(position.scheduler)
            # The schedule tells the optimiser its rate when it advances, not when it is loaded.
            for group, rate in zip(optimizer.param_groups, scheduler.get_last_lr(), strict=True):
                group["lr"] = rate
            if average is not None:
                average.optimization_step = position.step
        self._aligner, self._optimizer = accelerator.prepare(aligner, optimizer)

    @property
    def main(self) -> bool:
        """Whether this is the process that writes."""
        return bool(self.accelerator.is_main_process)

    @property
    def _averages(self) -> list[Tensor] | None:
        return None if self.average is None else list(self.average.shadow_params)

    def run(self) -> Position:
        """Train to the end; returns where it stands then."""
        position, first = self.position, self.position.step + 1
        with RunLog(self.folder.log, position.log_bytes, write=self.main) as log:
            self._validate_if_due(log)
            began = time.perf_counter()
            for step in self._steps():
                position.step += 1
                self._log_step(log, step)
                if position.step == first or self._epoch_has_ended():
                    self.watch.check()
                if self._save_is_due():
                    position.seconds += time.perf_counter() - began
                    self._save(log)
                    self._validate_if_due(log)
                    began = time.perf_counter()
        return position

    def _steps(self) -> Iterator[_Step]:
        """Take the steps that are left."""
        accelerator = self.accelerator
        sampler = BatchSampler(self.plan, accelerator.process_index, self.position.step)
        pin = accelerator.device.type == "cuda"
        most = self.settings.optimizer.clip_norm
        total = torch.zeros((), device=accelerator.device)
        for batch in loader(self.examples, sampler, self.settings.batch.workers, pin):
            with accelerator.accumulate(self._aligner):
                held: Batch = {
                    name: tensor.to(accelerator.device, non_blocking=pin)
                    for name, tensor in batch.items()
                }
                loss = self.objective(self._aligner, held).mean()
                accelerator.backward(loss)
                total += loss.detach() / self.plan.accumulation
                if not accelerator.sync_gradients:
                    continue
                norm = accelerator.clip_grad_norm_(
                    self.aligner.parameters(), float("inf") if most is None else most
                )
                self._optimizer.step()
                self._optimizer.zero_grad()
            rate = self.scheduler.get_last_lr()[0]
            self.scheduler.step()
            if self.average is not None:
                self.average.step(self.aligner.parameters())
            yield _Step(float(accelerator.reduce(total, "mean")), float(norm), rate)
            total = torch.zeros_like(total)

    def _log_step(self, log: RunLog, taken: _Step) -> None:
        number = self.position.step
        if not math.isfinite(taken.loss) or not math.isfinite(taken.norm):
            raise ArtsoundError(
                f"step {number} has a loss of {taken.loss} and a gradient of norm {taken.norm}:"
                " lower optimizer.learning_rate, or take precision = fp32, with --restart"
            )
        entry = {"loss": taken.loss, "lr": taken.rate, "grad_norm": taken.norm}
        log.write({"step": number, "epoch": self.plan.position(number - 1)[0], **entry})
        self.accelerator.log({f"train/{key}": value for key, value in entry.items()}, step=number)
        note = f"loss {taken.loss:.4f}, lr {taken.rate:.2g}"
        self.progress("train", number, self.plan.total_steps, note)

    def _epoch_has_ended(self) -> bool:
        """Whether the last step was an epoch's last, or the last of all."""
        step = self.position.step
        return step == self.plan.total_steps or step % self.plan.steps_per_epoch == 0

    def _save_is_due(self) -> bool:
        every = self.settings.checkpoints.every_steps
        return self._epoch_has_ended() or (every is not None and self.position.step % every == 0)

    def _validation_is_due(self) -> bool:
        """Whether this step ends an epoch that is validated, and has not been yet."""
        step = self.position.step
        if not step or self.position.validated == step:
            return False
        every = self.settings.validation.every_epochs * self.plan.steps_per_epoch
        return step == self.plan.total_steps or step % every == 0

    def _validate_if_due(self, log: RunLog) -> None:
        """Validate where that is due, write it down, and publish the aligner if it is the best.

        A metric may be undefined on what was generated: then there is no best, and `_save`
        publishes the last.
        """
        if self.validate is None or not self._validation_is_due():
            return
        position, metric = self.position, self.settings.validation.best
        with self._evaluated() as aligner:
            found = self.validate(aligner)
            position.metrics, position.validated = found.metrics, position.step
            position.artworks = found.artworks
            sign = 1 if found.lower_is_better else -1
            value = found.metrics.get(metric)
            best = position.best
            if value is not None and (best is None or sign * value < sign * best.value):
                position.best = Best(metric, value, position.step)
                if self.main:
                    self.folder.publish(aligner, self._described())
        epoch = self.plan.position(position.step - 1)[0]
        log.write({"step": position.step, "epoch": epoch, "validation": found.metrics})
        named = {f"validation/{name}": value for name, value in found.metrics.items()}
        self.accelerator.log(named, step=position.step)
        shown = ", ".join(f"{name} {found.metrics[name]:.4g}" for name in _shown(found.metrics))
        self.progress.say(f"epoch {epoch + 1}, step {position.step:,}: validation {shown}")
        if position.best is None:
            self.progress.say(f"{metric} is undefined here: {self.folder.root} holds the last step")
        self._save(log)

    @contextmanager
    def _evaluated(self) -> Iterator[ImageAligner]:
        """Lend the aligner with the weights that are judged: the average, where one is kept."""
        if self.average is None:
            yield self.aligner
            return
        parameters = list(self.aligner.parameters())
        self.average.store(parameters)
        self.average.copy_to(parameters)
        try:
            yield self.aligner
        finally:
            self.average.restore(parameters)

    def _described(self) -> Description:
        position = self.position
        return replace(
            self.description,
            step=position.step,
            metrics=dict(position.metrics),
            validated=position.validated,
            validation_split=self.settings.validation.split or "",
            validation_artworks=position.artworks,
        )

    def _save(self, log: RunLog) -> None:
        """Write the state; the first process alone, which the others need not wait for."""
        if not self.main:
            return
        position = self.position
        position.scheduler = self.scheduler.state_dict()
        position.log_bytes = log.length()
        with self._evaluated() as aligner:
            self.folder.write_last(aligner, self._described())
            if position.best is None:
                self.folder.publish(aligner, self._described())
        save_state(self.folder.training, position, self.aligner, self.optimizer, self._averages)


def _shown(metrics: dict[str, float]) -> list[str]:
    """Return the metrics that fit a line: all but the loss at each timestep."""
    return [name for name in metrics if "@" not in name]
