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
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote_plus

import pyarrow as pa

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason, Status
from artsound.sources.archive import Member, MemberError, MemberTooLargeError, Source
from artsound.sources.fma_tables import COLUMNS, pages_table, tracks_table
from artsound.sources.licenses import UNKNOWN, spdx
from artsound.sources.media import MediaLimits, check_audio
from artsound.sources.rights import Rights, read_rights

TRACKS: Final = "fma_metadata/tracks.csv"
GENRES: Final = "fma_metadata/genres.csv"
RAW_TRACKS: Final = "fma_metadata/raw_tracks.csv"
_CLIP: Final = re.compile(r"(?:.*/)?(fma_(small|medium|large|full)/\d{3}/(\d{6,9})\.mp3)")
# The subsets that each archive of clips holds, smallest first: every one holds those before it.
_SUBSETS: Final = ("small", "medium", "large", "full")
_USUAL: Final = "large"
_UNREADABLE: Final = (
    MemberError, OSError, ValueError, KeyError, TypeError, csv.Error, zipfile.BadZipFile, zlib.error
)  # fmt: skip
_GENRES_LIMIT: Final = 64 << 20
# A track's id and the values of `COLUMNS`; the id alone of a clip without a row.
_Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class TrackRecord:
    """What the archive knows of one track; of a clip without a row only the id and the file.

    `genres` are those that the track was given and their parents, as `track.genres_all` has them.
    """

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
    duplicate: bool = False


class FreeMusicArchive:
    """The tracks of a source, by their id.

    The tracks are those rows of `tracks.csv` that the largest archive of clips in the source should
    hold (fma_large: the subsets small, medium and large; fma_full: all; without any clips those of
    fma_large), and clips without a row, so that nothing is lost.

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
        self._clips, subset = _clips(source)
        self._members = dict(self._clips.values())
        self._rows = self._read_tracks(listed, subset)
        self._genres = self._read_genres()
        self._pages = self._read_pages()
        self._rights = read_rights(source)
        with_row = {row[0] for row in self._rows}
        self._rows += [(clip,) for clip in self._clips if clip not in with_row]
        self._rows.sort(key=lambda row: row[0])
        self._unsafe = [r.path for r in source.refused if r.reason.startswith(Reason.UNSAFE_PATH)]

    def __len__(self) -> int:
        return len(self._rows)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[TrackRecord]:
        """Yield the tracks at these positions, by id."""
        for position in range(*slice(start, stop).indices(len(self._rows))):
            yield self._record(position)

    def clip(self, file_name: str) -> Member | None:
        """Return the member that is a track's clip, or None."""
        return self._members.get(file_name)

    def is_unsafe(self, file_name: str) -> bool:
        """Say whether a track's clip is not read because its path or its kind is unsafe."""
        return any(f"/{path}".endswith(f"/{file_name}") for path in self._unsafe)

    def _record(self, position: int) -> TrackRecord:
        track_id, *row = self._rows[position]
        name = f"{track_id:06d}"
        clip = self._clips.get(track_id)
        file_name = clip[0] if clip else f"fma_{_USUAL}/{name[:3]}/{name}.mp3"
        rights = self._rights.get(f"{name}.mp3", Rights())
        if not row:
            return TrackRecord(
                track_id,
                file_name,
                license_spdx=rights.license or UNKNOWN,
                source_url=rights.url or self._pages.get(track_id),
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
            duplicate=position > 0 and self._rows[position - 1][0] == track_id,
        )

    def _common_top(self, genres: Sequence[int]) -> str | None:
        """Return the top-level genre that all genres share, or None."""
        tops = {self._genres[number][1] for number in genres if number in self._genres}
        if len(tops) != 1:
            return None
        return self._genres.get(tops.pop(), (None, 0))[0]

    # -- the archive's tables ---------------------------------------------------------------------

    def _read_tracks(self, listed: Member, subset: str) -> list[_Row]:
        table = self._read(listed, tracks_table)
        beyond = _SUBSETS[_SUBSETS.index(subset) + 1 :]
        columns = [table[name].to_pylist() for name in ("track_id", *COLUMNS)]
        if None in columns[0]:
            raise ArtsoundError(
                f"{self.source.path}: {listed.path}, row {columns[0].index(None) + 4}: no track_id:"
                " download fma_metadata.zip again"
            )
        rows = zip(*columns, strict=True)
        return [row for row in rows if row[3] not in beyond or row[0] in self._clips]

    def _read(self, member: Member, reader: Callable[[io.BufferedReader], pa.Table]) -> pa.Table:
        """Read a table of the archive as a stream."""
        try:
            with self.source.open(member) as stream:
                return reader(io.BufferedReader(cast(io.RawIOBase, stream), 1 << 20))
        except _UNREADABLE as error:
            raise ArtsoundError(
                f"{self.source.path}: {member.path} cannot be read ({_line(error)}): download"
                " fma_metadata.zip again"
            ) from error

    def _read_genres(self) -> dict[int, tuple[str, int]]:
        """Return name and top-level genre by genre id."""
        member = self.source.find(GENRES)
        if member is None:
            return {}
        try:
            text = self.source.read(member, _GENRES_LIMIT).decode("utf-8")
            rows = csv.DictReader(io.StringIO(text))
            return {int(r["genre_id"]): (r["title"], int(r["top_level"])) for r in rows}
        except _UNREADABLE as error:
            raise ArtsoundError(
                f"{self.source.path}: {member.path} cannot be read ({_line(error)}): download"
                " fma_metadata.zip again"
            ) from error

    def _read_pages(self) -> dict[int, str]:
        """Return the tracks' pages from raw_tracks.csv, where the source has it."""
        member = self.source.find(RAW_TRACKS)
        if member is None:
            return {}
        table = self._read(member, pages_table)
        pairs = zip(table["track_id"].to_pylist(), table["track_url"].to_pylist(), strict=True)
        return {track_id: url for track_id, url in pairs if track_id is not None and url}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _clips(source: Source) -> tuple[dict[int, tuple[str, Member]], str]:
    """Return every clip by track id, and the largest subset that the source holds.

    A clip is its path from `fma_...` on and the member. Of several with one id the first counts,
    and one that is cut to 30 seconds before the whole track of fma_full.
    """
    clips: dict[int, tuple[str, Member]] = {}
    largest = -1
    for path, member in source.members.items():
        if found := _CLIP.fullmatch(path):
            largest = max(largest, _SUBSETS.index(found[2]))
            track_id = int(found[3])
            if track_id not in clips or (
                clips[track_id][0].startswith("fma_full/") and found[2] != "full"
            ):
                clips[track_id] = (found[1], member)
    return clips, _SUBSETS[largest] if largest >= 0 else _USUAL


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
    if record.duplicate:
        return row | {"reason": Reason.DUPLICATE_ID}
    member = fma.clip(record.file_name)
    if member is None:
        gone = Reason.UNSAFE_PATH if fma.is_unsafe(record.file_name) else Reason.AUDIO_MISSING
        return row | {"reason": gone}
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
