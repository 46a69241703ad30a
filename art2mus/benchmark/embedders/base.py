"""What an embedder gives the metrics."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Waveform = NDArray[np.float32]
Features = dict[str, NDArray[Any]]


@runtime_checkable
class AudioEmbedder(Protocol):
    """Hears clips.

    Attributes:
        name: of the registry.
        fingerprint: another one wherever the same clip may give other features: the weights and
            how they are used.
    """

    name: str
    fingerprint: str

    @property
    def sample_rate(self) -> int | None:
        """The rate that it takes clips at, in Hz; None for each clip's own."""
        ...

    def hear(self, waveform: Waveform) -> Features:
        """Return a clip's features by name.

        `frames` has shape (frames, d), `vector` (d,), `logits` (labels,), `spectrum` (bins,).

        Args:
            waveform: mono, shape (samples,), in [-1, 1], at `sample_rate`.
        """
        ...


@runtime_checkable
class JointEmbedder(AudioEmbedder, Protocol):
    """Hears clips, and sees artworks or reads captions in the same space."""

    def see(self, image: Image.Image) -> NDArray[np.float32]:
        """Return the unit vector of an RGB image, shape (d,)."""
        ...

    def read(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of a text, shape (d,)."""
        ...
