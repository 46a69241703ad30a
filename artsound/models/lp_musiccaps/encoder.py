"""The audio encoder of LP-MusicCaps: from mel spectrograms to the input of BART's encoder."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn
from torch.nn.functional import gelu

from artsound.models.lp_musiccaps.mel import HOP, MELS, SEGMENT_SAMPLES

_HALVINGS: Final = 5
POSITIONS: Final = SEGMENT_SAMPLES // HOP // 2**_HALVINGS + 1


class AudioEncoder(nn.Module):
    """A convolution over the mel frames, five more that halve them, and positions.

    There is no projection after it: its width is BART's.

    Args:
        width: BART's `d_model`.
    """

    positional_embedding: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, width, kernel_size=3, padding=1)
        self.conv_stack = nn.ModuleList(
            nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1) for _ in range(_HALVINGS)
        )
        # Whisper's sinusoids, which the authors store beside the weights.
        self.register_buffer("positional_embedding", torch.empty(POSITIONS, width))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Return BART's input embeddings.

        Args:
            mel: decibels, shape (n, 128, 1001).

        Returns:
            Shape (n, 32, width).
        """
        hidden = gelu(self.conv1(mel))
        for conv in self.conv_stack:
            hidden = gelu(conv(hidden))
        return hidden.transpose(1, 2) + self.positional_embedding
