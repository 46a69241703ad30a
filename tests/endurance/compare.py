"""What a build and its release came to, for comparing two of them, and what they left lying."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from artsound.workspace import file_sha256


def contents(work: Path, released: Path | None) -> dict[str, str]:
    """Return checksums of everything that two equal builds have alike.

    These are the tables' parts; their markers but for `seconds`, which a clock measured; what
    workspace.json says; and every file of the release. Logs tell of times and attempts, and the
    replies kept in `requests` are filed by the process that asked: neither is compared.

    Args:
        work: the workspace.
        released: its release, if there is one.
    """
    found = {"workspace.json": file_sha256(work / "workspace.json")}
    for path in sorted((work / "tables").rglob("*")):
        if path.is_file():
            name = path.relative_to(work).as_posix()
            found[name] = _marker(path) if path.suffix == ".json" else file_sha256(path)
    for path in sorted(released.rglob("*")) if released else []:
        if path.is_file():
            found[f"release/{path.relative_to(released or path)}"] = file_sha256(path)
    return found


def _marker(path: Path) -> str:
    marker = json.loads(path.read_text("utf-8"))
    marker.pop("seconds", None)
    return hashlib.sha256(json.dumps(marker, sort_keys=True).encode()).hexdigest()


def different(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return the names that only one has, or that differ."""
    names = wanted.keys() | found.keys()
    return sorted(name for name in names if wanted.get(name) != found.get(name))


def leftovers(*folders: Path) -> list[str]:
    """Return the temporary files and folders within these and, named after them, beside them."""
    within = (path for folder in folders for path in folder.rglob(".tmp*"))
    beside = (path for folder in folders for path in folder.parent.glob(f".*{folder.name}*"))
    return sorted(path.name for path in (*within, *beside))
