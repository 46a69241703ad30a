"""The report's folder: which files in it are the report's own, so that no other is ever removed.

`report.json` lists them with their sizes. It is written before anything else, and again at the end
or when an error or Ctrl-C ends the report before; what a killed one left is then written again by
the next, as the names are the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError, UsageError
from artsound.release.manifest import NAME as MANIFEST
from artsound.release.manifest import read_manifest
from artsound.workspace import Workspace

LIST: Final = "report.json"
_KIND: Final = "artsound report"


class OwnFiles:
    """The files that reports wrote into a folder.

    Args:
        root: the folder.
        before: size by name of those of earlier reports.
    """

    def __init__(self, root: Path, before: Mapping[str, int]) -> None:
        self.root = root
        self._before = dict(before)
        self._now: dict[str, int] = {}

    def add(self, *paths: Path) -> None:
        """Take files for this report's; they are there, written now or found `intact`."""
        for path in paths:
            self._now[self._name(path)] = path.stat().st_size

    def intact(self, path: Path) -> bool:
        """Say whether a file is one that a report wrote, as long as it was then."""
        size = self._before.get(self._name(path))
        return size is not None and path.is_file() and path.stat().st_size == size

    def before(self, folder: str) -> list[Path]:
        """Return the files of earlier reports right in a folder, by name."""
        wanted = PurePosixPath(folder)
        names = sorted(name for name in self._before if PurePosixPath(name).parent == wanted)
        return [self.root / name for name in names]

    def save(self) -> None:
        """Write the list: what earlier reports left and what this one wrote."""
        files = dict(sorted({**self._before, **self._now}.items()))
        text = json.dumps({"kind": _KIND, "files": files}, indent=1, ensure_ascii=False)
        write_atomically(self.root / LIST, f"{text}\n".encode())

    def sweep(self) -> None:
        """Remove what earlier reports left and this one did not write, and folders that empties."""
        for name in sorted(self._before.keys() - self._now.keys()):
            path = self.root / name
            if path.is_file() or path.is_symlink():
                path.unlink()
            for folder in path.relative_to(self.root).parents[:-1]:
                with contextlib.suppress(OSError):  # somebody's files are in it, or it is gone
                    (self.root / folder).rmdir()
        self._before = {}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


@contextlib.contextmanager
def own_files(out: Path) -> Iterator[OwnFiles]:
    """Take a folder for a report: made if it is not there, swept when all is written.

    Raises:
        UsageError: it is a file, belongs to a workspace or a release, or has files and no list.
        ArtsoundError: its list is damaged, or it cannot be written to.
    """
    _check_place(out)
    own = OwnFiles(out, _listed(out))
    try:
        own.save()
    except OSError as error:
        raise ArtsoundError(
            f"cannot write to {out} ({error.strerror}): choose another --out"
        ) from error
    try:
        yield own
        own.sweep()
    finally:
        own.save()


def _check_place(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: choose another --out")
    place = out.resolve()
    for folder in (place, *place.parents):
        if Workspace(folder).exists() and not place.is_relative_to(folder / "report"):
            raise UsageError(
                f"{out} is in the workspace {folder}: choose an --out outside of it, or its own"
                f" {folder / 'report'}"
            )
        if _is_release(folder):
            raise UsageError(f"{out} is in the release {folder}: choose an --out outside of it")


def _is_release(folder: Path) -> bool:
    if not (folder / MANIFEST).is_file():
        return False
    try:
        read_manifest(folder)
    except (ArtsoundError, OSError, UnicodeDecodeError):
        return False  # other programs call files manifest.json too
    return True


def _listed(out: Path) -> dict[str, int]:
    """Return the list of a folder; nothing for a folder that is new or empty but for `.hidden`."""
    path = out / LIST
    if not path.is_file():
        if out.is_dir() and any(not one.name.startswith(".") for one in out.iterdir()):
            raise UsageError(
                f"{out} has files in it and no {LIST} of an earlier report: choose an empty --out,"
                " or empty it first"
            )
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["kind"] != _KIND:
            raise ValueError(found["kind"])
        files = {str(name): int(size) for name, size in found["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtsoundError(
            f"{path} is no report's list of its files: choose an empty --out, or empty {out} first"
        ) from error
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ArtsoundError(f"{path} names {name}, which is outside of {out}: empty it first")
    return files
