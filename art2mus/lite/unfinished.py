"""The folder in which a toy backbone is made: one command's at a time, and kept when it stops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from art2mus.holding import held
from artsound.errors import UsageError


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
    folder = out.with_name(f".{out.name}.unfinished")
    lock = out.with_name(f".{out.name}.lock")
    with held(lock, "art2mus toy", f"is making {out}"):
        refuse_existing(out)  # it may have been finished meanwhile
        folder.mkdir(exist_ok=True)
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):  # it is finished and gone, or there is work in it
                folder.rmdir()
            lock.unlink(missing_ok=True)
