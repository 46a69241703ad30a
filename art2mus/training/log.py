"""What a training writes down: always `training/log.jsonl`, and a tracker by option.

The log holds no times, so that a resumed training's is the same, byte for byte, as that of one that
ran through.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Self

from artsound.errors import MissingDependency, UsageError

Tracker = Literal["tensorboard", "wandb", "none"]
FILE: Final = "log.jsonl"
_PACKAGES: Final = {"tensorboard": "tensorboard", "wandb": "wandb"}


def check_tracker(tracker: str) -> None:
    """Check that a tracker is known and its package installed.

    Raises:
        UsageError: it is not known.
        MissingDependency: its package is not installed.
    """
    if tracker == "none":
        return
    if tracker not in _PACKAGES:
        raise UsageError(f"--log {tracker}: choose one of tensorboard, wandb, none")
    if find_spec(_PACKAGES[tracker]) is None:
        raise MissingDependency(f"--log {tracker}", f"pip install {_PACKAGES[tracker]}")


def tracker_arguments(tracker: Tracker, folder: Path, name: str, step: int) -> dict[str, Any]:
    """Return the tracker's own arguments for a run that continues after `step`.

    What a killed run had told it beyond that step is told again.

    Args:
        tracker: which.
        folder: of the run, which tells it from others.
        name: of the recipe.
        step: finished steps.
    """
    if tracker == "tensorboard":
        return {"tensorboard": {"purge_step": step + 1}}
    if tracker == "wandb":
        run = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        return {
            "wandb": {
                "id": run,
                "name": f"{folder.name} ({name})",
                "resume": "allow" if step else None,
            }
        }
    return {}


class RunLog:
    """The log file: one JSON object a line.

    Args:
        path: the file; made with its folder.
        length: bytes that stay of what is there; the rest is from steps that are taken again.
        write: whether this process writes it; in the others nothing happens.
    """

    def __init__(self, path: Path, length: int, *, write: bool = True) -> None:
        self._stream: BinaryIO | None = None
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("ab")
            self._stream.truncate(length)
            self._stream.seek(0, os.SEEK_END)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append one line."""
        if self._stream is not None:
            self._stream.write(json.dumps(dict(entry)).encode() + b"\n")
            self._stream.flush()

    def length(self) -> int:
        """Return how long the file is, once what was written is safe on disk."""
        if self._stream is None:
            return 0
        os.fsync(self._stream.fileno())
        return self._stream.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
