"""What a source is made of: a folder, a zip or a tar, listed once and read in place.

Each lists its readable members in a fixed order. What could lead a reader astray (absolute paths,
`..`, backslashes, links, devices) is refused: it is listed with the reason, and never read.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason
from artsound.sources.members import (
    Holder,
    Member,
    MemberError,
    Refusal,
    is_junk,
    plain,
    unsafe,
    unsafe_kind,
)

ARCHIVES: Final = (".zip", ".tar")
COMPRESSED: Final = (
    ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".7z", ".rar",
)  # fmt: skip
_COMPRESSED_MAGIC: Final = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc",
    b"Rar!",
)
_ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_BLOCK: Final = 512


class Folder:
    """A folder's files. Archives in it are not members but holders of their own.

    Args:
        root: the folder. Links in it that point out of it are refused, except archives directly in
            it: those are how one lets a folder have archives that lie elsewhere.
    """

    name = ""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @cached_property
    def _files(self) -> tuple[list[tuple[str, int]], list[Refusal]]:
        """Paths and sizes of all files, in order of path, and what is refused."""
        files: list[tuple[str, int]] = []
        refused: list[Refusal] = []
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    path = f"{folder}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    elif entry.is_symlink() and not (
                        self._inside(path) or (not folder and path.lower().endswith(ARCHIVES))
                    ):
                        why = f"{Reason.UNSAFE_PATH}: links outside its folder"
                        refused.append(Refusal(self.name, path, why))
                    elif entry.is_file():
                        files.append((path, entry.stat().st_size))
                    elif not entry.is_symlink():
                        why = f"{Reason.UNSAFE_PATH}: is a device"
                        refused.append(Refusal(self.name, path, why))
        files.sort()
        refused.sort(key=lambda refusal: refusal.path)
        return files, refused

    def _inside(self, path: str) -> bool:
        return (self.root / path).resolve().is_relative_to(self.root)

    def archives(self) -> list[str]:
        """Return the paths of the archives in the folder.

        Raises:
            UsageError: one is compressed as a whole, so that it cannot be read in place.
        """
        names = [path for path, _ in self._files[0] if not is_junk(path)]
        for path in names:
            if path.lower().endswith(COMPRESSED):
                raise _cannot_seek(self.root / path)
        return [path for path in names if path.lower().endswith(ARCHIVES)]

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        """Yield the files that are not archives."""
        files, unsafe = self._files
        refused.extend(unsafe)
        for path, size in files:
            if not path.lower().endswith(ARCHIVES) and not is_junk(path):
                yield Member(path, size)

    def open(self, member: Member) -> BinaryIO:
        """Open a file."""
        return (self.root / member.path).open("rb")

    def close(self) -> None:
        """Do nothing: no file stays open."""


class Zip:
    """A zip, by its central directory.

    Args:
        path: the file.
        name: what to call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise _broken(path, error) from error
        self._infos = self._zip.infolist()

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        """Yield the members in the directory's order."""
        for number, info in enumerate(self._infos):
            # `filename` is cut at a null and has its separators changed; `orig_filename` is not.
            written = _as_utf8(info.orig_filename, info.flag_bits)
            if written.endswith("/") or is_junk(written):
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            why = unsafe(written) or unsafe_kind(kind in (0, stat.S_IFREG))
            if why:
                refused.append(Refusal(self.name, written, why))
            else:
                yield Member(plain(written), info.file_size, info.CRC, offset=number)

    def open(self, member: Member) -> BinaryIO:
        """Open a member by its entry: of two with one name the first is the one listed."""
        return cast(BinaryIO, self._zip.open(self._infos[member.offset]))

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class Tar:
    """An uncompressed tar; listing it reads every header, since a tar has no directory.

    Args:
        path: the file.
        name: what to call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.path = path
        self._stream = path.open("rb")
        self._lock = threading.Lock()

    def entries(self, refused: list[Refusal]) -> Iterator[Member]:
        """Yield the members in the archive's order.

        Raises:
            ArtsoundError: the archive is damaged, or ends before its end marker.
        """
        try:
            with tarfile.open(self.path, "r:") as tar:
                for info in tar:
                    if info.isdir() or is_junk(info.name):
                        continue
                    usable = info.isreg() and not info.issparse()
                    why = unsafe(info.name) or unsafe_kind(usable)
                    if why:
                        refused.append(Refusal(self.name, info.name, why))
                    else:
                        yield Member(plain(info.name), info.size, offset=info.offset_data)
                end = tar.offset
        except (tarfile.TarError, OSError, ValueError) as error:
            raise _broken(self.path, error) from error
        # The module takes a damaged header in the middle for the end; the end is a block of zeros.
        if self.read_at(end, _TAR_BLOCK) != bytes(_TAR_BLOCK):
            raise _broken(self.path, f"no end marker at byte {end}")

    def read_at(self, offset: int, size: int) -> bytes:
        """Return the bytes at a place in the file; fewer where the file ends."""
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(size)

    def open(self, member: Member) -> BinaryIO:
        """Open a member: the stretch of the archive that holds it."""
        return cast(BinaryIO, io.BufferedReader(_Stretch(self, member), 1 << 16))

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class _Stretch(io.RawIOBase):
    """A member of a tar as a raw stream."""

    def __init__(self, tar: Tar, member: Member) -> None:
        super().__init__()
        self._tar, self._at, self._end = tar, member.offset, member.offset + member.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._end - self._at)
        data = self._tar.read_at(self._at, wanted)
        if len(data) < wanted:
            raise MemberError("the archive ends in the middle of it")
        buffer[:wanted] = data
        self._at += wanted
        return wanted


def open_archive(path: Path, name: str) -> Holder:
    """Open a zip or a tar, told apart by content.

    Args:
        path: the file.
        name: what to call it.

    Raises:
        UsageError: it is neither, or compressed as a whole.
        ArtsoundError: it is damaged, or cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_TAR_BLOCK)
    except OSError as error:
        raise ArtsoundError(f"{path} cannot be opened: {error.strerror}") from error
    if head.startswith(_COMPRESSED_MAGIC) or path.name.lower().endswith(COMPRESSED):
        raise _cannot_seek(path)
    if head[257:262] == b"ustar":
        return Tar(path, name)
    if head.startswith(_ZIP_MAGIC) or zipfile.is_zipfile(path):
        return Zip(path, name)
    if path.suffix.lower() in ARCHIVES:
        if path.suffix.lower() == ".tar" and tarfile.is_tarfile(path):
            return Tar(path, name)  # of the time before `ustar`
        raise _broken(path, f"not a {path.suffix[1:]} file, or cut short")
    raise UsageError(f"{path} is neither a zip, a tar nor a folder")


def _cannot_seek(path: Path) -> UsageError:
    return UsageError(
        f"{path} is compressed as a whole, so it cannot be read in place: unpack it, or pack it"
        " again as a zip or a plain tar"
    )


def _broken(path: Path, error: object) -> ArtsoundError:
    return ArtsoundError(f"{path} is damaged ({error}): download it again and check its checksum")


def _as_utf8(name: str, flags: int) -> str:
    """Undo the reading as code page 437 of a UTF-8 name that does not say that it is one."""
    if flags & 0x800 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name
