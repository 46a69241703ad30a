"""Source collections where they are: a folder, a zip, a tar, or a folder that holds archives.

One interface over all of them. Archives are read in place, member by member, and never unpacked.
Members that would escape their folder (absolute paths, `..`, links) are refused: they are listed,
never read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol, cast

from loguru import logger

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason

_CHUNK: Final = 1 << 20
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstandard"}
_ARCHIVES: Final = (".zip", ".tar")
_DENIED: Final = (
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".txz",
    ".tar.zst",
    ".7z",
    ".rar",
)


class MemberError(Exception):
    """One member cannot be read; the archive's others may be."""


class MemberTooLargeError(MemberError):
    """A member is larger than the limit, whatever its header says."""


@dataclass(frozen=True)
class Member:
    """A file in a source.

    Attributes:
        path: within its archive or folder, with `/`.
        size: in bytes, as the directory of the archive says.
        crc: CRC-32 where the archive has one.
        holder: position of its archive in the source.
        offset: where its bytes begin, for archives that store them plainly.
    """

    path: str
    size: int
    crc: int | None = None
    holder: int = 0
    offset: int = -1


@dataclass(frozen=True)
class Refusal:
    """A member that is never read, and why."""

    archive: str
    path: str
    reason: str


class Holder(Protocol):
    """An archive or a folder."""

    name: str

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        """Yield the readable members in a fixed order, noting those that are refused."""
        ...

    def open(self, member: Member) -> BinaryIO:
        """Open a member for reading."""
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = ""

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        inside = self.root.resolve()
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                relative = path.relative_to(self.root).as_posix()
                if name.lower().endswith(_ARCHIVES + _DENIED) or _is_junk(relative):
                    continue
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    refused.append(Refusal(self.name, relative, "links outside its folder"))
                elif path.is_file():
                    yield Member(relative, path.stat().st_size)

    def open(self, member: Member) -> BinaryIO:
        return (self.root / member.path).open("rb")

    def close(self) -> None:
        return


