"""Has an aligner learned what an artwork sounds like? Its loss on held-out pairs against controls.

For an artwork that neither the prior nor the aligner has seen, the noise in its own music is
predicted three times, at the same timesteps and under the same noise: with the artwork's embedding
through the trained aligner, with the embeddings of the other held-out artworks (shuffled), and with
its own through an aligner that was not trained. Only the first difference says that the image
matters; the second is won by any aligner that has found the frozen prior's range.

Some artworks lead to tokens that suit any music, and some music is hard whatever is shown. In the
mean over the pairs of a fold this cancels, as each artwork is shown once as its own and equally
often as another's; in a single pair it does not. So it is taken out of each pair (the matrix of
music by artwork is centred by rows and by columns), which leaves the mean. A fold of n pairs makes
the interval of the first difference too narrow by a little, sqrt(1 - 1 / n): 9 % where n is 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from art2mus.training.objective import Objective

Array = NDArray[np.float64]
TIMESTEPS: Final = (100, 300, 500, 700, 900)
_RESAMPLES: Final = 10_000


@dataclass(frozen=True)
class Held:
    """Held-out pairs.

    Attributes:
        embeddings: of the artworks, [n, E].
        moments: of each pair's clips, as the codec gives them: n tensors [clips, 2C, T, H].
    """

    embeddings: Tensor
    moments: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True)
class Losses:
    """Mean losses on held-out pairs, a row a pair and a column a timestep.

    Attributes:
        own: with the pair's artwork, [n, timesteps].
        shuffled: with each of the others, averaged and centred, likewise.
        untrained: with the pair's artwork and the untrained aligner, likewise.
    """

    own: Array
    shuffled: Array
    untrained: Array

    @classmethod
    def averaged(cls, parts: Sequence[Losses], held: Sequence[Sequence[int]]) -> Losses:
        """Return the losses of several folds as one, a row a pair in ascending order.

        Args:
            parts: of each fold.
            held: the pairs of its rows; the losses of a pair in several splits are averaged.
        """
        pairs = np.concatenate([np.asarray(rows) for rows in held])
        order, place, count = np.unique(pairs, return_inverse=True, return_counts=True)

        def mean(name: str) -> Array:
            rows = np.concatenate([getattr(part, name) for part in parts])
            total = np.zeros((len(order), rows.shape[1]))
            np.add.at(total, place, rows)
            return total / count[:, None]

        return cls(mean("own"), mean("shuffled"), mean("untrained"))


@dataclass(frozen=True)
class Advantage:
    """By how much the trained aligner beats a control.

    Attributes:
        per_item: the control's loss less the trained aligner's own, relative to the latter at
            each timestep (losses fall by orders of magnitude from one to the next), averaged, [n].
        mean: of it; 0.05 is five per cent.
        low: of the 95 % interval of the mean, by a seeded bootstrap over the pairs.
        high: likewise.
        wins: in how many pairs it is above 0.
    """

    per_item: Array
    mean: float
    low: float
    high: float
    wins: int


def measure(
    objective: Objective,
    trained: Any,
    untrained: Any,
    held: Held,
    *,
    timesteps: Sequence[int] = TIMESTEPS,
    seed: int = 0,
) -> Losses:
    """Return the losses of held-out pairs with their own artworks and with the controls.

    Args:
        objective: the frozen half, as training has it.
        trained: an aligner.
        untrained: one with the first weights that it had.
        held: at least two pairs.
        timesteps: at which the noise is predicted.
        seed: of the noise, which is the same for every condition.
    """
    count = len(held)
    matrix = np.zeros((count, count, len(timesteps)))
    before = np.zeros((count, len(timesteps)))
    with torch.no_grad():
        for item, moments in enumerate(held.moments):
            generator = torch.Generator().manual_seed(seed * 1_000_003 + item)
            batches = list(_batches(moments, timesteps, generator))
            for other in range(count):
                matrix[item, other] = _loss(objective, trained, held.embeddings[other], batches)
            before[item] = _loss(objective, untrained, held.embeddings[item], batches)
    own = matrix.diagonal().T.copy()
    return Losses(own, own * (1 + _interaction(matrix)), before)


def advantage(own: Array, control: Array, *, seed: int = 0) -> Advantage:
    """Return by how much losses lie under a control's, with a bootstrap interval over the pairs.

    Args:
        own: of the trained aligner, [n, timesteps].
        control: of the control, likewise.
        seed: of the bootstrap.
    """
    relative = ((control - own) / own).mean(1)
    random = np.random.default_rng(seed)
    drawn = random.integers(len(relative), size=(_RESAMPLES, len(relative)))
    low, high = np.percentile(relative[drawn].mean(1), [2.5, 97.5])
    wins = int((relative > 0).sum())
    return Advantage(relative, float(relative.mean()), float(low), float(high), wins)


def _interaction(matrix: Array) -> Array:
    """Return how much more is lost with another's artwork, relative to a row's mean.

    Args:
        matrix: losses of music by artwork, [n, n, timesteps].

    Returns:
        The negative interaction on the diagonal, [n, timesteps]; its mean over the pairs is that of
        the entries off the diagonal less that of the diagonal, of the matrix with rows of mean 1.
    """
    count = len(matrix)
    relative = matrix / matrix.mean(1, keepdims=True)
    centred = relative - relative.mean(0)  # the rows' means are all 1
    found: Array = -centred.diagonal().T * count / (count - 1)
    return found


def _batches(moments: Tensor, timesteps: Sequence[int], generator: torch.Generator) -> Any:
    """Yield a batch of all clips of a pair for each timestep, without their embedding."""
    shape = (len(moments), moments.shape[1] // 2, *moments.shape[2:])
    for timestep in timesteps:
        yield {
            "moments": moments,
            "posterior": torch.zeros(shape),
            "noise": torch.randn(shape, generator=generator),
            "timestep": torch.full((len(moments),), timestep),
        }


def _loss(
    objective: Objective, aligner: Any, embedding: Tensor, batches: Sequence[dict[str, Tensor]]
) -> Array:
    """Return the mean loss of each batch, a timestep each."""
    losses = [
        objective(
            aligner, {**batch, "embedding": embedding.expand(len(batch["moments"]), -1)}
        ).mean()
        for batch in batches
    ]
    return torch.stack(losses).double().numpy()
