"""The Free Music Archive dataset (Defferrard et al. 2017, https://github.com/mdeff/fma).

fma_metadata/tracks.csv           three header rows; one row a track
fma_metadata/genres.csv           the genre hierarchy
fma_metadata/raw_tracks.csv       optional here: has each track's page on the archive
fma_large/NNN/NNNNNN.mp3          30-second clips (fma_small, fma_medium, fma_full too)
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.csv

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason, Status
from artsound.sources.archive import Member, MemberError, MemberTooLargeError, Source
from artsound.sources.licenses import UNKNOWN, spdx
from artsound.sources.media import MediaLimits, check_audio
from artsound.sources.rights import Rights, read_rights

TRACKS: Final = "fma_metadata/tracks.csv"
GENRES: Final = "fma_metadata/genres.csv"
RAW_TRACKS: Final = "fma_metadata/raw_tracks.csv"
_CLIP: Final = re.compile(r"(?:.*/)?(fma_(?:small|medium|large|full)/\d{3}/(\d{6,})\.mp3)")
_COLUMNS: Final = (
    "album.title", "artist.name", "set.subset", "track.genre_top", "track.genres",
    "track.genres_all", "track.license", "track.title",
)  # fmt: skip
# The clips of fma_large; tracks of the fourth subset, `full`, are only in fma_full.
_CLIPPED: Final = ("small", "medium", "large")
# One row may hold a long biography; a block must hold a row.
_BLOCK: Final = 32 << 20
_GENRES_LIMIT: Final = 64 << 20


@dataclass(frozen=True)
class TrackRecord:
    """What the archive knows of one track; of a clip without a row only the id and the file."""

    track_id: int
    file_name: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre_top: str | None = None
    genres: tuple[str, ...] = ()
    license: str | None = None
    license_spdx: str = UNKNOWN
    source_url: str | None = None


class FreeMusicArchive:
    """The tracks of a source, by their id.

    The tracks are those of `tracks.csv` in the subsets that fma_large has (every row where the
    source holds fma_full), and clips without a row, so that nothing is lost.

    Args:
        source: where the archives are.

    Raises:
        UsageError: the source has no `tracks.csv`, so it is not the Free Music Archive's.
        ArtsoundError: a table cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        listed = source.find(TRACKS)
        if listed is None:
            raise UsageError(
                f"{source.path} is not the Free Music Archive dataset: it has no {TRACKS}; give the"
                " folder that holds fma_metadata.zip and fma_large.zip"
            )
        self._clips = _clips(source)
        self._rows = self._read_tracks(listed)
        self._genres = self._read_genres()
        self._pages = self._read_pages()
        self._rights = read_rights(source)
        self._ids = sorted({*self._rows, *self._clips})

    def __len__(self) -> int:
        return len(self._ids)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[TrackRecord]:
        """Yield the tracks at these positions, by id."""
        for track_id in self._ids[start:stop]:
            yield self._record(track_id)

    def clip(self, file_name: str) -> Member | None:
        """Return the member that is a track's clip, or None."""
        return self.source.find(file_name)

    def _record(self, track_id: int) -> TrackRecord:
        name = f"{track_id:06d}"
        clip = self._clips.get(track_id)
        file_name = clip or f"fma_large/{name[:3]}/{name}.mp3"
        rights = self._rights.get(f"{name}.mp3", Rights())
        row = self._rows.get(track_id)
        if row is None:
            return TrackRecord(
                track_id, file_name, license_spdx=rights.license or UNKNOWN, source_url=rights.url
            )
        album, artist, _, top, own, everything, written, title = row
        genres = _numbers(everything) or _numbers(own)
        names = tuple(self._genres[number][0] for number in genres if number in self._genres)
        return TrackRecord(
            track_id=track_id,
            file_name=file_name,
            title=title,
            artist=artist,
            album=album,
            genre_top=top or self._common_top(genres),
            genres=names,
            license=written,
            license_spdx=rights.license or spdx(written),
            source_url=rights.url or self._pages.get(track_id) or _search_page(artist, title),
        )

    def _common_top(self, genres: Sequence[int]) -> str | None:
        """Return the top-level genre that all genres share, or None."""
        tops = {self._genres[number][1] for number in genres if number in self._genres}
        if len(tops) != 1:
            return None
        return self._genres.get(tops.pop(), (None, 0))[0]

    # -- the archive's tables ---------------------------------------------------------------------

    def _read_tracks(self, listed: Member) -> dict[int, tuple[str | None, ...]]:
        try:
            with self.source.open(listed) as stream:
                table = _tracks_table(io.BufferedReader(_Raw(stream), 1 << 20))
        except (MemberError, pa.ArrowInvalid, StopIteration, ValueError) as error:
            raise ArtsoundError(
                f"{self.source.path}: {listed.path} cannot be read ({error}): download"
                " fma_metadata.zip again"
            ) from error
        whole = any(name.startswith("fma_full/") for name in self._clips.values())
        rows: dict[int, tuple[str | None, ...]] = {}
        columns = [table["track_id"].to_pylist()]
        columns += [table[name].to_pylist() for name in _COLUMNS]
        for track_id, *values in zip(*columns, strict=True):
            if whole or values[2] in _CLIPPED:
                rows[int(track_id)] = tuple(values)
        return rows

    def _read_genres(self) -> dict[int, tuple[str, int]]:
        """Return name and top-level genre by genre id."""
        member = self.source.find(GENRES)
        if member is None:
            return {}
        try:
            text = self.source.read(member, _GENRES_LIMIT).decode("utf-8")
            rows = csv.DictReader(io.StringIO(text))
            return {int(r["genre_id"]): (r["title"], int(r["top_level"])) for r in rows}
        except (MemberError, ValueError, KeyError, TypeError) as error:
            raise ArtsoundError(
                f"{self.source.path}: {member.path} cannot be read ({error}): download"
                " fma_metadata.zip again"
            ) from error

    def _read_pages(self) -> dict[int, str]:
        """Return the tracks' pages from raw_tracks.csv, where the source has it."""
        member = self.source.find(RAW_TRACKS)
        if member is None:
            return {}
        options = pa.csv.ConvertOptions(include_columns=["track_id", "track_url"])
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        read = pa.csv.ReadOptions(block_size=_BLOCK)
        try:
            with self.source.open(member) as stream:
                file = pa.PythonFile(io.BufferedReader(_Raw(stream), 1 << 20), "r")
                table = pa.csv.read_csv(file, read, parse, options)
        except (MemberError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
            raise ArtsoundError(
                f"{self.source.path}: {member.path} cannot be read ({error}): download"
                " fma_metadata.zip again"
            ) from error
        pairs = zip(table["track_id"].to_pylist(), table["track_url"].to_pylist(), strict=True)
        return {int(track_id): url for track_id, url in pairs if url}


class _Raw(io.RawIOBase):
    """A member's stream as raw input/output, which is what Python's buffering is built on."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _tracks_table(stream: io.BufferedReader) -> pa.Table:
    """Read the columns that are used, a block at a time; memory holds those and one block."""
    groups = _header(stream.readline())
    names = _header(stream.readline())
    stream.readline()  # the third header row names the index
    columns = ["track_id"]
    columns += [f"{group}.{name}" for group, name in zip(groups[1:], names[1:], strict=True)]
    wanted = ["track_id", *_COLUMNS]
    missing = sorted(set(wanted) - set(columns))
    if missing:
        raise ValueError(f"no column {missing[0].replace('.', ', ')}")
    reader = pa.csv.open_csv(
        pa.PythonFile(stream, "r"),
        read_options=pa.csv.ReadOptions(column_names=columns, block_size=_BLOCK, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types={"track_id": pa.int64()} | dict.fromkeys(_COLUMNS, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return reader.read_all()


def _header(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8")]))


def _clips(source: Source) -> dict[int, str]:
    """Return the path from `fma_...` on of every clip by track id; the first counts."""
    clips: dict[int, str] = {}
    for path in source.members:
        if found := _CLIP.fullmatch(path):
            clips.setdefault(int(found[2]), found[1])
    return clips


def _numbers(written: str | None) -> list[int]:
    """Return the numbers of a list as the archive writes it: `[45, 58]`."""
    return [int(number) for number in re.findall(r"\d+", written or "")]


def _search_page(artist: str | None, title: str | None) -> str | None:
    """Return the archive's search for a track: its pages cannot be told from the metadata."""
    words = " ".join(filter(None, (artist, title)))
    return f"https://freemusicarchive.org/search?quicksearch={quote_plus(words)}" if words else None


def track_rows(
    fma: FreeMusicArchive, start: int, stop: int, limits: MediaLimits
) -> list[dict[str, Any]]:
    """Return rows of `schema.TRACKS` for the tracks at these positions, audio checked.

    Every track is a row; one whose clip is missing or unusable says why.
    """
    return [_row(fma, record, limits) for record in fma.records(start, stop)]


def _row(fma: FreeMusicArchive, record: TrackRecord, limits: MediaLimits) -> dict[str, Any]:
    row: dict[str, Any] = {
        "track_id": record.track_id,
        "file_name": record.file_name,
        "title": record.title,
        "artist": record.artist,
        "album": record.album,
        "genre_top": record.genre_top,
        "genres": list(record.genres),
        "license": record.license,
        "license_spdx": record.license_spdx,
        "source_url": record.source_url,
        "status": Status.REJECTED,
    }
    member = fma.clip(record.file_name)
    if member is None:
        return row | {"reason": Reason.AUDIO_MISSING}
    try:
        data = fma.source.read(member, limits.max_audio_bytes)
    except MemberTooLargeError as error:
        return row | {"reason": f"{Reason.AUDIO_TOO_LARGE}: {error}"}
    except MemberError as error:
        return row | {"reason": f"{Reason.AUDIO_NOT_DECODABLE}: {error}"}
    check = check_audio(data, limits)
    return row | {
        "sha256": hashlib.sha256(data).hexdigest(),
        "duration_s": check.duration_s,
        "sample_rate": check.sample_rate,
        "channels": check.channels,
        "rms_dbfs": check.rms_dbfs,
        "status": check.status,
        "reason": check.reason,
    }
