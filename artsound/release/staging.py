"""A folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from artsound.errors import UsageError


def check_vacant(out: Path) -> None:
    """See that a folder can be made, before minutes are spent on what it shall hold.

    Raises:
        UsageError: it exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: choose another --out, or delete it")


@contextlib.contextmanager
def staged(out: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder to write to, beside `out`, that becomes `out` at the end.

    Yields:
        The folder that becomes `out`, and another one for what is needed only meanwhile. If the
        block raises, both are deleted.

    Raises:
        UsageError: `out` exists and is not an empty folder.
    """
    check_vacant(out)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        folder, scratch = partial / "release", partial / "scratch"
        folder.mkdir(parents=True)
        scratch.mkdir()
        yield folder, scratch
        if out.exists():
            out.rmdir()
        folder.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
