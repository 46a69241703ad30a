"""What an aligner is shown of each row: its artwork's embedding, or its music's in that place.

In a joint space of images and music the two embeddings of a pair say alike things, if the pair was
made for that. But the modalities lie apart (Liang et al. 2022, arXiv 2203.02053), and artworks
differ from one another in much that no music does: from few pairs an aligner learns these by heart
instead. Zhang et al. (2024, arXiv 2401.08567) learn the task of one modality from another: they
take the means' difference away ("collapse") and add noise ("corrupt").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from art2mus.diffusion import moved, stands_in
from art2mus.training.settings import StandIns

_AT_A_TIME: Final = 4096


class Embeddings(Protocol):
    """Vectors by row: a tensor [n, E], or the rows of a cache."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Return a row, [E], or a slice of rows."""
        ...


@dataclass(frozen=True)
class MusicAsArtworks:
    """Embeddings of music, brought to where the artworks lie.

    Attributes:
        music: by row.
        spread: what each is multiplied by.
        centre: what is added then, [E].
        share: of the examples in which one is shown in its artwork's place.
    """

    music: Embeddings
    spread: float
    centre: Tensor
    share: float

    @classmethod
    def of(cls, music: Embeddings, artworks: Embeddings, wanted: StandIns) -> MusicAsArtworks:
        """Return them with the artworks' mean, `wanted.spread` times as far apart as they are.

        Args:
            music: of at least one row.
            artworks: of the same rows, in the same space.
            wanted: the settings.
        """
        centre = _mean(artworks) - wanted.spread * _mean(music)
        return cls(music, wanted.spread, centre.float(), wanted.share)

    def __getitem__(self, row: int) -> Tensor:
        """Return what stands in for the artwork of a row, [E]."""
        return self.centre + self.spread * _row(self.music, row)


@dataclass(frozen=True)
class Shown:
    """The embeddings that examples show.

    Attributes:
        artworks: by row.
        stand_ins: for them; None to show artworks alone.
        noise: by what part of its length each is moved; see `diffusion.moved`.
    """

    artworks: Embeddings
    stand_ins: MusicAsArtworks | None = None
    noise: float = 0.0

    @classmethod
    def of(
        cls, artworks: Embeddings, music: Embeddings | None, wanted: StandIns, noise: float
    ) -> Shown:
        """Return what the settings ask for.

        Args:
            artworks: by row.
            music: of the same rows; looked at only where it is to stand in.
            wanted: how music stands in.
            noise: see the attribute.
        """
        if not wanted.share or music is None:
            return cls(artworks, None, noise)
        return cls(artworks, MusicAsArtworks.of(music, artworks, wanted), noise)

    def shown(self, row: int, seed: int, epoch: int, place: int) -> Tensor:
        """Return what an example shows, [E]: a pure function of the arguments.

        Args:
            row: whose embedding.
            seed: of the training.
            epoch: from 0.
            place: what tells the examples of an epoch apart.
        """
        held = self.stand_ins
        if held is not None and stands_in(held.share, seed, epoch, place):
            embedding = held[row]
        else:
            embedding = _row(self.artworks, row)
        return moved(embedding, self.noise, seed, epoch, place)


def _row(rows: Embeddings, row: int) -> Tensor:
    return torch.tensor(np.asarray(rows[row]))


def _mean(rows: Embeddings) -> Tensor:
    """Return the mean of rows, in float64, of which not all need be in memory."""
    total: Any = 0.0
    for begin in range(0, len(rows), _AT_A_TIME):
        total = total + np.asarray(rows[begin : begin + _AT_A_TIME], np.float64).sum(axis=0)
    return torch.from_numpy(total / len(rows))
