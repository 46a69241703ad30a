"""Writing a file so that nobody sees half of it, and clearing up after who was killed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".tmp-"


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader, or a crash, sees all of it or what was there before.

    Args:
        path: the file; its folder is made.
        data: what it shall hold.
        durable: wait until it is on the disk, lest a crash of the machine loses it.

    Raises:
        OSError: it cannot be written; names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:  # a write names no file, and the temporary one means nothing to people
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:  # a full disk has no room for half a file
        temporary.unlink(missing_ok=True)


def sweep(folder: Path, *, running: bool = False) -> None:
    """Delete temporary files below a folder.

    Args:
        folder: the folder.
        running: also those whose writers may be running, or are not named; by default only those
            whose writers have ended on this machine.
    """
    for path in folder.rglob(f"{TEMPORARY}*"):
        writer = path.name.removeprefix(TEMPORARY).partition("-")[0]
        if running or (writer.isdecimal() and not _runs(int(writer))):
            path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # somebody else's
    return True
