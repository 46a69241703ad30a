"""The members of a source: what is known of one, and which paths are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from artsound.schema import Reason

_JUNK: Final = frozenset((".DS_Store", "Thumbs.db", "desktop.ini"))


class MemberError(Exception):
    """One member cannot be read; the source's others may be."""


class MemberTooLargeError(MemberError):
    """A member is larger than the limit, whatever its header says."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a source.

    Attributes:
        path: within its archive or folder, with `/`.
        size: in bytes, as the archive's directory says.
        crc: CRC-32 where the archive has one.
        holder: position of its archive or folder in the source.
        offset: where the archive has it: the entry's number in a zip, the byte in a tar.
    """

    path: str
    size: int
    crc: int | None = None
    holder: int = 0
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A member that is never read, and why.

    Attributes:
        archive: the archive's name; empty for a folder.
        path: the member's path as written.
        reason: `unsafe path: ...`, or that another member has the same path.
    """

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


def plain(path: str) -> str:
    """Return a member's path without empty and `.` components."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def is_junk(path: str) -> bool:
    """Say whether a file is what desktops leave behind."""
    parts = path.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in _JUNK


def unsafe(path: str) -> str | None:
    """Return why a member's path could lead out of its folder, or None if it cannot."""
    if "\0" in path or "\\" in path:
        return f"{Reason.UNSAFE_PATH}: has a backslash or a null"
    if path.startswith("/") or path[1:2] == ":":
        return f"{Reason.UNSAFE_PATH}: is absolute"
    if ".." in path.split("/"):
        return f"{Reason.UNSAFE_PATH}: leads out of its folder"
    return None


def unsafe_kind(is_file: bool) -> str | None:
    """Return why a member that is not a plain file is refused, or None if it is one."""
    return None if is_file else f"{Reason.UNSAFE_PATH}: is a link or a device"
