"""One command at a time in a folder of samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from artsound.errors import ArtsoundError

LOCK: Final = ".art2mus-sample.lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder for one command, made where there is none; a second one is refused at once.

    A command that is killed lets go of it; its lock's file stays, empty and hidden.

    Raises:
        ArtsoundError: another command holds it, or it cannot be written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ArtsoundError(
            f"another `art2mus sample` is writing into {folder}: wait for it, or give another --out"
        ) from error
    except OSError as error:
        raise ArtsoundError(
            f"cannot write to {folder} ({error.strerror or error}): give another --out"
        ) from error
    try:
        yield
    finally:
        lock.release()
