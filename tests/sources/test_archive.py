"""Archives: hostile members, damage, limits, and archives that cannot be read in place."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.sources.archive import (
    MemberError,
    MemberTooLargeError,
    cached_source,
    open_source,
)

HOSTILE = ("../outside.txt", "/etc/passwd", "a/../../b.txt", "C:/windows.txt", "a\\..\\b.txt")


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name
            archive.writestr(info, content)
    return path


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("make", [_zip, _tar])
def test_members_that_escape_are_refused_and_the_others_read(tmp_path: Path, make: object) -> None:
    members = dict.fromkeys(HOSTILE, b"bad") | {"good/a.txt": b"fine"}
    path = make(tmp_path / f"x.{make.__name__[1:]}", members)  # type: ignore[operator, attr-defined]
    source = open_source(path)
    assert list(source.members) == ["good/a.txt"]
    assert len(source.refused) == len(HOSTILE)
    assert all(refusal.reason.startswith("unsafe path") for refusal in source.refused)
    member = source.find("a.txt")
    assert member
    assert source.read(member, 100) == b"fine"


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"member-{kind!r}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert not open_source(path).members
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as packed:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    assert not open_source(path).members
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out.txt").symlink_to("/etc/passwd")
    (folder / "own.txt").write_text("own")
    (folder / "in.txt").symlink_to(folder / "own.txt")
    source = open_source(folder)
    assert set(source.members) == {"own.txt", "in.txt"}
    assert [refusal.path for refusal in source.refused] == ["out.txt"]


def test_of_two_members_with_one_name_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "second")
    source = open_source(path)
    assert source.read(source.members["a.txt"], 100) == b"first"
    assert [refusal.reason for refusal in source.refused] == [
        "another member before it has the same path"
    ]


def test_a_member_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(5_000_000))
    source = open_source(path)
    with pytest.raises(MemberTooLargeError):
        source.read(source.members["bomb"], 1_000_000)


def test_a_header_that_lies_about_the_size_does_not_help(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(5_000_000))
    data = path.read_bytes().replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    source = open_source(path)
    assert source.members["bomb"].size == 10
    with pytest.raises(MemberError):
        source.read(source.members["bomb"], 1_000_000)


def test_a_wrong_checksum_costs_one_member(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"a.txt": b"hello world", "b.txt": b"fine"})
    path.write_bytes(path.read_bytes().replace(b"hello", b"hullo"))
    source = open_source(path)
    with pytest.raises(MemberError, match="CRC"):
        source.read(source.members["a.txt"], 100)
    assert source.read(source.members["b.txt"], 100) == b"fine"


@pytest.mark.parametrize("kept", [0, 10, 100])
def test_a_cut_zip_is_named(tmp_path: Path, kept: int) -> None:
    path = _zip(tmp_path / "x.zip", {"a.txt": bytes(500)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtsoundError, match=r"x\.zip"):
        open_source(path)


def test_a_cut_tar_is_named_or_costs_its_last_member(tmp_path: Path) -> None:
    path = _tar(tmp_path / "x.tar", {"a.bin": bytes(2000), "b.bin": b"x" * 5000})
    path.write_bytes(path.read_bytes()[:4200])
    source = open_source(path)
    with pytest.raises((ArtsoundError, MemberError)):
        source.read(source.members["b.bin"], 10_000)


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_a_compressed_tar_is_refused_with_the_remedy(tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"x.tar.{mode}"
    with tarfile.open(path, f"w:{mode}"):  # type: ignore[call-overload]
        pass
    with pytest.raises(UsageError, match="cannot be read in place: unpack it, or pack"):
        open_source(path)
    with pytest.raises(UsageError, match="cannot be read in place"):
        open_source(tmp_path)


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UsageError, match="neither a zip, a tar nor a folder"):
        open_source(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match="no such file"):
        open_source(tmp_path / "nothing")


def test_a_file_is_found_by_whole_components(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"top/mapping/a.csv": b"1", "top/othermapping/a.csv": b"2"})
    source = open_source(path)
    found = source.find("mapping/a.csv")
    assert found
    assert found.path == "top/mapping/a.csv"
    assert source.find("apping/a.csv") is None
    with pytest.raises(ArtsoundError, match="more than once"):
        source.find("a.csv")


def test_the_fingerprint_is_of_the_listing(tmp_path: Path) -> None:
    first = _zip(tmp_path / "x.zip", {"a": b"1", "b": b"2"})
    before = open_source(first).fingerprint()
    assert open_source(first).fingerprint() == before
    (tmp_path / "other").mkdir()
    assert (
        open_source(_zip(tmp_path / "other/x.zip", {"a": b"1", "b": b"2"})).fingerprint() == before
    )
    assert open_source(_zip(first, {"a": b"1", "b": b"3"})).fingerprint() != before


def test_a_changed_archive_is_opened_anew(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"a": b"1"})
    first = cached_source(path)
    assert cached_source(path) is first
    _zip(path, {"a": b"1", "b": b"2"})
    os.utime(path, ns=(1, 1))
    assert set(cached_source(path).members) == {"a", "b"}


def test_a_tar_is_read_at_random(tmp_path: Path) -> None:
    members = {f"{number}.bin": os.urandom(number * 100) for number in range(30)}
    source = open_source(_tar(tmp_path / "x.tar", members))
    for name in sorted(members, key=lambda name: name[::-1]):
        assert source.read(source.members[name], 10_000) == members[name]
