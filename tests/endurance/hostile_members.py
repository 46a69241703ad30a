"""Archives and folders whose members' names and kinds are hostile, in three forms."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.endurance.archives import mapping
from tests.sources.helpers import picture, saved

Form = Literal["zip", "tar", "folder"]
FORMS: Final[tuple[Form, ...]] = ("zip", "tar", "folder")
What = Literal["file", "symlink", "hard link", "device", "pipe"]
_NOT_UTF8: Final = "caf\udcff_{}.jpg"  # the byte ff where the form has bytes
_AIM: Final = "../../etc/passwd"


@dataclass(frozen=True)
class Entry:
    """A member.

    Attributes:
        kind: what is wrong with it, for people.
        path: where it stands.
        data: its bytes, if it is a file.
        what: what it is.
        listed: its name in the list of artworks; None where it is not listed (again).
    """

    kind: str
    path: str
    data: bytes
    what: What = "file"
    listed: str | None = None


def entries(form: Form) -> Iterator[Entry]:
    """Yield the members with hostile paths that a form can have."""
    good = saved(picture(), "JPEG")
    deep = "/".join(["deep"] * (100 if form == "folder" else 2000))
    long = "long" * (50 if form == "folder" else 2000)
    packed: list[tuple[str, str, What]] = [
        ("member with ..", "../imagesf2/up_{}.jpg", "file"),
        ("member with ..", "imagesf2/../../imagesf2/up_{}.jpg", "file"),
        ("absolute member", "/imagesf2/absolute_{}.jpg", "file"),
        ("absolute member", "C:/imagesf2/drive_{}.jpg", "file"),
        ("device member", "imagesf2/device_{}.jpg", "device"),
    ]
    if form == "tar":
        packed.append(("hard link member", "imagesf2/hard_{}.jpg", "hard link"))
    every: list[tuple[str, str, What]] = [
        ("symlink member", "imagesf2/link_{}.jpg", "symlink"),
        ("pipe member", "imagesf2/pipe_{}.jpg", "pipe"),
        ("deep member", f"{deep}/imagesf2/deep_{{}}.jpg", "file"),
        ("long name", f"imagesf2/{long}_{{}}.jpg", "file"),
        ("odd name", "imagesf2/\u202egpj.odd_{}.jpg", "file"),
        ("odd name", "imagesf2/line\nbreak_{}.jpg", "file"),
        ("odd name", 'imagesf2/quote"comma,_{}.jpg', "file"),
    ]
    for number, (kind, path, what) in enumerate((packed if form != "folder" else []) + every):
        placed = path.format(number)
        yield Entry(kind, placed, good, what, placed.rpartition("/")[2])
    # No list in UTF-8 can say this name as it is.
    listed = _NOT_UTF8.format(0).replace("\udcff", "\ufffd")
    yield Entry("name not in UTF-8", f"imagesf2/{_NOT_UTF8.format(0)}", good, "file", listed)
    yield Entry("listed twice", "imagesf2/twice_0.jpg", good, "file", "twice_0.jpg")
    yield Entry("listed twice", "", b"", "file", "twice_0.jpg")
    if form != "folder":  # the first of two members with one path counts
        yield Entry("duplicate member", "imagesf2/double_0.jpg", good, "file", "double_0.jpg")
        yield Entry("duplicate member", "imagesf2/double_0.jpg", b"not the first")
    yield Entry("listed and not there", "", b"", "file", "gone_x-1900.jpg")
    yield Entry("listed under a path", "", b"", "file", _AIM)


def write(folder: Path, form: Form, found: Sequence[Entry]) -> Path:
    """Write members and the list of artworks, and return the archive or the folder."""
    named = mapping(entry.listed for entry in found if entry.listed is not None)
    members = [
        *(entry for entry in found if entry.path),
        *(Entry("", path, text.encode("utf-8")) for path, text in named.items()),
    ]
    out = folder / ("artgraph" if form == "folder" else f"artgraph.{form}")
    {"zip": _write_zip, "tar": _write_tar, "folder": _write_folder}[form](out, members)
    return out


def _write_zip(out: Path, members: Iterable[Entry]) -> None:
    modes = {"symlink": stat.S_IFLNK, "device": stat.S_IFCHR, "pipe": stat.S_IFIFO}
    mark = "caf-"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for entry in members:
            # The standard library writes no such byte; the place is kept and filled below.
            info = zipfile.ZipInfo(entry.path.replace("caf\udcff", mark))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes.get(entry.what, 0) | 0o777) << 16
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of a duplicate name
                archive.writestr(info, entry.data if entry.what == "file" else _AIM.encode())
    data = out.read_bytes()
    name = f"imagesf2/{_NOT_UTF8.format(0)}".replace("caf\udcff", mark).encode()
    out.write_bytes(data.replace(name, name.replace(mark.encode(), b"caf\xff")))


def _write_tar(out: Path, members: Iterable[Entry]) -> None:
    kinds = {
        "symlink": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE,
        "pipe": tarfile.FIFOTYPE,
    }  # fmt: skip
    with tarfile.open(out, "w") as archive:
        for entry in members:
            info = tarfile.TarInfo(entry.path)
            if entry.what == "file":
                info.size = len(entry.data)
                archive.addfile(info, io.BytesIO(entry.data))
                continue
            info.type = kinds[entry.what]
            info.linkname = _AIM if entry.what in ("symlink", "hard link") else ""
            archive.addfile(info)


def _write_folder(out: Path, members: Iterable[Entry]) -> None:
    (out / "imagesf2").mkdir(parents=True)
    (out / "imagesf2" / "loop").symlink_to("..")
    for entry in members:
        path = out / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.what == "file":
            path.write_bytes(entry.data)
        elif entry.what == "symlink":
            path.symlink_to("/etc/passwd")
        else:
            os.mkfifo(path)
