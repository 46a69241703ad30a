"""What an epoch is judged by: the loss at fixed timesteps and noise, and generated music.

The loss uses the same timesteps, latents and noise in every validation of every training, so that
its changes are the aligner's. The music is the paper's validation (section 5.2): 10 s for each of
100 artworks by 200 DDIM steps, written as the benchmark writes predictions, and scored against as
much of their ground truth by the benchmark's metrics.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from art2mus.diffusion import Stream, draw
from art2mus.training.examples import Batch
from art2mus.training.music import generate
from art2mus.training.objective import Objective
from art2mus.training.settings import Validation
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.aligner import ImageAligner
    from art2mus.backbone import Backbone
    from art2mus.data import Release
    from art2mus.data.prepare import Prepared

_SEED: Final = 0  # of validation's noise, whatever the training's
_log = logging.getLogger(__name__)


def check_metrics(settings: Validation, device: str) -> None:
    """Find out at the start whether the music can be scored, and not after the first epoch.

    Raises:
        UsageError: there is no such metric, the best checkpoint goes by none of them or by one
            without a better end.
        ArtsoundError: the weights of a metric are not there.
    """
    from art2mus.benchmark.embedders import registry
    from art2mus.benchmark.metrics.registry import choose

    chosen = choose(settings.metrics)
    names = [one.name for one in chosen]
    if settings.best not in ("loss", *names):
        raise UsageError(
            f"validation.best = {settings.best!r} is not measured: choose one of loss,"
            f" {', '.join(names)}"
        )
    if any(one.name == settings.best and one.metric.higher_is_better is None for one in chosen):
        raise UsageError(
            f"validation.best = {settings.best!r}: neither end of it is the better one; choose"
            " another metric, or loss"
        )
    registry.check_names(settings.checkpoints)
    for embedder in dict.fromkeys(one.embedder for one in chosen):
        registry.load(embedder, settings.checkpoints, device)


def fixed_timesteps(count: int, timesteps: int = 1000) -> list[int]:
    """Return so many timesteps, in the middle of equal parts of 0 .. timesteps - 1."""
    return [timesteps * (2 * number + 1) // (2 * count) for number in range(count)]


@torch.no_grad()
def validation_losses(
    objective: Objective,
    aligner: Any,
    moments: Sequence[Any],
    embeddings: Sequence[Any],
    *,
    timesteps: Sequence[int],
    rows: Sequence[int],
    batch: int,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return the loss of each row at each timestep, without guidance, [rows, timesteps].

    Args:
        objective: the frozen half of a step.
        aligner: embeddings to tokens.
        moments: of the split, by row.
        embeddings: of the split, by row.
        timesteps: at which.
        rows: which.
        batch: how many losses are taken at a time.
        device: where.
    """
    plain = dataclasses.replace(objective, guidance=None)
    wanted = [(row, timestep) for row in rows for timestep in timesteps]
    losses = [
        plain(aligner, {name: tensor.to(device) for name, tensor in held.items()}).cpu()
        for held in _batches(moments, embeddings, wanted, batch)
    ]
    return torch.cat(losses).view(len(rows), len(timesteps)) if losses else torch.zeros(0, 0)


