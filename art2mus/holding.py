"""One command at a time at a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from artsound.errors import ArtsoundError


@contextmanager
def held(lock: Path, command: str, what: str) -> Iterator[None]:
    """Hold a lock for one command; a second one is refused at once.

    A command that is killed lets go of it. The lock's file stays.

    Args:
        lock: its file; its folder is made where there is none.
        command: that holds it, for the error.
        what: it does meanwhile, for the error: "is writing into OUT".

    Raises:
        ArtsoundError: another command holds it, or it cannot be written.
    """
    file = FileLock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file.acquire(timeout=0)
    except Timeout as error:
        raise ArtsoundError(
            f"another `{command}` {what}: wait for it, or give another --out"
        ) from error
    except OSError as error:
        raise ArtsoundError(
            f"cannot write to {lock.parent} ({error.strerror or error}): give another --out"
        ) from error
    try:
        yield
    finally:
        file.release()
