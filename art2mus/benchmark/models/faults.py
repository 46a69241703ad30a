"""What a class of the user's raises, as one line: whose fault, what, and where in their file."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from artsound.errors import ArtsoundError

_OURS: Final = Path(__file__).parent
_LONGEST: Final = 300  # characters of a message: those of compilers fill pages


@contextmanager
def blamed(
    what: str, file: str | None = None, passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what the user's code raises into an error of one line; the cause stays attached.

    Args:
        what: what runs, as the user knows it: `module:Class.generate`.
        file: its source, of which the innermost line is named; by default that of the first file
            which is neither ours nor Python's import.
        passing: exceptions that the caller has better words for; they pass as they are.

    Raises:
        ArtsoundError: the code raised an exception that is not one of ours.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (ArtsoundError, *passing)):
            raise
        said = " ".join(str(error).split())
        if len(said) > _LONGEST:
            said = f"{said[: _LONGEST - 3]}..."
        kind = type(error).__name__
        place = _place(error, file)
        raise ArtsoundError(
            f"{what} raised {kind}{f': {said}' if said else ''}{f' ({place})' if place else ''};"
            " --debug shows all"
        ) from error


def _place(error: Exception, file: str | None) -> str:
    """Return `file.py:line` of the user's innermost line; empty where none of it was run."""
    if isinstance(error, SyntaxError):  # its message names the place
        return ""
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent != _OURS
        and frame.filename != importlib.__file__
        and not frame.filename.startswith("<frozen ")
    ]
    if not frames:
        return ""
    own = [one for one in frames if one[0] == (file or frames[0][0])]
    name, line = (own or frames)[-1]
    return f"{Path(name).name}:{line}"
