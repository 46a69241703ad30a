"""The music that the toy prior learns: 10-second clips of a split, and what they sound like.

Each clip comes with its embedding in the joint space of images and audio, which tells the prior
what to play while it trains, as AudioMAE's features tell AudioLDM 2 (section 4.1 of the paper).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from art2mus.data import Release
from art2mus.mel import log_mel, training_clip
from artsound.errors import UsageError
from artsound.models.registry import Models, require

CLIP_S: Final = 10
EMBEDDER: Final = "lite-conse"
TRACKS: Final = 300
"""How many tracks a toy prior learns from at most: of 30 s, a quarter of a gigabyte of clips."""

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Music:
    """Clips, in the order of the split.

    Attributes:
        mels: log-mel spectrograms, [n, 1024, 64].
        embeddings: of the same 10 seconds, in the joint space, [n, E].
        rows: each clip's row in the split, [n].
    """

    mels: Tensor
    embeddings: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.mels)

    def of(self, rows: Sequence[int]) -> Music:
        """Return the clips of some rows."""
        chosen = torch.isin(self.rows, torch.tensor(list(rows), dtype=self.rows.dtype))
        return Music(self.mels[chosen], self.embeddings[chosen], self.rows[chosen])


def gather(
    release: Release,
    split: str = "train",
    *,
    embedder: str = EMBEDDER,
    tracks: int = TRACKS,
    report: Report | None = None,
) -> Music:
    """Cut a split's tracks into clips of 10 s and embed them.

    A track gives as many whole clips as it has, and at least one. Each goes through the front end
    of training (`mel.training_clip`), so that its level and its last, silent quarter of a second
    are those that an aligner is trained on. All clips are in memory: 262 KB each.

    Args:
        release: with media.
        split: which.
        embedder: a registered embedder of images and audio.
        tracks: how many of the split's first rows, so that of a release on the Hub only the first
            files are needed.
        report: told what is done, how much of it, and of how much.

    Raises:
        UsageError: the split is not there, or the embedder does not embed audio.
        ArtsoundError: a track is missing or cannot be decoded; names the pair.
    """
    if not {"image", "audio"} <= require("embedder", embedder).modalities:
        raise UsageError(f"{embedder} does not embed both images and audio: try {EMBEDDER}")
    model: Any = Models().load("embedder", embedder)
    release.require(split)
    total = min(tracks, release.splits[split])
    mels, embeddings, rows = [], [], []
    for media in release.media(split, range(total)):
        samples, rate = media.audio()
        clips = list(whole_clips(samples, rate))
        mels += [log_mel(training_clip(torch.from_numpy(clip), rate))[0] for clip in clips]
        embeddings.append(model.embed_audio([clip.mean(axis=0) for clip in clips], rate))
        rows += [media.row] * len(clips)
        if report:
            report("reading music", len(embeddings), total)
    if not mels:
        raise UsageError(f"{release.name}: its split {split} is empty")
    return Music(
        torch.stack(mels), torch.from_numpy(np.concatenate(embeddings)), torch.tensor(rows)
    )


def whole_clips(samples: Any, rate: int) -> Iterator[Any]:
    """Yield the whole 10-second clips of [channels, samples]; a shorter track as it is."""
    length = CLIP_S * rate
    # A track of "30 s" that lost a few milliseconds to its codec has three clips all the same.
    count = (samples.shape[1] + rate // 2) // length
    for number in range(max(1, count)):
        yield samples[:, number * length : (number + 1) * length]
