"""The files of a checkpoint, and which of them count while a new one takes their place.

A new checkpoint is first written beside, into `.saving`, and then moved in, file by file. The files
that count are those of a complete `.saving`, and for the rest those of the folder: a whole
checkpoint at every moment, whether its writer is at work or was killed. So readers move nothing; a
writer completes what another has left, one at a time.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock

from artsound.errors import ArtsoundError
from artsound.models.checkpoints import CheckpointError

WEIGHTS: Final = "aligner/diffusion_pytorch_model.safetensors"
ABOUT: Final = "art2mus.json"
# In the order in which they are moved in: what says which weights belong to it after the weights.
FILES: Final = ("aligner/config.json", WEIGHTS, ABOUT, "model_index.json", "README.md")
_STAGED: Final = ".saving"
_COMPLETE: Final = "complete"
_LOCK: Final = ".saving.lock"
_PATIENCE_S: Final = 10.0

_T = TypeVar("_T")
_Seen = dict[str, tuple[Path, tuple[int, int, int] | None]]


def read_whole(folder: Path, read: Callable[[Mapping[str, Path]], _T]) -> _T:
    """Read a checkpoint's files, again if they were replaced meanwhile.

    Args:
        folder: of the checkpoint; nothing in it is changed.
        read: gets the path of each of `FILES`, which need not be there; raises where they do not
            fit one another.

    Raises:
        CheckpointError: they have been replaced for 10 s, whenever they were read.
        ArtsoundError: what `read` raised of files that stayed as they were; likewise an OSError.
    """
    until = time.monotonic() + _PATIENCE_S
    while True:
        before = _seen(folder)
        try:
            return read({name: path for name, (path, _) in before.items()})
        except (ArtsoundError, OSError) as error:
            if _seen(folder) == before:
                raise
            if time.monotonic() > until:
                raise CheckpointError(
                    f"{folder} is replaced again and again while it is read: wait until its writer"
                    " has ended"
                ) from error


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Lend a folder to write `FILES` to; at the end they take the place of those in the folder.

    One process at a time; the others wait.

    Args:
        folder: of the checkpoint, which is there.
    """
    with FileLock(folder / _LOCK):
        _finish(folder)
        staged = folder / _STAGED
        shutil.rmtree(staged, ignore_errors=True)
        (staged / "aligner").mkdir(parents=True)
        yield staged
        (staged / _COMPLETE).touch()
        _finish(folder)


def remove(folder: Path) -> None:
    """Delete a checkpoint's files, and its folders where that empties them."""
    shutil.rmtree(folder / _STAGED, ignore_errors=True)
    for name in (*FILES, _LOCK):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it is not there, or somebody's files are in it
        (folder / "aligner").rmdir()


def _seen(folder: Path) -> _Seen:
    """Return where the files that count are, and what tells each from the one before."""
    staged = folder / _STAGED
    complete = (staged / _COMPLETE).is_file()
    found: _Seen = {}
    for name in FILES:
        path = staged / name if complete and (staged / name).is_file() else folder / name
        try:
            status = path.stat()
        except OSError:
            found[name] = (path, None)
        else:
            found[name] = (path, (status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def _finish(folder: Path) -> None:
    """Move in what was written in full."""
    staged = folder / _STAGED
    if not (staged / _COMPLETE).is_file():
        return
    for name in FILES:
        if (staged / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            (staged / name).replace(folder / name)
    shutil.rmtree(staged)
