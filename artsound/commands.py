"""Running a command line: errors as one line, exit codes, Ctrl-C, `--debug`.

`artsound` and `art2mus` end alike: 0 done, 1 the job failed, 2 the command line is wrong, 128 and
the signal's number where it was stopped.
"""

from __future__ import annotations

import errno
import sys
from typing import Final

import typer
from rich.console import Console

from artsound.errors import ArtsoundError
from artsound.stopping import Stopped, ignore_signals, stop_on_signals

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def run(command: typer.Typer, name: str) -> int:
    """Run a command line with the process's arguments and return its exit code.

    Args:
        command: the application.
        name: what it is called, before each error.
    """
    debug = "--debug" in sys.argv[1:]
    # The flag may stand anywhere, also behind the command that it is needed for.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    stop_on_signals()
    try:
        command(args=arguments)  # ends in SystemExit, with 2 for a wrong command line
    except Stopped as stopped:
        ignore_signals()
        if debug:
            raise
        return _fail(name, "stopped; run the same command again to continue", stopped.exit_code)
    except (ArtsoundError, OSError) as error:
        if debug:
            raise
        if isinstance(error, ArtsoundError):
            return _fail(name, str(error), error.exit_code)
        return _fail(name, _words(error), 1)
    return 0


def _words(error: OSError) -> str:
    """Say what the system refused: which file, why, and what helps."""
    if error.errno in _FULL:
        where = error.filename or "a file"
        return (
            f"{where} cannot be written ({error.strerror}): free space on its disk, or raise the"
            " quota, and run the same command again"
        )
    return f"{error}: check the path, its permissions and the free space"


def _fail(name: str, message: str, code: int) -> int:
    Console(stderr=True, highlight=False).print(
        f"{name}: {message}", soft_wrap=True, markup=False, style="red"
    )
    return code
