"""The errors a user can meet: one line that names the thing at fault and the remedy.

The command line prints `str(error)` and exits with `exit_code`; a traceback only with `--debug`.
"""

from __future__ import annotations


class ArtsoundError(Exception):
    """The job failed: a source, a model or the machine is at fault (exit code 1)."""

    exit_code = 1


class UsageError(ArtsoundError):
    """The command line or the recipe is wrong (exit code 2)."""

    exit_code = 2


class MissingDependency(ArtsoundError):
    """An optional package is not installed.

    Args:
        what: what needs the package, as the user knows it ("the lite fuser").
        install: the command that installs it.
    """

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what} needs a package that is not installed; run: {install}")
        self._made_of = (what, install)

    def __reduce__(self) -> tuple[type[MissingDependency], tuple[str, str]]:
        """Survive the way back from a worker process."""
        return type(self), self._made_of
