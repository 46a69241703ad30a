"""What the aligner is shown of each row: its artwork's embedding, or its music's in that place.

In a joint space of images and music the two embeddings of a pair say alike things, if the pair was
made for that. But there is a modality gap (Liang et al. 2022, arXiv 2203.02053), and artworks
differ from one another in much that no music does: of few pairs an aligner learns that by heart.
Zhang et al. (2024, arXiv 2401.08567) learn the task of one modality from another: they centre both
("collapse") and add noise ("corrupt"). To scale the music's deviations too is this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from art2mus.diffusion import moved, stands_in
from art2mus.training.settings import StandIns
from artsound.errors import UsageError

_AT_A_TIME: Final = 4096


class EmbeddingRows(Protocol):
    """Vectors by row: a tensor of shape (n, E), or the rows of a cache."""

    def __len__(self) -> int:
        """Return n."""
        ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Return a row, shape (E,), or a slice of rows."""
        ...


@dataclass(frozen=True)
class CentredMusic:
    """Embeddings of music, centred where the artworks are.

    Attributes:
        music: by row.
        spread: what each is multiplied by.
        shift: what is added then, shape (E,).
    """

    music: EmbeddingRows
    spread: float
    shift: Tensor

    @classmethod
    def of(cls, music: EmbeddingRows, artworks: EmbeddingRows, spread: float) -> CentredMusic:
        """Return music with the artworks' mean, its deviations from its own scaled by `spread`.

        Args:
            music: of at least one row.
            artworks: of the same rows, in the same space.
            spread: see above.

        Raises:
            UsageError: they differ in their number or their size.
        """
        shapes = [(len(rows), len(rows[0])) for rows in (music, artworks)]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"music's embeddings {shapes[0]} cannot stand in for artworks' {shapes[1]}:"
                " they must be of the same pairs and of one joint space"
            )
        shift = _mean(artworks) - spread * _mean(music)
        return cls(music, spread, shift.float())

    def __getitem__(self, row: int) -> Tensor:
        """Return what stands in for the artwork of a row, shape (E,)."""
        return self.shift + self.spread * _row(self.music, row)


@dataclass(frozen=True)
class AlignerInputs:
    """The embeddings that examples show to the aligner.

    Attributes:
        artworks: by row.
        noise: by what part of its length each embedding is moved; see `diffusion.moved`.
        stand_ins: for the artworks; None to show these alone.
        share: of the examples in which one stands in.
    """

    artworks: EmbeddingRows
    noise: float = 0.0
    stand_ins: CentredMusic | None = None
    share: float = 0.0

    @classmethod
    def of(
        cls, artworks: EmbeddingRows, music: EmbeddingRows | None, wanted: StandIns, noise: float
    ) -> AlignerInputs:
        """Return what the settings ask for.

        Args:
            artworks: by row.
            music: of the same rows; None only where it never stands in.
            wanted: how it does.
            noise: see the attribute.

        Raises:
            UsageError: music is to stand in, and is not given or does not fit.
        """
        if not wanted.share:
            return cls(artworks, noise)
        if music is None:
            raise UsageError("stand_ins.share is above 0, and there are no embeddings of music")
        held = CentredMusic.of(music, artworks, wanted.spread)
        return cls(artworks, noise, held, wanted.share)

    def embedding(self, row: int, seed: int, epoch: int, place: int) -> Tensor:
        """Return what an example shows, shape (E,): a pure function of the arguments.

        Args:
            row: whose embedding.
            seed: of the training.
            epoch: from 0.
            place: what tells the examples of an epoch apart.
        """
        held = self.stand_ins
        if held is not None and stands_in(self.share, seed, epoch, place):
            embedding = held[row]
        else:
            embedding = _row(self.artworks, row)
        return moved(embedding, self.noise, seed, epoch, place)


def _row(rows: EmbeddingRows, row: int) -> Tensor:
    return torch.tensor(np.asarray(rows[row]))


def _mean(rows: EmbeddingRows) -> Tensor:
    """Return the mean of rows, in float64, of which not all need be in memory."""
    total: Any = 0.0
    for begin in range(0, len(rows), _AT_A_TIME):
        total = total + np.asarray(rows[begin : begin + _AT_A_TIME], np.float64).sum(axis=0)
    return torch.from_numpy(total / len(rows))
