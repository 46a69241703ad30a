"""The artworks and the music of a report: from a workspace's sources or from a release's files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from artsound.errors import ArtsoundError
from artsound.recipe import Recipe
from artsound.release.tables import Part
from artsound.sources.items import media_limits, read_bytes
from artsound.sources.media import MediaError, decode_image
from artsound.stage import Build
from artsound.workspace import Workspace

Place = tuple[int, int, int]


class Media(Protocol):
    """Where a report finds artworks and music."""

    def image(self, artwork_id: str) -> Image.Image | None:
        """Return an artwork, RGB; None where it is not there or does not decode."""

    def audio(self, track_id: int) -> tuple[bytes, str] | None:
        """Return a clip's file and its suffix (`.mp3`); None where it is not there."""

    def place(self, track_id: int) -> Place:
        """Return a sort key: whoever asks for many pairs in its order reads each file once."""


class NoMedia:
    """A report without artworks and music."""

    def image(self, artwork_id: str) -> Image.Image | None:
        """Return nothing."""
        return None

    def audio(self, track_id: int) -> tuple[bytes, str] | None:
        """Return nothing."""
        return None

    def place(self, track_id: int) -> Place:
        """Return the same for every track."""
        return (0, 0, 0)


@dataclass(frozen=True)
class SourceMedia:
    """Media in the sources that a workspace was built from.

    A file counts as there only if it has the checksum that the build saw, so media of another
    source are never shown under an item's name.

    Attributes:
        workspace: the workspace.
        recipe: its recipe, for the limits of the checks.
        paths: where the `artworks` and the `tracks` are, as far as they are there.
        artworks: (file name, SHA-256) by artwork id.
        tracks: (file name, SHA-256) by track id.
    """

    workspace: Workspace
    recipe: Recipe
    paths: Mapping[str, Path]
    artworks: Mapping[str, tuple[str, str]]
    tracks: Mapping[int, tuple[str, str]]

    def image(self, artwork_id: str) -> Image.Image | None:
        """Return an artwork, RGB; None where it is not there or does not decode."""
        file_name, data = self._read("artworks", self.artworks.get(artwork_id))
        return None if data is None else _decoded(data, file_name, self.recipe)

    def audio(self, track_id: int) -> tuple[bytes, str] | None:
        """Return a clip's file and its suffix; None where it is not there."""
        file_name, data = self._read("tracks", self.tracks.get(track_id))
        return None if data is None else (data, PurePosixPath(file_name).suffix)

    def place(self, track_id: int) -> Place:
        """Return the order of the tracks."""
        return (0, 0, track_id)

    def _read(
        self, which: Literal["artworks", "tracks"], wanted: tuple[str, str] | None
    ) -> tuple[str, bytes | None]:
        if wanted is None or which not in self.paths:
            return "", None
        file_name, sha256 = wanted
        build = Build(
            self.recipe,
            self.workspace,
            self.paths.get("artworks", Path()),
            self.paths.get("tracks", Path()),
        )
        try:
            data = read_bytes(build, which, file_name)
        except ArtsoundError:
            return file_name, None  # not there: the card shows that
        return file_name, data if hashlib.sha256(data).hexdigest() == sha256 else None


@dataclass
class ReleaseMedia:
    """Media in a release's Parquet files.

    A column of media can only be read a row group at a time, so the last group is kept in memory
    (a group has about 100 MB of media): ask in the order of `place`.

    Attributes:
        parts: the default configuration's splits.
        recipe: the release's recipe, for the limits of the checks.
    """

    parts: Sequence[Part]
    recipe: Recipe
    _last: dict[str, tuple[tuple[int, int], pa.ChunkedArray]] = field(default_factory=dict)

    def image(self, artwork_id: str) -> Image.Image | None:
        """Return an artwork, RGB; None where it is not there or does not decode."""
        found = self._read("image", self._places[0].get(artwork_id))
        return None if found is None else _decoded(found["bytes"], found["path"], self.recipe)

    def audio(self, track_id: int) -> tuple[bytes, str] | None:
        """Return a clip's file and its suffix; None where it is not there."""
        found = self._read("audio", self._places[1].get(track_id))
        return None if found is None else (found["bytes"], PurePosixPath(found["path"]).suffix)

    def place(self, track_id: int) -> Place:
        """Return a track's file, row group and row."""
        return self._places[1].get(track_id, (len(self._files), 0, track_id))

    @cached_property
    def _files(self) -> list[Path]:
        return [path for part in self.parts for path in part.files]

    @cached_property
    def _places(self) -> tuple[dict[str, Place], dict[int, Place]]:
        """Where the first pair of each artwork and the pair of each track is."""
        artworks: dict[str, Place] = {}
        tracks: dict[int, Place] = {}
        for number, path in enumerate(self._files):
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group, columns=["artwork_id", "track_id"])
                    ids = zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True)
                    for row, (artwork_id, track_id) in enumerate(ids):
                        artworks.setdefault(artwork_id, (number, group, row))
                        tracks[track_id] = (number, group, row)
        return artworks, tracks

    def _read(self, column: str, place: Place | None) -> dict[str, Any] | None:
        if place is None:
            return None
        number, group, row = place
        if column not in self._last or self._last[column][0] != (number, group):
            self._last.pop(column, None)  # before the next group is in memory too
            with pq.ParquetFile(self._files[number]) as file:
                if column not in file.schema_arrow.names:
                    return None
                values = file.read_row_group(group, columns=[column])[column]
            self._last[column] = ((number, group), values)
        found: dict[str, Any] | None = self._last[column][1][row].as_py()
        return found if found and found["bytes"] else None


def _decoded(data: bytes, file_name: str, recipe: Recipe) -> Image.Image | None:
    try:
        return decode_image(data, file_name, media_limits(recipe))[0]
    except MediaError:
        return None
