"""Source collections where they are: a folder, a zip, a tar, or a folder that holds archives.

One interface over all of them. Archives are read in place, member by member, and never unpacked:
a member is found by a look-up and read by a seek.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import zipfile
import zlib
from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from artsound.errors import ArtsoundError, UsageError
from artsound.logs import logger
from artsound.schema import Reason
from artsound.sources.holders import Folder, open_archive
from artsound.sources.members import Holder, Member, MemberError, MemberTooLargeError, Refusal

__all__ = [
    "Member",
    "MemberError",
    "MemberTooLargeError",
    "Refusal",
    "Source",
    "cached_source",
    "open_source",
]

_CHUNK: Final = 1 << 20
_WARNINGS: Final = 20
# What the standard library raises for a damaged, encrypted or unsupported member.
_UNREADABLE: Final = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


class Source:
    """A source collection, opened; `open_source` makes one.

    Attributes:
        path: what was opened.
        holders: its archives and folders, in order.
    """

    def __init__(self, path: Path, holders: list[Holder]) -> None:
        self.path = path
        self.holders = holders

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _listing(self) -> tuple[dict[str, Member], list[Refusal]]:
        found: dict[str, Member] = {}
        refused: list[Refusal] = []
        for number, holder in enumerate(self.holders):
            for member in holder.entries(refused):
                if member.path in found:
                    why = "another member before it has the same path"
                    refused.append(Refusal(holder.name, member.path, why))
                    continue
                found[member.path] = Member(
                    member.path, member.size, member.crc, number, member.offset
                )
        hostile = [refusal for refusal in refused if refusal.reason.startswith(Reason.UNSAFE_PATH)]
        for refusal in hostile[:_WARNINGS]:
            where = "/".join(filter(None, (self.path.name, refusal.archive)))
            logger.warning("{} in {} is never read: {}", refusal.path, where, refusal.reason)
        if len(hostile) > _WARNINGS:
            logger.warning("{}: {} more like these", self.path, len(hostile) - _WARNINGS)
        return found, refused

    @property
    def members(self) -> dict[str, Member]:
        """Every readable member by its path; of equal paths the first counts.

        Raises:
            ArtsoundError: an archive is damaged.
        """
        return self._listing[0]

    @property
    def refused(self) -> list[Refusal]:
        """The members that are never read, and why."""
        return self._listing[1]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for path in self.members:
            names.setdefault(path.rpartition("/")[2], []).append(path)
        return names

    def find_all(self, suffix: str) -> list[Member]:
        """Return the members whose paths end in these whole components, in order of path."""
        candidates = self._by_name.get(suffix.rpartition("/")[2], [])
        return [self.members[p] for p in sorted(candidates) if f"/{p}".endswith(f"/{suffix}")]

    def find(self, suffix: str) -> Member | None:
        """Return the member whose path ends in these whole components, or None.

        Args:
            suffix: such as `mapping/artwork_entidx2name.csv`, whatever folders are above.

        Raises:
            ArtsoundError: more than one member does, and none of them is at the top.
        """
        if suffix in self.members:
            return self.members[suffix]
        found = self.find_all(suffix)
        if len(found) > 1:
            raise ArtsoundError(
                f"{self.path} has {suffix} more than once ({found[0].path}, {found[1].path}): give"
                " the folder or archive that is meant"
            )
        return found[0] if found else None

    def open(self, member: Member) -> BinaryIO:
        """Open a member as a stream of bytes; what goes wrong while reading it is not translated.

        Raises:
            MemberError: it cannot be opened.
        """
        try:
            return self.holders[member.holder].open(member)
        except _UNREADABLE as error:
            raise MemberError(_message(error)) from error

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
        with self.open(member) as stream:
            try:
                while chunk := stream.read(_CHUNK):
                    total += len(chunk)
                    if total > limit:
                        raise MemberTooLargeError(f"more than {limit} bytes")
                    chunks.append(chunk)
            except _UNREADABLE as error:
                raise MemberError(_message(error)) from error
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
            both. Of members with one path the first counts: archives in order of name, then files.

    Raises:
        UsageError: there is nothing, or a kind of archive that cannot be read in place.
        ArtsoundError: an archive is damaged.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.is_file():
        return Source(path, [open_archive(path, path.name)])
    folder = Folder(path)
    try:
        archives = [open_archive(path / name, name) for name in folder.archives()]
    except PermissionError as error:
        raise ArtsoundError(f"{error.filename} cannot be read: grant access to it") from error
    return Source(path, [*archives, folder])


@lru_cache(maxsize=16)
def _cached(path: Path, signature: tuple[tuple[str, int, int], ...], process: int) -> Source:
    return open_source(path)


def cached_source(path: Path) -> Source:
    """Return the source at a path, opened once a process for as long as it does not change.

    A forked process opens its own: it must not share the file positions of its parent.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    tops = [path, *(sorted(path.iterdir()) if path.is_dir() else [])]
    stats = ((top, top.stat()) for top in tops if top.exists())
    signature = tuple((top.name, st.st_size, st.st_mtime_ns) for top, st in stats)
    return _cached(path, signature, os.getpid())


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without the path, which differs between machines
    return " ".join(str(error).split()) or type(error).__name__