class _Zip:
    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise _broken(path, error) from error

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        for number, info in enumerate(self._zip.infolist()):
            if info.is_dir() or _is_junk(info.filename):
                continue
            # `filename` has its separators normalised; what was written is what is judged.
            why = _unsafe(info.orig_filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                why = "is a link"
            if why:
                refused.append(Refusal(self.name, info.orig_filename, why))
            else:
                yield Member(info.filename, info.file_size, info.CRC, offset=number)

    def open(self, member: Member) -> BinaryIO:
        # By entry, not by name: of two members with one name, the first is the one listed.
        return cast(BinaryIO, self._zip.open(self._zip.infolist()[member.offset]))

    def close(self) -> None:
        self._zip.close()


class _Tar:
    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.path = path
        self._stream = path.open("rb")

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        try:
            with tarfile.open(self.path, "r:") as tar:
                for info in tar:
                    if info.isdir() or _is_junk(info.name):
                        continue
                    why = _unsafe(info.name) or (None if info.isreg() else "is a link or a device")
                    if info.issparse():
                        why = "is a sparse file"
                    if why:
                        refused.append(Refusal(self.name, info.name, why))
                    else:
                        yield Member(
                            info.name.removeprefix("./"), info.size, offset=info.offset_data
                        )
        except tarfile.TarError as error:
            raise _broken(self.path, error) from error

    def open(self, member: Member) -> BinaryIO:
        return cast(BinaryIO, _Slice(self._stream, member.offset, member.size))

    def close(self) -> None:
        self._stream.close()


class _Slice:
    """A stretch of an open file, as a readable stream."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream, self._at, self._end = stream, start, start + size
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        left = self._end - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        self._stream.seek(self._at)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise MemberError("the archive ends in the middle of it")
        self._at += len(data)
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> _Slice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Source:
    """A source collection, opened; `open_source` makes one.

    Attributes:
        path: what was opened.
        refused: members that are never read, and why.
    """

    def __init__(self, path: Path, holders: list[Holder]) -> None:
        self.path = path
        self.holders = holders
        self.refused: list[Refusal] = []

    @cached_property
    def members(self) -> dict[str, Member]:
        """Every readable member by its path; of equal paths the first counts."""
        found: dict[str, Member] = {}
        for number, holder in enumerate(self.holders):
            for member in holder.entries(self.refused):
                if member.path in found:
                    self.refused.append(Refusal(holder.name, member.path, "a second file there"))
                    continue
                found[member.path] = Member(
                    member.path, member.size, member.crc, number, member.offset
                )
        for refusal in self.refused[:20]:
            logger.warning("refused {} in {}: {}", refusal.path, self.path.name, refusal.reason)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for path in self.members:
            names.setdefault(path.rpartition("/")[2], []).append(path)
        return names

    def find(self, suffix: str) -> Member | None:
        """Return the member whose path ends in these whole components, or None.

        Args:
            suffix: such as `mapping/artwork_entidx2name.csv`, whatever folders are above.

        Raises:
            ArtsoundError: more than one member does, and none of them is at the top.
        """
        if suffix in self.members:
            return self.members[suffix]
        candidates = self._by_name.get(suffix.rpartition("/")[2], [])
        found = [path for path in candidates if f"/{path}".endswith(f"/{suffix}")]
        if len(found) > 1:
            raise ArtsoundError(
                f"{self.path} has {suffix} more than once ({found[0]}, {found[1]}): give the"
                " folder or archive that is meant"
            )
        return self.members[found[0]] if found else None

    def open(self, member: Member) -> BinaryIO:
        """Open a member as a stream of bytes; a stream is read by one reader at a time.

        Raises:
            MemberError: it cannot be opened.
        """
        try:
            return self.holders[member.holder].open(member)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise MemberError(str(error)) from error

    def read(self, member: Member, limit: int) -> bytes:
        """Return a member's bytes.

        Args:
            member: which.
            limit: the most bytes to take; the header's word on the size is not trusted.

        Raises:
            MemberTooLargeError: it has more bytes than the limit.
            MemberError: it cannot be read, or its checksum is wrong.
        """
        if member.size > limit:
            raise MemberTooLargeError(f"{member.size} bytes, the limit is {limit}")
        chunks, total = [], 0
        try:
            with self.open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    total += len(chunk)
                    if total > limit:
                        raise MemberTooLargeError(f"more than {limit} bytes")
                    chunks.append(chunk)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError) as error:
            raise MemberError(str(error) or type(error).__name__) from error
        return b"".join(chunks)

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self.members):
            member = self.members[path]
            holder = self.holders[member.holder].name
            line = f"{holder}\0{path}\0{member.size}\0{member.crc}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """Return a checksum of the listing: archive names, paths, sizes and CRCs; no content."""
        return self._fingerprint

    def close(self) -> None:
        """Close the archives."""
        for holder in self.holders:
            holder.close()


def open_source(path: Path) -> Source:
    """Open a collection.

    Args:
        path: a zip, an uncompressed tar, or a folder that holds such archives, unpacked trees, or
            both.

    Raises:
        UsageError: there is nothing, or a kind of archive that cannot be read in place.
        ArtsoundError: an archive is damaged.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.is_file():
        return Source(path, [_archive(path, path.name)])
    inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in _ARCHIVES and p.is_file())
    denied = sorted(p for p in path.iterdir() if p.name.lower().endswith(_DENIED))
    if denied and not inside:
        raise _compressed(denied[0])
    archives: list[Holder] = [_archive(p, p.relative_to(path).as_posix()) for p in inside]
    return Source(path, [*archives, _Folder(path)])


@lru_cache(maxsize=16)
def _cached(path: Path, signature: tuple[tuple[str, int, int], ...]) -> Source:
    return open_source(path)


def cached_source(path: Path) -> Source:
    """Return the source at a path, opened once a process for as long as it does not change."""
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    tops = [path, *(sorted(path.iterdir()) if path.is_dir() else [])]
    stats = ((top, top.stat()) for top in tops if top.exists())
    return _cached(path, tuple((top.name, st.st_size, st.st_mtime_ns) for top, st in stats))


def _archive(path: Path, name: str) -> Holder:
    with path.open("rb") as stream:
        magic = stream.read(2)
    if zipfile.is_zipfile(path):
        return _Zip(path, name)
    if magic in _COMPRESSED or path.name.lower().endswith(_DENIED):
        raise _compressed(path)
    if path.suffix.lower() == ".zip":
        raise _broken(path, "not a zip file, or cut short")
    if not tarfile.is_tarfile(path):
        raise UsageError(f"{path} is neither a zip, a tar nor a folder")
    return _Tar(path, name)


def _compressed(path: Path) -> UsageError:
    return UsageError(f"{path} cannot be read in place: give a zip or a tar without compression")


def _broken(path: Path, error: object) -> ArtsoundError:
    return ArtsoundError(f"{path} is damaged ({error}): download it again and check its checksum")


def _is_junk(path: str) -> bool:
    return path.startswith("__MACOSX/") or PurePosixPath(path).name.startswith("._")


def _unsafe(path: str) -> str | None:
    if "\0" in path or "\\" in path:
        return f"{Reason.UNSAFE_PATH}: has a backslash or a null"
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return f"{Reason.UNSAFE_PATH}: is absolute"
    if ".." in path.split("/"):
        return f"{Reason.UNSAFE_PATH}: leads out of its folder"
    return None
