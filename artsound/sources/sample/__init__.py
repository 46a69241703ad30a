"""The embedded sample: real artworks and music, some of them faulty, in the sources' own layouts.

`data/SOURCES.csv` names each file's author, licence and origin, `data/FAULTS.csv` what is wrong
with the faulty ones.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from artsound.atomic import write_atomically

_RIGHTS: Final = ("SOURCES.csv", "LICENSES.md")
# The oldest time that a zip can hold: the archives' bytes depend on their contents alone.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SamplePaths:
    """The archives that were written."""

    artworks: Path
    metadata: Path
    audio: Path


def data() -> Traversable:
    """Return the folder with the sample's files."""
    return resources.files("artsound.sources.sample") / "data"


def write_sample(directory: Path) -> SamplePaths:
    """Write the sample as the archives that the real collections come in.

    Args:
        directory: gets `artgraph.zip`, `fma/fma_metadata.zip` and `fma/fma_large.zip`; the same
            bytes every time.
    """
    root = data()
    rights = [(name, (root / name).read_bytes()) for name in _RIGHTS]
    paths = SamplePaths(
        directory / "artgraph.zip",
        directory / "fma" / "fma_metadata.zip",
        directory / "fma" / "fma_large.zip",
    )
    fma = root / "fma"
    _write(paths.artworks, [*_files(root / "artgraph"), *rights])
    metadata = [*_files(fma / "fma_metadata", "fma_metadata/"), *rights]
    _write(paths.metadata, metadata)
    _write(paths.audio, _files(fma / "fma_large", "fma_large/"))
    return paths


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found = []
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            found += _files(item, f"{prefix}{item.name}/")
        else:
            found.append((prefix + item.name, item.read_bytes()))
    return found


def _write(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    write_atomically(path, buffer.getvalue())
