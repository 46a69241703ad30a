"""The folder in which a toy backbone is made: one command's at a time, and kept when it stops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from artsound.errors import ArtsoundError, UsageError


def refuse_existing(out: Path) -> None:
    """Raise UsageError if the folder of a backbone to be made is there already."""
    if out.exists():
        raise UsageError(f"{out} exists already: name another folder, or delete it first")


@contextmanager
def unfinished(out: Path) -> Iterator[Path]:
    """Hold a backbone's name for one command, and give the folder in which it is made.

    What a stopped command left in it is there again for the next. A command that is killed lets go
    of the name.

    Args:
        out: where the finished backbone is to appear; it must not exist yet.

    Raises:
        UsageError: it exists already.
        ArtsoundError: another command makes it now, or the folder cannot be written to.
    """
    refuse_existing(out)
    place = out.with_name(f".{out.name}.lock")
    folder = out.with_name(f".{out.name}.unfinished")
    lock = FileLock(place)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ArtsoundError(
            f"another `art2mus toy` is making {out}: wait for it, or give another --out"
        ) from error
    except OSError as error:
        raise ArtsoundError(
            f"cannot write to {out.parent} ({error.strerror or error}): give another --out"
        ) from error
    try:
        refuse_existing(out)  # it may have been finished meanwhile
        folder.mkdir(exist_ok=True)
        yield folder
    finally:
        with contextlib.suppress(OSError):  # it is finished and gone, or there is work in it
            folder.rmdir()
        place.unlink(missing_ok=True)
        lock.release()
