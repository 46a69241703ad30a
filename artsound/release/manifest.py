"""manifest.json: what a release is made of, and a checksum of every file in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from artsound.errors import ArtsoundError, UsageError
from artsound.workspace import file_sha256

NAME: Final = "manifest.json"
FORMAT: Final = 1


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest of a release: the facts given, and every file's size and SHA-256.

    It holds no times, paths or host names: the same build gives the same manifest.
    """
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }
    text = json.dumps({"format": FORMAT, **facts, "files": files}, indent=2, ensure_ascii=False)
    (folder / NAME).write_text(f"{text}\n", "utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a release.

    Raises:
        UsageError: the folder is no release.
        ArtsoundError: its manifest cannot be read.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} is no release (no {NAME} in it): `artsound release` writes one")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ArtsoundError(f"{path} is not readable JSON ({error}): release again") from error
    return manifest


def verify(folder: Path) -> list[str]:
    """Compare a release with its manifest.

    Returns:
        One line for each file that is missing, altered or not in the manifest; none if all is well.
    """
    expected = read_manifest(folder)["files"]
    problems = []
    for name, facts in expected.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: missing")
        elif path.stat().st_size != facts["bytes"]:
            problems.append(f"{name}: {path.stat().st_size} bytes, expected {facts['bytes']}")
        elif file_sha256(path) != facts["sha256"]:
            problems.append(f"{name}: the checksum differs")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    problems += [f"{name}: not in the manifest" for name in sorted(present - {NAME, *expected})]
    return problems