def _batches(
    moments: Sequence[Any],
    embeddings: Sequence[Any],
    wanted: Sequence[tuple[int, int]],
    size: int,
) -> Iterator[Batch]:
    for begin in range(0, len(wanted), size):
        held: dict[str, list[Tensor]] = {}
        for row, timestep in wanted[begin : begin + size]:
            found = torch.tensor(moments[row])
            shape = (found.shape[0] // 2, *found.shape[1:])
            drawn = draw(_SEED, timestep, row, shape, stream=Stream.VALIDATION)
            item = {
                "moments": found,
                "embedding": torch.tensor(embeddings[row]),
                "timestep": torch.tensor(timestep),
                "posterior": drawn.posterior,
                "noise": drawn.noise,
            }
            for name, tensor in item.items():
                held.setdefault(name, []).append(tensor)
        yield {name: torch.stack(tensors) for name, tensors in held.items()}


def summary(losses: Tensor, timesteps: Sequence[int]) -> dict[str, float]:
    """Return the mean loss as `loss`, and at each timestep as `loss@T`.

    Args:
        losses: of each row at each timestep, [rows, timesteps].
        timesteps: their names.
    """
    exact = losses.double()
    by_timestep = {
        f"loss@{timestep}": float(value)
        for timestep, value in zip(timesteps, exact.mean(0), strict=True)
    }
    return {"loss": float(exact.mean()), **by_timestep}


@dataclass(frozen=True)
class Validated:
    """What a validation found.

    Attributes:
        metrics: by name.
        lower_is_better: of the metric that the best checkpoint goes by.
        undefined: what could not be measured, and why, by the metric's name or `music`.
        artworks: how many were taken; as many clips of music, where it is generated.
    """

    metrics: dict[str, float]
    lower_is_better: bool = True
    undefined: Mapping[str, str] = dataclasses.field(default_factory=dict)
    artworks: int = 0


class Validator:
    """Validates an aligner, all processes of a training together.

    Args:
        settings: the recipe's.
        split: of the release.
        objective: the frozen half of a step.
        backbone: for music.
        prepared: the caches.
        release: with the validation split.
        folder: where music goes.
        accelerator: accelerate's.
        batch: how many losses are taken at a time.
        cache: where the metrics keep their features.
    """

    def __init__(
        self,
        settings: Validation,
        split: str,
        objective: Objective,
        backbone: Backbone,
        prepared: Prepared,
        release: Release,
        folder: Path,
        accelerator: Any,
        *,
        batch: int,
        cache: Path,
    ) -> None:
        self.settings = settings
        self.split = split
        self.objective = objective
        self.backbone = backbone
        self.prepared = prepared
        self.release = release
        self.folder = folder
        self.accelerator = accelerator
        self.batch = batch
        self.cache = cache
        self.rows = list(range(min(settings.artworks, release.splits[split])))
        count = len(objective.alphas_cumprod)
        self.timesteps = fixed_timesteps(min(settings.timesteps, count), count)

    @property
    def _mine(self) -> list[int]:
        """The rows that this process takes."""
        return self.rows[self.accelerator.process_index :: self.accelerator.num_processes]

    def __call__(self, aligner: ImageAligner) -> Validated:
        """Return the metrics, the same in all processes."""
        losses = self._gathered(
            validation_losses(
                self.objective,
                aligner,
                self.prepared.moments(self.split),
                self.prepared.embeddings(self.split),
                timesteps=self.timesteps,
                rows=self._mine,
                batch=self.batch,
                device=self.accelerator.device,
            )
        )
        metrics = summary(losses, self.timesteps)
        if not self.settings.generate:
            return Validated(metrics, artworks=len(self.rows))
        found = self._music(aligner)
        if self.accelerator.is_main_process:
            self._warn(found.undefined)
        return dataclasses.replace(found, metrics=metrics | found.metrics, artworks=len(self.rows))

    def _warn(self, undefined: Mapping[str, str]) -> None:
        """Say what could not be measured, and what that means for the best checkpoint."""
        for name, reason in undefined.items():
            _log.warning("validation: %s is not measured: %s", name, reason)
        best = self.settings.best
        if best in undefined or ("music" in undefined and best != "loss"):
            _log.warning(
                "validation: the best checkpoint goes by %s: this one cannot be the best", best
            )

    def _gathered(self, mine: Tensor) -> Tensor:
        """Return all rows' losses in the order of the rows, whichever process took them."""
        from accelerate.utils import gather_object

        named = list(zip(self._mine, mine.tolist(), strict=True))
        return torch.tensor([losses for _, losses in sorted(gather_object(named))])

    def _music(self, aligner: ImageAligner) -> Validated:
        """Generate, each process its rows; the first scores, and all learn the scores."""
        from accelerate.utils import broadcast_object_list, gather_object

        accelerator, split = self.accelerator, self.split
        if accelerator.is_main_process:
            for path in self.folder.glob("*.wav"):  # of the validation before
                path.unlink()
        accelerator.wait_for_everyone()
        names = self.release.pairs(split)
        mine = {row: names[row].pair_id for row in self._mine}
        spoilt = gather_object(
            generate(
                aligner,
                self.backbone,
                self.prepared,
                mine,
                self.settings,
                self.folder,
                split=split,
            )
        )
        if spoilt:
            # A training of days goes on; without scores, which the other pieces would flatter.
            return Validated({}, undefined={"music": spoilt[0]})
        told: list[Any] = [None]
        if accelerator.is_main_process:
            told[0] = self._scored([names[row].pair_id for row in self.rows])
        broadcast_object_list(told)
        found: Validated = told[0]
        return found

    def _scored(self, pair_ids: Sequence[str]) -> Validated:
        """Score the music, of which as much is heard as was generated."""
        from art2mus.benchmark.evaluate import evaluate

        results = evaluate(
            {pair_id: self.folder / f"{pair_id}.wav" for pair_id in pair_ids},
            self.release,
            self.split,
            suite=self.settings.metrics,
            cache=self.cache / "benchmark",
            device=self.accelerator.device.type,
            checkpoints=self.settings.checkpoints,
            clip_s=self.settings.duration_s,
            partial=True,
        )
        best = next((one for one in results if one.metric == self.settings.best), None)
        return Validated(
            {one.metric: one.value for one in results if one.value is not None},
            best is None or not best.higher_is_better,
            {one.metric: str(one.details["undefined"]) for one in results if one.value is None},
        )
