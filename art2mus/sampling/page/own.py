"""Which files of a folder of samples are its page's, so that no other is overwritten or removed.

`page/files.json` lists them. A file is listed before it is written, so that what a killed command
leaves is known to the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from art2mus.sampling.records import PAGE
from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError, UsageError

LIST: Final = "files.json"
INDEX: Final = "index.html"
COPIED: Final = ("style.css", "player.js")
FIXED: Final = (INDEX, *(f"{PAGE}/{name}" for name in COPIED))
_KIND: Final = "art2mus page of samples"
_REMEDY: Final = "move it away, give another --out, or --no-page"


class OwnFiles:
    """The files of the page of a folder of samples, by their paths in it.

    Args:
        out: the folder of samples; it need not be there.

    Raises:
        ArtsoundError: its list is damaged, or another program's.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._names = _listed(out)

    def paths(self) -> frozenset[Path]:
        """Return where they are, absolute and without symbolic links."""
        return frozenset((self._out / name).resolve() for name in self._names)

    def check(self, names: Iterable[str]) -> None:
        """Refuse to write where somebody else's file is.

        Raises:
            UsageError: there is one.
        """
        if os.path.lexists(self._out / PAGE) and not (self._out / PAGE).is_dir():
            raise UsageError(f"{self._out / PAGE} is not a folder: {_REMEDY}")
        for name in sorted(set(names) - self._names):
            if os.path.lexists(self._out / name):
                raise UsageError(f"{self._out / name} is not of a page of samples: {_REMEDY}")

    def claim(self, names: Iterable[str]) -> None:
        """Take names for the page's files, before they are written.

        Raises:
            UsageError: one is somebody else's file.
        """
        wanted = frozenset(names)
        if wanted <= self._names:
            return
        self.check(wanted)
        self._names |= wanted
        self._save()

    def keep(self, names: Iterable[str]) -> None:
        """Remove the page's other files, and no file that is not the page's."""
        kept = frozenset(names)
        for name in sorted(self._names - kept):
            path = self._out / name
            if path.is_file() or path.is_symlink():
                path.unlink()
        self._names = kept
        self._save()

    def _save(self) -> None:
        content = {"kind": _KIND, "files": sorted(self._names)}
        text = json.dumps(content, indent=1) + "\n"
        path = self._out / PAGE / LIST
        if not path.is_file() or path.read_text("utf-8") != text:
            write_atomically(path, text.encode())


def in_page(path: Path) -> str:
    """Return the name of a file right in the page's folder."""
    return f"{PAGE}/{path.name}"


def _listed(out: Path) -> frozenset[str]:
    path = out / PAGE / LIST
    if not path.is_file():
        return frozenset()
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["kind"] != _KIND:
            raise ValueError(found["kind"])
        names = frozenset(map(str, found["files"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtsoundError(
            f"{path} is no list of a page's files: give another --out, or delete it with the"
            f" page's files ({out / INDEX} and {out / PAGE}), which are made again"
        ) from error
    for name in names:
        parts = PurePosixPath(name).parts
        if parts != (INDEX,) and not (len(parts) == 2 and parts[0] == PAGE and parts[1] != ".."):
            raise ArtsoundError(f"{path} names {name!r}, which is no file of a page: delete {path}")
    return names
