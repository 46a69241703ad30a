"""A server process: started, waited for, and ended with all that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from artsound.errors import ArtsoundError
from artsound.logs import ScrubbedLog
from artsound.models.chat.client import ChatClient
from artsound.models.chat.engines import HOST
from artsound.models.chat.errors import EndpointError

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_STOP_S: Final = 15.0
_POLL_S: Final = 0.25
_DYING_S: Final = 2.0
_TAIL: Final = 8192  # bytes of a log that are looked at for its last words


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


class Server:
    """A process that serves a chat model while the `with` block lasts.

    Args:
        command: the command; it must listen on `port` of this machine.
        port: the port.
        environment: the environment of the command.
        log: the file that everything it prints is appended to, less tokens, places and hosts.
        name: the model's registry name, for error texts.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        environment: Mapping[str, str],
        log: Path,
        name: str,
    ) -> None:
        self.command = list(command)
        self.url = f"http://{HOST}:{port}/v1"
        self.environment = environment
        self.log = log
        self.name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._words: ScrubbedLog | None = None

    def __enter__(self) -> Self:
        """Start the process; `wait` says when it serves."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._words = log = ScrubbedLog(self.log)
        os.write(log.fileno(), f"$ {' '.join(self.command)}\n".encode())
        # -P: the folder that keeper.py is in has modules of its own.
        self._process = subprocess.Popen(  # noqa: S603 - the recipe's command
            [sys.executable, "-P", str(_KEEPER), *self.command],
            stdin=subprocess.PIPE,
            stdout=log.fileno(),
            stderr=subprocess.STDOUT,
            env=dict(self.environment),
            start_new_session=True,
        )
        log.close()  # the server's processes have it now
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process and all that it has started."""
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """The exit code of a process that has ended; None while it runs."""
        return self._process.poll() if self._process else None

    def wait(self, timeout_s: float) -> None:
        """Wait until it answers.

        Args:
            timeout_s: how long it may take, in seconds.

        Raises:
            ArtsoundError: it ended, or took longer; names the log.
        """
        until = time.monotonic() + timeout_s
        client = ChatClient(self.url, self.name, retries=0)
        said = "it was not asked"
        try:
            while True:
                self.raise_if_dead(_POLL_S)
                if time.monotonic() > until:
                    raise ArtsoundError(
                        f"the server of {self.name} does not answer after {timeout_s:.0f} s"
                        f" ({said}): see {self.log}, or raise models.{self.name}.serve_timeout_s"
                    )
                try:
                    client.models()
                except EndpointError as error:
                    said = str(error)
                else:
                    return
        finally:
            client.close()

    def raise_if_dead(self, patience_s: float = _DYING_S) -> None:
        """Raise an ArtsoundError if the process has ended; names the log and its last line.

        Args:
            patience_s: how long to wait for its end: a broken connection is noticed before it.
        """
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        code = self.exit_code
        if code is not None:
            raise ArtsoundError(
                f"the server of {self.name} ended with exit code {code} ({self._last_words()});"
                f" its log is {self.log}"
            )

    def stop(self) -> None:
        """End the process and all that it has started; does nothing if it is not there."""
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.close()  # the keeper ends the group
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
        finally:
            # Also what is left when the wait is interrupted, or the keeper was killed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._hear_out()

    def _hear_out(self) -> None:
        if self._words:
            self._words.wait(_DYING_S)

    def _last_words(self) -> str:
        self._hear_out()
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - _TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
        said = [" ".join(line.split()) for line in lines if line.strip()]
        return said[-1][:200] if said else "it printed nothing"
