"""The state of a long pairing in a file, to continue from after a crash.

What a matching depends on besides its state is in the file as a fingerprint: a checkpoint of other
vectors or options is ignored. A continued greedy pairing ends in the same matching, because that
does not depend on the order of work.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray[np.generic]]

# Seconds between two writes.
EVERY_S: Final = 60.0


class Checkpoint:
    """A file with the state of one pairing; does nothing where the path is None.

    Args:
        path: the file.
        key: method and options.
        inputs: the vectors.
    """

    def __init__(
        self,
        path: Path | None,
        key: Sequence[object],
        inputs: Sequence[NDArray[np.generic]],
    ) -> None:
        self.path = path
        self._written = time.monotonic()
        if path is not None:
            digest = hashlib.blake2b(repr(tuple(key)).encode(), digest_size=16)
            for vectors in inputs:
                digest.update(repr(vectors.shape).encode())
                digest.update(np.ascontiguousarray(vectors).view(np.uint8).data)
            self._fingerprint = digest.hexdigest()

    def load(self) -> dict[str, NDArray[np.generic]] | None:
        """Return the state to continue from, or None where there is none that fits."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                state = dict(stored)
        except (OSError, ValueError, EOFError, BadZipFile):
            return None  # cut off by a crash
        fits = str(state.pop("fingerprint", "")) == self._fingerprint
        return state if fits else None

    def save_sometimes(self, state: Callable[[], State]) -> None:
        """Write the state if the last write is long enough ago; the old one stays until then."""
        if self.path is None or time.monotonic() - self._written < EVERY_S:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self._part(self.path)
        with part.open("wb") as file:
            np.savez(file, fingerprint=np.array(self._fingerprint), **state())  # type: ignore[arg-type]
        part.replace(self.path)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the file and what a crash may have left of one."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self._part(self.path).unlink(missing_ok=True)

    @staticmethod
    def _part(path: Path) -> Path:
        """Return where the next state is written, a name that a workspace sweeps away."""
        return path.with_name(f".tmp-{path.name}")
