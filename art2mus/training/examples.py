"""Training examples: what the caches hold of a row, with the noise that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from art2mus.diffusion import draw
from art2mus.training.aligner_inputs import AlignerInputs
from art2mus.training.plan import BatchSampler, Example

Batch = dict[str, Tensor]


class Examples(Dataset[dict[str, Any]]):
    """Rows of the caches, by epoch and row, each with its own noise.

    An item is `moments` [2C, ...], `embedding` [E], `timestep`, `posterior` [C, ...] and `noise`
    [C, ...]. Only what is asked for is read, from memory maps.

    Args:
        moments: by row, [2C, ...].
        inputs: what the aligner is shown of the same rows.
        seed: of all that is random.
        timesteps: how many the diffusion has.
    """

    def __init__(
        self, moments: Sequence[Any], inputs: AlignerInputs, seed: int, timesteps: int = 1000
    ) -> None:
        self.moments = moments
        self.inputs = inputs
        self.seed = seed
        self.timesteps = timesteps

    def __getitem__(self, example: Example) -> dict[str, Any]:
        """Return the example of an epoch and a row."""
        epoch, row = example
        moments = torch.tensor(self.moments[row])
        shape = (moments.shape[0] // 2, *moments.shape[1:])
        drawn = draw(self.seed, epoch, row, shape, self.timesteps)
        return {
            "moments": moments,
            "embedding": self.inputs.embedding(row, self.seed, epoch, row),
            "timestep": drawn.timestep,
            "posterior": drawn.posterior,
            "noise": drawn.noise,
        }


def loader(examples: Examples, sampler: BatchSampler, workers: int, pin: bool) -> Any:
    """Return the batches of a process from where the sampler begins, read ahead by `workers`."""
    return DataLoader(
        examples,
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pin,
        collate_fn=_collate,
        persistent_workers=False,
    )


def _collate(items: Sequence[dict[str, Any]]) -> Batch:
    batch: Batch = default_collate(list(items))
    return batch
