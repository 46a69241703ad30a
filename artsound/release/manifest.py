"""manifest.json: what a release is made of, and a checksum of every file in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artsound.errors import ArtsoundError, UsageError
from artsound.workspace import file_sha256

if TYPE_CHECKING:
    from artsound.release.writer import Shard

NAME: Final = "manifest.json"
FORMAT: Final = 1


def write_manifest(folder: Path, facts: Mapping[str, Any], shards: Iterable[Shard] = ()) -> None:
    """Write the manifest of a release: the facts given, and every file's size and SHA-256.

    It holds no times, paths or host names: the same build gives the same manifest.

    Args:
        folder: the release.
        facts: what it is made of.
        shards: files whose checksums are known; the others are read.
    """
    known = {shard.path: shard.sha256 for shard in shards}
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": known.get(path) or file_sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }
    text = json.dumps({"format": FORMAT, **facts, "files": files}, indent=2, ensure_ascii=False)
    (folder / NAME).write_text(f"{text}\n", "utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a release.

    Raises:
        UsageError: the folder is no release, or one of a newer format.
        ArtsoundError: its manifest cannot be read.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} is no release (no {NAME} in it): `artsound release` writes one")
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ArtsoundError(f"{path} is not readable JSON ({error}): release again") from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(found, int) or not isinstance(manifest.get("files"), dict):
        raise UsageError(f"{path} is no release's manifest: `artsound release` writes one")
    if found > FORMAT:
        raise UsageError(
            f"{folder} has release format {found}, this version reads up to {FORMAT}:"
            " upgrade artsound"
        )
    return dict(manifest)


def facts_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that a manifest was written with, in their order."""
    return {key: value for key, value in manifest.items() if key not in ("format", "files")}


def versions() -> dict[str, str]:
    """Return the versions of the libraries that shape a release's bytes."""
    from PIL import features

    # Pillow writes repaired images, by the JPEG library that it was built with.
    jpeg = features.version("libjpeg_turbo") or features.version("jpg") or "unknown"
    found = {name: version(name) for name in ("datasets", "matplotlib", "pillow", "pyarrow")}
    return {**found, "libjpeg": jpeg}


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
