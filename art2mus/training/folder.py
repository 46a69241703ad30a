"""A training's folder.

CKPT/               the best checkpoint so far: what `art2mus sample CKPT` reads
aligner/ art2mus.json model_index.json README.md
training/
state.safetensors   what the training continues from
last/               the last checkpoint, as readable as the best
log.jsonl           a line a step, and one a validation
validation/         music generated in the last validation
"""

from __future__ import annotations

import shutil
from pathlib import Path

from art2mus.aligner import ImageAligner
from art2mus.checkpoint import Description, save_checkpoint
from art2mus.training import log, state
from art2mus.training.state import Position
from artsound.errors import UsageError

_TEMPORARY = ".tmp-"


class RunFolder:
    """Where a training writes.

    Args:
        root: CKPT.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.training = root / "training"
        self.log = self.training / log.FILE
        self.last = self.training / "last"
        self.music = self.training / "validation"

    def check(self, *, resume: bool | None) -> Position | None:
        """Return where the training in the folder stands; None where one is to begin.

        Args:
            resume: whether to go on; if None, wherever there is something to go on from.

        Raises:
            UsageError: there is nothing to resume, or the folder holds something else.
            ArtsoundError: the state is damaged.
        """
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"{self.root} is a file: --out names a folder")
        if resume is False:
            return None
        position = state.read_position(self.training)
        if position is not None:
            return position
        if resume:
            raise UsageError(f"{self.root} holds no training to resume: leave --resume out")
        if (self.root / "aligner").exists():
            raise UsageError(
                f"{self.root} holds a checkpoint and no training to go on with: name another"
                " folder, or write over it with --restart"
            )
        return None

    def begin(self, position: Position) -> None:
        """Make the folder ready: a training that is at its start leaves nothing of one before."""
        self.training.mkdir(parents=True, exist_ok=True)
        for left in self.training.glob(f"{_TEMPORARY}*"):
            _remove(left)
        if position.step:
            return
        for path in (self.training / state.FILE, self.log, self.last, self.music):
            _remove(path)
        _remove(self.training / "tensorboard")
        for name in ("aligner", "art2mus.json", "model_index.json", "README.md"):
            _remove(self.root / name)

    def write_last(self, aligner: ImageAligner, description: Description) -> None:
        """Write the last checkpoint in place of the one before."""
        save_checkpoint(self.last, aligner, description)

    def publish(self, aligner: ImageAligner, description: Description) -> None:
        """Write the checkpoint of the folder itself in place of the one before."""
        save_checkpoint(self.root, aligner, description)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
