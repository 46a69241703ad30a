"""What a stopped training of the toy prior goes on from: one file, replaced as a whole."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from artsound import __version__
from artsound.atomic import write_atomically

if TYPE_CHECKING:
    from art2mus.lite.prior import PriorSettings

FILE: Final = "state.pt"
EVERY: Final = 100
"""After how many steps it is written anew."""


class StateFile:
    """The state of one training, told from those of others by what its result depends on.

    Args:
        path: the file.
        settings: how the prior is trained.
        latents: what it learns.
        embeddings: of the same clips.
    """

    def __init__(
        self, path: Path, settings: PriorSettings, latents: Tensor, embeddings: Tensor
    ) -> None:
        self.path = path
        facts = (__version__, torch.__version__, sorted(asdict(settings).items()))
        digest = hashlib.sha256(repr(facts).encode())
        for tensor in (latents, embeddings):
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().data)
        self._identity = digest.hexdigest()

    def read(self) -> Mapping[str, Any] | None:
        """Return what was written; None where that is nothing, damaged, or another training's."""
        if not self.path.is_file():
            return None
        try:
            found = torch.load(self.path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
            return None
        ours = isinstance(found, dict) and found.get("identity") == self._identity
        return found if ours else None

    def write(self, held: Mapping[str, Any]) -> None:
        """Write tensors, numbers and texts, in place of what was there."""
        stream = io.BytesIO()
        torch.save({"identity": self._identity, **held}, stream)
        write_atomically(self.path, stream.getvalue(), durable=False)
