"""Frames of many clips as one array, no more of them than memory and time allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.metrics.base import Array, Floats


class Frames(NamedTuple):
    """Frames of clips.

    Attributes:
        rows: shape (n, d), float64.
        owners: the clip that each is of, ascending, shape (n,).
        means: of all frames of each clip, shape (clips, d).
    """

    rows: Floats
    owners: NDArray[np.int64]
    means: Floats


def at_most(
    clips: Sequence[Array],
    order: NDArray[np.int64],
    most: int,
    random: np.random.Generator,
) -> Frames:
    """Return frames of clips; a random part of each clip's where all would be too many.

    Args:
        clips: frames of shape (frames, d) each.
        order: which clips, and in what order; as such they are numbered.
        most: how many frames may be returned; of every clip at least one is.
        random: which frames are kept.
    """
    kept: list[Array] = []
    means: list[Floats] = []
    each = max(1, most // max(1, len(order)))
    for number in order:
        clip = clips[int(number)]
        means.append(clip.mean(axis=0, dtype=np.float64))
        if len(clip) > each:
            clip = clip[np.sort(random.choice(len(clip), each, replace=False))]
        kept.append(clip)
    owners = np.repeat(np.arange(len(kept)), [len(clip) for clip in kept])
    return Frames(np.concatenate(kept).astype(np.float64), owners, np.stack(means))
