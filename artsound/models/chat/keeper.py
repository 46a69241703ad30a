"""Runs a command as long as its parent lives: `python keeper.py COMMAND ...`.

A server holds a GPU, so it must not outlive the build, however the build ends. The parent holds the
other end of this process's standard input: when that closes, by a call or because the parent was
killed, the command and all that it has started are ended. Only the standard library is imported,
since this is run as a file.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

_GRACE_S: Final = 10.0


def keep(command: Sequence[str]) -> int:
    """Run a command until it ends or standard input does; return its exit code, as shells do.

    This process must lead a process group, of which the command will be: the whole of it is ended.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    # A parent may hold signals back while it starts processes; the command must get them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the recipe's
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - into the log
        return 127
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    code = child.wait()
    _signal_group(signal.SIGTERM)  # what a dead server leaves behind
    return code if code >= 0 else 128 - code


def _end_with_parent(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1):
        pass
    _signal_group(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_S)
    _signal_group(signal.SIGKILL)


def _signal_group(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(0, number)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
