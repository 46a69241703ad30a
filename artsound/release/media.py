"""The media of released rows, out of the sources, each file checked against its checksum.

`artsound release` and `artsound hydrate` both fill rows here, so both give the same bytes. A file
is found by its path's last components, in whatever archive or folder it lies, and known by its
SHA-256; the sources' catalogues are not needed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa

from artsound.recipe import Recipe
from artsound.release.lookup import Lookup
from artsound.sources.archive import Member, MemberError, Source, cached_source
from artsound.sources.items import media_limits
from artsound.sources.media import DETECTED, MediaError, MediaLimits, decode_image

_JPEG_QUALITY: Final = 95
_SIGNATURES: Final = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"))
# What is read before it is handed on; beside a row group, all the media that memory holds.
_CHUNK_BYTES: Final = 8_000_000

IMAGE_FACTS: Final = ("artwork_id", "file_name", "sha256", "repairs")
AUDIO_FACTS: Final = ("track_id", "file_name", "sha256")


@dataclass(frozen=True)
class Problem:
    """A released row's file that is not there, or not the one that was checked.

    Attributes:
        pair_id: the row.
        column: `image` or `audio`.
        file_name: the file, as the source names it.
        reason: what is wrong.
    """

    pair_id: str
    column: str
    file_name: str
    reason: str


class NotTheFileError(Exception):
    """There is no file of that name with that checksum; says what there is."""


class Files:
    """The files of one source, found by name and checksum.

    Args:
        path: an archive, or a folder that holds archives or unpacked trees.
        limit: most bytes of a file.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.source: Source = cached_source(path)
        self.limit = limit

    def has(self, file_name: str) -> bool:
        """Say whether there is a file of that name."""
        return bool(self._members(file_name))

    def read(self, file_name: str, sha256: str) -> bytes:
        """Return a file's bytes.

        Raises:
            NotTheFileError: there is none with this name and checksum.
        """
        reason = "not there"
        for member in self._members(file_name):
            try:
                data = self.source.read(member, self.limit)
            except MemberError as error:
                reason = f"not readable: {error}"
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
            reason = "another file: its checksum differs"
        raise NotTheFileError(reason)

    def _members(self, file_name: str) -> list[Member]:
        """Return the files of a name, those in the same folder as in the original source first."""
        names = (file_name, PurePosixPath(file_name).name)
        found = [member for name in names for member in self.source.find_all(name)]
        return list(dict.fromkeys(found))


class Media:
    """Fills the `image` and `audio` of rows.

    Args:
        artworks: what `IMAGE_FACTS` says of the artworks, by artwork id.
        tracks: what `AUDIO_FACTS` says of the tracks, by track id.
        artworks_source: where the artworks' files are.
        tracks_source: where the tracks' files are.
        recipe: of the build, for the limits of its media checks.
        on_problem: told of each file that is not there or another one; the row gets a null.
    """

    def __init__(
        self,
        artworks: Lookup,
        tracks: Lookup,
        artworks_source: Path,
        tracks_source: Path,
        recipe: Recipe,
        on_problem: Callable[[Problem], None],
    ) -> None:
        self._artworks = artworks
        self._tracks = tracks
        self._images = Files(artworks_source, recipe.media.max_image_bytes)
        self._clips = Files(tracks_source, recipe.media.max_audio_bytes)
        self._limits = media_limits(recipe)
        self._on_problem = on_problem

    def absent(self, tables: Iterable[pa.Table]) -> Iterator[Problem]:
        """Yield the rows whose files are not even listed in the sources; reads no file."""
        for table in tables:
            for pair_id, image, track in self._facts(table):
                for column, files, facts in (
                    ("image", self._images, image),
                    ("audio", self._clips, track),
                ):
                    if not files.has(facts["file_name"]):
                        yield Problem(pair_id, column, facts["file_name"], "not there")

    def fill(self, tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield the rows with their media, a few at a time.

        Args:
            tables: rows with at least `pair_id`, `artwork_id` and `track_id`.
            schema: the columns to yield.
        """
        for table in tables:
            begin = size = 0
            images: list[dict[str, Any] | None] = []
            clips: list[dict[str, Any] | None] = []
            for at, (pair_id, artwork, track) in enumerate(self._facts(table), 1):
                images.append(self._try(pair_id, "image", artwork, self._image))
                clips.append(self._try(pair_id, "audio", track, self._clip))
                size += sum(len(found["bytes"]) for found in (images[-1], clips[-1]) if found)
                if size >= _CHUNK_BYTES or at == len(table):
                    yield _with_media(table.slice(begin, at - begin), images, clips, schema)
                    begin, size, images, clips = at, 0, [], []

    def _facts(self, table: pa.Table) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
        artworks = self._artworks.take(table["artwork_id"].to_pylist(), IMAGE_FACTS).to_pylist()
        tracks = self._tracks.take(table["track_id"].to_pylist(), AUDIO_FACTS).to_pylist()
        return zip(table["pair_id"].to_pylist(), artworks, tracks, strict=True)

    def _try(
        self,
        pair_id: str,
        column: str,
        facts: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> dict[str, Any] | None:
        try:
            return read(facts)
        except NotTheFileError as error:
            self._on_problem(Problem(pair_id, column, facts["file_name"], str(error)))
            return None

    def _image(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        data = self._images.read(facts["file_name"], facts["sha256"])
        try:
            released, suffix = released_image(
                data, facts["file_name"], facts["repairs"], self._limits
            )
        except MediaError as error:  # it decoded when it was checked, by another Pillow perhaps
            raise NotTheFileError(f"not decodable here: {error}") from error
        return {"bytes": released, "path": f"{facts['artwork_id']}{suffix}"}

    def _clip(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        data = self._clips.read(facts["file_name"], facts["sha256"])
        return {"bytes": data, "path": PurePosixPath(facts["file_name"]).name}


def released_image(
    data: bytes, file_name: str, repairs: Iterable[str], limits: MediaLimits
) -> tuple[bytes, str]:
    """Return an artwork's image as it is released, and the suffix that fits it.

    An image that is RGB as it stands keeps its bytes; a repaired one is written anew, as JPEG of
    quality 95 without chroma subsampling, so that every decoder shows the same picture.
    """
    if set(repairs) <= {DETECTED}:
        known = (suffix for magic, suffix in _SIGNATURES if data.startswith(magic))
        return data, next(known, PurePosixPath(file_name).suffix)
    image, _ = decode_image(data, file_name, limits)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue(), ".jpg"


def _with_media(
    rows: pa.Table,
    images: list[dict[str, Any] | None],
    clips: list[dict[str, Any] | None],
    schema: pa.Schema,
) -> pa.Table:
    media = {
        name: pa.array(values, schema.field(name).type)
        for name, values in (("image", images), ("audio", clips))
    }
    columns = [media[name] if name in media else rows[name] for name in schema.names]
    return pa.table(columns, schema=schema)
