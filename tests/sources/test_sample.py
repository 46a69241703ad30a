"""The embedded sample comes to what FAULTS.csv says, from a zip, a tar and a folder alike."""

from __future__ import annotations

import csv
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from artsound.schema import ARTWORKS, TRACKS, Status
from artsound.sources.archive import open_source
from artsound.sources.artgraph import ArtGraph, artwork_rows
from artsound.sources.fma import FreeMusicArchive, track_rows
from artsound.sources.media import MediaLimits
from artsound.sources.sample import data, write_sample
from tests.sources.helpers import files_of

LIMITS = MediaLimits()
Rows = dict[str, dict[str, Any]]


def _rows(artworks: Path, tracks: Path) -> Rows:
    graph, fma = ArtGraph(open_source(artworks)), FreeMusicArchive(open_source(tracks))
    found = artwork_rows(graph, 0, len(graph), LIMITS) + track_rows(fma, 0, len(fma), LIMITS)
    return {row["file_name"]: row for row in found}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    write_sample(folder)
    return folder


@pytest.fixture(scope="module")
def rows(archives: Path) -> Rows:
    return _rows(archives / "artgraph.zip", archives / "fma")


def test_the_archives_are_the_sample(archives: Path) -> None:
    with zipfile.ZipFile(archives / "artgraph.zip") as archive:
        names = archive.namelist()
        wave = "imagesf2/katsushika-hokusai_the-great-wave-of-kanagawa-1831.jpg"
        assert archive.read(wave) == (data() / "artgraph" / wave).read_bytes()
    assert "mapping/artwork_entidx2name.csv" in names
    assert "SOURCES.csv" in names
    with zipfile.ZipFile(archives / "fma/fma_large.zip") as archive:
        assert "fma_large/200/200001.mp3" in archive.namelist()


def test_writing_again_gives_the_same_bytes(archives: Path, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    assert again.artworks.read_bytes() == (archives / "artgraph.zip").read_bytes()
    assert again.audio.read_bytes() == (archives / "fma/fma_large.zip").read_bytes()


def test_every_fault_comes_to_what_the_table_says(rows: Rows) -> None:
    faults = list(csv.DictReader(io.StringIO((data() / "FAULTS.csv").read_text("utf-8"))))
    assert len(faults) == 9
    for fault in faults:
        name = fault["file"].removeprefix("artgraph/imagesf2/").removeprefix("fma/")
        row = rows[name]
        if fault["expected_handling"] == "excluded":
            assert row["status"] == Status.REJECTED
            assert row["reason"].partition(":")[0] == fault["reason"]
        else:
            assert row["status"] == Status.OK
            assert ", ".join(row["repairs"]) == fault["reason"]
    faulty = {fault["file"].rpartition("/")[2] for fault in faults}
    for name, row in rows.items():
        if name.rpartition("/")[2] not in faulty:
            assert (row["status"], row["reason"]) == (Status.OK, None)


def test_nothing_is_lost_and_columns_are_the_schema(rows: Rows) -> None:
    assert len(rows) == 42 + 34
    for row in rows.values():
        known = ARTWORKS if "artwork_id" in row else TRACKS
        assert set(row) <= set(known.names)


def test_the_catalogue_is_read(rows: Rows) -> None:
    wave = rows["katsushika-hokusai_the-great-wave-of-kanagawa-1831.jpg"]
    assert wave["artwork_id"] == "katsushika-hokusai_the-great-wave-of-kanagawa-1831"
    assert wave["title"] == "The Great Wave of Kanagawa"
    assert wave["artist"] == "Katsushika Hokusai"
    assert wave["year"] == 1831
    assert wave["style"] == "ukiyo-e"
    assert wave["genre"] == "marina"
    assert wave["tags"] == ["sea", "waves", "boats-and-ships", "mountains"]
    assert wave["media"] == ["woodblock print", "paper"]
    assert wave["country"] == "japan"
    assert wave["license"] == "GPL-3.0-or-later"
    symphony = rows["fma_large/200/200001.mp3"]
    assert symphony["title"] == "Peer Gynt Suite No. 1, Op. 46 - I. Morning"
    assert symphony["album"] == "Musopen Kickstarter Project"
    assert symphony["genre_top"] == "Classical"
    assert symphony["genres"] == ["Symphony", "Classical"]
    assert symphony["license"] == "GNU General Public License v2.0 or later"
    assert symphony["license_spdx"] == "GPL-2.0-or-later"
    assert symphony["duration_s"] == pytest.approx(30, abs=0.1)


def test_a_folder_and_a_tar_give_the_same_rows(rows: Rows, archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    for name in ("artgraph.zip", "fma/fma_metadata.zip", "fma/fma_large.zip"):
        target = folder / ("artgraph" if name == "artgraph.zip" else "fma")
        with zipfile.ZipFile(archives / name) as archive:
            archive.extractall(target)
    assert _rows(folder / "artgraph", folder / "fma") == rows
    for name in ("artgraph", "fma"):
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            tar.add(folder / name, arcname=f"./downloads/{name}")
    assert _rows(tmp_path / "artgraph.tar", tmp_path / "fma.tar") == rows


def test_archives_and_unpacked_trees_may_be_mixed(
    rows: Rows, archives: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(archives / "fma/fma_metadata.zip") as archive:
        archive.extractall(tmp_path)
    (tmp_path / "fma_large.zip").symlink_to(archives / "fma/fma_large.zip")
    assert _rows(archives / "artgraph.zip", tmp_path) == rows


def test_without_rights_the_metadata_speaks(archives: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archives / "artgraph.zip") as archive:
        archive.extractall(tmp_path / "artgraph")
    with zipfile.ZipFile(archives / "fma/fma_metadata.zip") as archive:
        archive.extractall(tmp_path / "fma")
    (tmp_path / "artgraph/SOURCES.csv").unlink()
    (tmp_path / "fma/SOURCES.csv").unlink()
    graph = ArtGraph(open_source(tmp_path / "artgraph"))
    first = next(graph.records())
    assert first.license == "LicenseRef-unknown"
    assert first.source_url == (
        "https://www.wikiart.org/en/katsushika-hokusai/the-great-wave-of-kanagawa-1831"
    )
    tracks = {t.track_id: t for t in FreeMusicArchive(open_source(tmp_path / "fma")).records()}
    assert tracks[200005].license_spdx == "CC-BY-SA-3.0"
    assert tracks[200005].source_url == (
        "https://freemusicarchive.org/search?quicksearch=Maxstack+Through+Space"
    )


def test_the_archives_hold_every_file_of_the_sample(archives: Path) -> None:
    files = files_of(Path(str(data())))
    rights = {name: files[name] for name in ("SOURCES.csv", "LICENSES.md")}
    expected = {
        "artgraph.zip": ("artgraph/", rights),
        "fma/fma_metadata.zip": ("fma/", rights),
        "fma/fma_large.zip": ("fma/", {}),
    }
    for name, (prefix, extra) in expected.items():
        part = "" if prefix == "artgraph/" else Path(name).stem + "/"
        wanted = {
            path.removeprefix(prefix): content
            for path, content in files.items()
            if path.startswith(prefix + part)
        }
        with zipfile.ZipFile(archives / name) as archive:
            assert archive.testzip() is None
            found = {path: archive.read(path) for path in archive.namelist()}
        assert found == wanted | extra
