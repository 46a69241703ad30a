"""The embedders of `artsound.models` as embedders of the benchmark: ImageBind, CLAP, lite ConSE."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from art2mus.benchmark.embedders.base import Features, Waveform
from art2mus.benchmark.embedders.content import conse_content, content, together
from artsound.models.base import Embedder
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.models.setup import Setup
from artsound.models.weights import find


class Joint:
    """An embedder of the registry: `vector` (d,), and the same as `frames` (1, d).

    Attributes:
        weights: SHA-256 of their content, companions included.

    Args:
        name: a name of `artsound.models` that hears audio.
        checkpoint: its weights, where they are not the registered ones.
        companions: what it needs beside them, by name.
        device: where it computes.
        options: of the model's own, as a recipe gives them.

    Raises:
        ArtsoundError: the weights are not there, or of another model.
    """

    def __init__(
        self,
        name: str,
        checkpoint: str | None = None,
        companions: dict[str, str] | None = None,
        device: str = "cpu",
        options: dict[str, Any] | None = None,
    ) -> None:
        settings = ModelSettings(
            checkpoint=checkpoint,
            companions=companions or {},
            device="cuda" if device.startswith("cuda") else "cpu",
            # Scores are compared between machines: what they compute in is not left to them.
            dtype="float32",
            options=options or {},
        )
        models = Models({name: settings})
        self._model: Embedder = models.load("embedder", name)
        self.name = name
        self.sample_rate: int | None = self._model.sample_rate
        setup = models.setup("embedder", name)
        if setup.entry.weights is None:
            self.weights = conse_content()
        else:
            parts = ("", *setup.entry.companions)
            found = {part: _content(setup, part) for part in parts}
            self.weights = together({part: one for part, one in found.items() if one})
        use = sorted(settings.shaping().items())
        self.fingerprint = f"joint-2:{name}:{self.weights}:{use}"

    def hear(self, waveform: Waveform) -> Features:
        """Return `vector`, shape (d,), and the same as `frames`, shape (1, d), float32."""
        found = self._model.embed_audio([waveform], self._model.sample_rate)
        return {"vector": found[0], "frames": found}

    def see(self, image: Image.Image) -> NDArray[np.float32]:
        """Return the unit vector of an RGB image, shape (d,)."""
        vector: NDArray[np.float32] = self._model.embed_images([image])[0]
        return vector

    def read(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of a text, shape (d,)."""
        vector: NDArray[np.float32] = self._model.embed_text([text])[0]
        return vector


def _content(setup: Setup, part: str) -> str:
    """Return the checksum of a part's weights; empty for what is not here and was not needed."""
    known = setup.weights(part)
    path = setup.checkpoint(part) if known is None else find(setup.name, known)
    return "" if path is None else content(path)
