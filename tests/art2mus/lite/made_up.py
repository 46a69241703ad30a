"""Music that is made up in a blink: two kinds of clips, told apart by their embeddings."""

from __future__ import annotations

import torch

from art2mus.lite.music import Music

EMBEDDING = 12


def made_up_music(*, tracks: int = 4, clips: int = 2, seed: int = 0) -> Music:
    """Return clips of low and of high sounds, by turns, `clips` a track."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(tracks).repeat_interleave(clips)
    high = (rows % 2).float()
    slope = torch.linspace(1, -1, 64) * (1 - 2 * high[:, None])
    beat = torch.sin(torch.arange(1024) / 8)
    noise = torch.randn(len(rows), 1024, 64, generator=generator)
    mels = -4 + 3 * slope[:, None, :] + 0.5 * beat[None, :, None] + 0.3 * noise
    kinds = torch.eye(EMBEDDING)[rows % 2]
    vectors = kinds + 0.1 * torch.randn(len(rows), EMBEDDING, generator=generator)
    return Music(mels, torch.nn.functional.normalize(vectors, dim=1), rows)
