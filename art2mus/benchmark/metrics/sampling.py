"""Frames of many clips as one array, no more of them than memory and time allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.metrics.base import Array, Floats


def at_most(
    clips: Sequence[Array], most: int, random: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """Return frames and the clip that each is of; a random part of each clip's where too many.

    Args:
        clips: frames of shape (frames, d) each.
        most: how many frames may be returned; of every clip at least one is.
        random: which frames are kept.

    Returns:
        Frames of shape (n, d), float64, and the clips' numbers, shape (n,).
    """
    kept: list[Array] = []
    each = max(1, most // max(1, len(clips)))
    for clip in clips:
        if len(clip) > each:
            clip = clip[np.sort(random.choice(len(clip), each, replace=False))]
        kept.append(clip)
    owners = np.repeat(np.arange(len(kept)), [len(clip) for clip in kept])
    return np.concatenate(kept).astype(np.float64), owners
