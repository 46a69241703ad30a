"""What archives of the wild are like: links, junk, old names, damage in the middle, passwords."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from loguru import logger

from artsound.errors import ArtsoundError, UsageError
from artsound.sources.archive import MemberError, open_source
from tests.sources.helpers import write_zip


def _tar(path: Path, names: list[str], size: int = 700) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(b"x" * size))
    return path


def test_what_desktops_leave_behind_is_no_member(tmp_path: Path) -> None:
    names = ["a/b.txt", "__MACOSX/a/._b.txt", "a/._c.txt", "a/.DS_Store", "Thumbs.db"]
    source = open_source(write_zip(tmp_path / "x.zip", [(name, b"1") for name in names]))
    assert list(source.members) == ["a/b.txt"]
    assert not source.refused


def test_dots_in_paths_are_no_folders(tmp_path: Path) -> None:
    source = open_source(_tar(tmp_path / "x.tar", ["./a/./b.txt", "./c.txt"]))
    assert list(source.members) == ["a/b.txt", "c.txt"]


def test_a_utf8_name_without_the_flag_is_read_as_utf8(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", [("père.jpg", b"1")])
    content = path.read_bytes()
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature) + offset
        content = content[:at] + b"\0\0" + content[at + 2 :]
    path.write_bytes(content)
    source = open_source(path)
    assert list(source.members) == ["père.jpg"]
    assert source.read(source.members["père.jpg"], 10) == b"1"


def test_a_hostile_member_is_told_of_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", [("../../evil.txt", b"1"), ("good.txt", b"2")])
    heard: list[str] = []
    handler = logger.add(heard.append, format="{message}", level="WARNING")
    try:
        assert list(open_source(path).members) == ["good.txt"]
    finally:
        logger.remove(handler)
    assert heard == [
        "../../evil.txt in x.zip/x.zip is never read: unsafe path: leads out of its folder\n"
    ]


@pytest.mark.parametrize("where", ["header", "end"])
def test_a_tar_damaged_in_the_middle_is_named(tmp_path: Path, where: str) -> None:
    path = _tar(tmp_path / "x.tar", ["a", "b", "c"])
    content = bytearray(path.read_bytes())
    if where == "header":
        content[1536:1600] = b"\xff" * 64  # of b: the standard library would end the list there
    else:
        content = content[: 3 * 1536]  # all members, but no end marker
    path.write_bytes(content)
    with pytest.raises(ArtsoundError, match=r"x\.tar is damaged"):
        _ = open_source(path).members


@pytest.mark.parametrize("kept", range(1, 4 * 1536, 379))
def test_a_tar_cut_anywhere_is_named(tmp_path: Path, kept: int) -> None:
    path = _tar(tmp_path / "x.tar", ["a", "b", "c", "d"])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtsoundError, match=r"x\.tar"):
        _ = open_source(path).members


@pytest.mark.parametrize("kept", [1, 30, 300, 2000, -1, -21])
def test_a_zip_cut_anywhere_is_named(tmp_path: Path, kept: int) -> None:
    path = write_zip(tmp_path / "x.zip", [(f"{n}.bin", bytes(500)) for n in range(5)])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtsoundError, match=r"x\.zip is damaged"):
        _ = open_source(path).members


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [(8, b"\x01\x00", "encrypted"), (10, b"\x63\x00", "compression")],
)
def test_a_member_that_cannot_be_decoded_costs_itself(
    tmp_path: Path, field: int, value: bytes, message: str
) -> None:
    path = write_zip(tmp_path / "x.zip", [("a.txt", b"hello"), ("b.txt", b"fine")])
    content = bytearray(path.read_bytes())
    local, central = content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02")
    content[central + field : central + field + 2] = value
    content[local + field - 2 : local + field] = value
    path.write_bytes(content)
    source = open_source(path)
    with pytest.raises(MemberError, match=message):
        source.read(source.members["a.txt"], 100)
    assert source.read(source.members["b.txt"], 100) == b"fine"


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", [("a.txt", b"1")]).read_bytes()
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("inner.zip")
        info.size = len(inner)
        archive.addfile(info, io.BytesIO(inner))
    assert list(open_source(tmp_path / "x.tar").members) == ["inner.zip"]


def test_a_compressed_tar_in_a_folder_is_refused_whatever_is_beside_it(tmp_path: Path) -> None:
    write_zip(tmp_path / "fma_metadata.zip", [("a.txt", b"1")])
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/fma_large.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(UsageError, match=r"fma_large\.tar\.gz is compressed as a whole"):
        open_source(tmp_path)


def test_links_to_archives_are_followed_at_the_top_only(tmp_path: Path) -> None:
    elsewhere = write_zip(tmp_path / "elsewhere.zip", [("a.txt", b"1")])
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/link.zip").symlink_to(elsewhere)
    (folder / "deep/out").symlink_to(tmp_path)
    source = open_source(folder)
    assert not source.members
    assert [refusal.path for refusal in source.refused] == ["deep/link.zip", "deep/out"]
    (folder / "link.zip").symlink_to(elsewhere)
    assert list(open_source(folder).members) == ["a.txt"]


def test_the_first_of_equal_paths_counts_over_archives_too(tmp_path: Path) -> None:
    write_zip(tmp_path / "1.zip", [("a.txt", b"first")])
    write_zip(tmp_path / "2.zip", [("a.txt", b"second")])
    (tmp_path / "a.txt").write_bytes(b"third")
    with open_source(tmp_path) as source:
        assert source.read(source.members["a.txt"], 10) == b"first"
        assert [refusal.archive for refusal in source.refused] == ["2.zip", ""]
        assert source.members["a.txt"].holder == 0


def test_many_members_are_listed_and_found_quickly(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5000):
            archive.writestr(
                zipfile.ZipInfo(f"fma_large/{number // 1000:03}/{number:06}.mp3"), b"x"
            )
    source = open_source(path)
    for number in range(5000):
        member = source.find(f"{number:06}.mp3")
        assert member
        assert source.read(member, 10) == b"x"
