"""Commands that run and can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Protocol


class Running(Protocol):
    """A command that runs."""

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, or None if it runs on after so long."""
        ...

    def kill(self) -> bool:
        """Kill its process group; say whether that ended it."""
        ...


Start = Callable[[Sequence[str]], Running]


class Process:
    """A command in a process of its own from the start.

    Args:
        words: the command's arguments, after `artsound`.
    """

    def __init__(self, words: Sequence[str]) -> None:
        line = [sys.executable, "-m", "artsound.cli", *words]
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(line, start_new_session=True, stdout=nowhere)

    def wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(max(0.0, seconds))
        return None

    def kill(self) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait() == -signal.SIGKILL
