"""Where logs are written: by loguru, and at the descriptor where native code and servers write.

All of it goes through `artsound.scrub`, since logs stay in the workspace.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

import loguru

from artsound import scrub
from artsound.stopping import signals_held

# datatrove narrates on stderr; a build has its own progress, and its logs are in the workspace.
loguru.logger.disable("datatrove")


def _scrub(record: loguru.Record) -> None:
    record["message"] = scrub.scrub(record["message"])


logger: Final = loguru.logger.patch(_scrub)


class ScrubbedLog:
    """A log that a process of its own writes, from what comes through a pipe.

    A process, since the writer may be native code that holds Python's lock, or may crash: what it
    has printed until then is in the log all the same.

    Args:
        path: the file that is appended to; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with signals_held():  # it ends when its writers have
            self._process = subprocess.Popen(  # noqa: S603 - this package's own
                [sys.executable, "-I", "-S", scrub.__file__, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._pipe = cast(IO[bytes], self._process.stdin)

    @property
    def alive(self) -> bool:
        """Whether what is written still reaches the log."""
        return not self._pipe.closed and self._process.poll() is None

    def fileno(self) -> int:
        """Return the descriptor to write to; processes may inherit it."""
        return self._pipe.fileno()

    def close(self) -> None:
        """Write no more from this process; processes that inherited the descriptor still may."""
        self._pipe.close()
        threading.Thread(target=self._process.wait, daemon=True).start()

    def wait(self, timeout_s: float) -> None:
        """Wait until all writers have ended and what they wrote is in the log, or for so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)


_logs: dict[int, ScrubbedLog] = {}  # what a process's standard error goes to, by its number


@contextlib.contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """Send what is printed on standard error to a log: at the descriptor, where native code prints.

    Args:
        path: the file that is appended to; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    log = _log(path)
    sys.stderr.flush()
    before = os.dup(2)
    os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)


def end_log() -> None:
    """Let go of the log that `stderr_to` keeps for the next shard."""
    if log := _logs.pop(os.getpid(), None):
        log.close()


def _log(path: Path) -> ScrubbedLog:
    log = _logs.get(os.getpid())
    if log is None or log.path != path or not log.alive:
        end_log()
        log = _logs[os.getpid()] = ScrubbedLog(path)
    return log
