"""A decoder process as the build sees it: started, asked with a deadline, ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

from artsound.errors import ArtsoundError
from artsound.sources.limits import MediaLimits
from artsound.stopping import signals_held
from artsound.threads import thread_variables

# A decoder that waits and does no work is noticed by the clock, with room for a busy machine.
_WAIT: Final = 10.0
_START_S: Final = 600.0
_KEPT_BYTES: Final = 4 << 20  # of shared memory between two files; nearly all fit
_NAME: Final = 64  # characters of a file's name: its suffix counts
_ANSWER_BYTES: Final = 1 << 16
# The memory of a picture is used again for the next; the C library would give it back each time.
_KEPT_MEMORY: Final = {
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}
_PROGRAM: Final = "from artsound.sources.decoder import main; main()"

Kind = Literal["image", "audio"]
Answer = dict[str, Any]


class EndedError(Exception):
    """The process ended in place of an answer.

    Args:
        code: its exit code; negative for a signal.
    """

    def __init__(self, code: int) -> None:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        super().__init__(how)
        self.code = code


class TooLongError(Exception):
    """The process took more time than it may."""

    def __init__(self) -> None:
        super().__init__("took too long")


class DecoderProcess:
    """A process that checks files; see `decoder.py` for what goes through its pipes.

    Args:
        kind: what it checks.

    Raises:
        ArtsoundError: it cannot be started.
    """

    def __init__(self, kind: Kind) -> None:
        # Where this process finds its packages, that one does; what it computes has one thread.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        environment = os.environ | thread_variables(1) | _KEPT_MEMORY | {"PYTHONPATH": path}
        # The kernel takes the end of the thread that starts it for the end of the process.
        alone = threading.current_thread() is not threading.main_thread()
        parent = 0 if alone else os.getpid()
        # The files go through memory that both see; a pipe would copy them in small pieces.
        self._shared = _shared_memory()
        arguments = [kind, str(self._shared), str(parent)]
        with signals_held():  # Ctrl-C is for the build, which ends this process
            self._process = subprocess.Popen(  # noqa: S603 - this package's own
                [sys.executable, "-P", "-c", _PROGRAM, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[self._shared],
                env=environment,
                bufsize=0,
            )
        self.pid = self._process.pid
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._number = 0
        self._size = 0  # of the shared memory, in bytes

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, data: bytes, file_name: str, limits: MediaLimits, seconds: float) -> Answer:
        """Have a file checked.

        Args:
            data: the file's bytes.
            file_name: its name.
            limits: the limits.
            seconds: the processor time that it may take; ten times as much by the clock.

        Returns:
            The decoder's answer: `found`, `memory`, `raised` or `failed`.

        Raises:
            TooLongError: it took longer. The process must be ended.
            EndedError: the process ended, or answered nonsense and was ended.
            ArtsoundError: the process cannot be started here.
        """
        if not self._number:
            self._begin()
        self._number += 1
        self._share(data)
        asked: Answer = {"number": self._number, "bytes": len(data), "name": file_name[-_NAME:]}
        asked |= {"limits": asdict(limits), "seconds": seconds}
        try:  # what a pipe takes at once, even if the process hangs
            os.write(self._requests.fileno(), json.dumps(asked).encode() + b"\n")
        except BrokenPipeError as error:
            raise self._ended() from error
        return self._answer(time.monotonic() + seconds * _WAIT)

    def end(self) -> None:
        """Kill the process and clear up after it; does nothing if that is done."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()
        os.close(self._shared)

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def _begin(self) -> None:
        """Wait until the process is ready: one that never is says nothing about any file."""
        try:
            self._answer(time.monotonic() + _START_S)
        except (EndedError, TooLongError) as error:
            raise ArtsoundError(
                f"the process that checks media does not start ({error}): what it printed is above,"
                " or in the workspace's logs; free memory, or install the packages again"
            ) from error

    def _share(self, data: bytes) -> None:
        left, at = memoryview(data), 0
        while left:
            written = os.pwrite(self._shared, left, at)
            left, at = left[written:], at + written
        if self._size > _KEPT_BYTES or at > self._size:
            os.ftruncate(self._shared, at)
            self._size = at

    def _answer(self, until: float) -> Answer:
        """Return the answer to the last request.

        Args:
            until: the moment by the clock at which it is late.
        """
        waiting = select.poll()
        waiting.register(self._answers, select.POLLIN)
        line = b""
        while not line.endswith(b"\n") and len(line) <= _ANSWER_BYTES:
            if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TooLongError
            read = os.read(self._answers.fileno(), _ANSWER_BYTES)
            if not read:
                raise self._ended()
            line += read
        with contextlib.suppress(ValueError, TypeError, KeyError):
            answer: Answer = json.loads(line)
            if answer["number"] == self._number:
                return answer
        # Nobody else writes there: its memory was overwritten, which is a crash.
        raise EndedError(-signal.SIGABRT)

    def _ended(self) -> Exception:
        """Return the error of a process that has closed its pipes."""
        try:
            code = self._process.wait(_WAIT)
        except subprocess.TimeoutExpired:  # it has closed its pipes, and hangs
            return TooLongError()
        return TooLongError() if code == -signal.SIGPROF else EndedError(code)


def _shared_memory() -> int:
    """Return the descriptor of memory without a name; of a file without one where there is none."""
    if sys.platform != "linux":
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    return os.memfd_create("artsound-media")
