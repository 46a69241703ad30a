"""A training's folder.

    CKPT/               the best checkpoint so far: what `art2mus sample CKPT` reads; the last one
                        as long as none is the best
      aligner/ art2mus.json model_index.json README.md
      training/
        training.json       says that the folder is a training's
        state.safetensors   what the training continues from
        last/               the last checkpoint, as readable as the best
        log.jsonl           a line a step, and one a validation
        validation/         music generated in the last validation
        tensorboard/        by option

A folder that holds other files is not taken, and of one that was taken only these are deleted.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from art2mus.aligner import ImageAligner
from art2mus.checkpoint import Description, save_checkpoint
from art2mus.checkpoint.files import remove
from art2mus.holding import held
from art2mus.training import log, state
from art2mus.training.early import refuse_file
from art2mus.training.state import Position
from artsound.atomic import sweep, write_atomically
from artsound.errors import UsageError

_MARK: Final = "training.json"
_KIND: Final = "art2mus training"
_LOCK: Final = ".lock"


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
        self.tensorboard = self.training / "tensorboard"
        self._seen: int | None = None

    @property
    def is_ours(self) -> bool:
        """Whether a training has taken the folder before."""
        try:
            found = json.loads((self.training / _MARK).read_text("utf-8"))
        except (OSError, ValueError):  # other programs may write such a file too
            return False
        return isinstance(found, dict) and found.get("kind") == _KIND

    def check(self, *, resume: bool | None) -> Position | None:
        """Return where the training in the folder stands; None where one is to begin.

        Args:
            resume: whether to go on; if None, wherever there is something to go on from.

        Raises:
            UsageError: there is nothing to resume, or the folder holds something else.
            ArtsoundError: the state is damaged.
        """
        refuse_file(self.root)
        if not self.is_ours:
            self._refuse_files()
        if resume is False:
            return None
        position = state.read_position(self.training)
        self._seen = position.step if position else 0
        if position is None and resume:
            raise UsageError(f"{self.root} holds no training to resume: leave --resume out")
        return position

    @contextmanager
    def taken(self, position: Position) -> Iterator[None]:
        """Hold the folder for a training, and make it ready.

        A training that is at its start leaves nothing of one before.

        Raises:
            ArtsoundError: another training holds it, or it cannot be written to.
            UsageError: another training has written to it since it was checked.
        """
        with held(self.training / _LOCK, "art2mus train", f"is writing into {self.root}"):
            self._check_unchanged()
            text = json.dumps({"kind": _KIND})
            write_atomically(self.training / _MARK, f"{text}\n".encode())
            sweep(self.training)
            if not position.step:
                self._clear()
            yield

    def write_last(self, aligner: ImageAligner, description: Description) -> None:
        """Write the last checkpoint in place of the one before."""
        save_checkpoint(self.last, aligner, description)

    def publish(self, aligner: ImageAligner, description: Description) -> None:
        """Write the checkpoint of the folder itself in place of the one before."""
        save_checkpoint(self.root, aligner, description)

    def _check_unchanged(self) -> None:
        """Refuse to go on from a state that is not there any more; to begin anew needs none."""
        if self._seen is None:
            return
        now = state.read_position(self.training)
        if (now.step if now else 0) != self._seen:
            raise UsageError(
                f"another training has written to {self.root} meanwhile: run the same command"
                " again to go on with it, or name another --out"
            )

    def _refuse_files(self) -> None:
        """Refuse a folder with files, hidden ones and those of a beginning aside."""
        for path in self.root.rglob("*"):
            parts = path.relative_to(self.root).parts
            if path.is_dir() or any(part.startswith(".") for part in parts):
                continue
            what = f"holds {'/'.join(parts)} and no training"
            if (self.root / "art2mus.json").is_file():
                what = "holds a checkpoint and no training to go on with"
            raise UsageError(f"{self.root} {what}: name a new or an empty folder with --out")

    def _clear(self) -> None:
        """Delete what a training wrote here, and nothing else."""
        remove(self.root)
        remove(self.last)
        files = [self.training / state.FILE, self.log, *self.music.glob("*.wav")]
        files += self.tensorboard.glob("events.out.tfevents.*")
        for path in files:
            path.unlink(missing_ok=True)
        for folder in (self.last, self.music, self.tensorboard):
            with contextlib.suppress(OSError):  # it is not there, or somebody's files are in it
                folder.rmdir()
