"""Corner cases of the two catalogues: odd names, missing tables, broken tables, lost rows."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason
from artsound.sources.archive import open_source
from artsound.sources.artgraph import ArtGraph, artwork_rows, display_name, parse_file_name
from artsound.sources.fma import FreeMusicArchive, track_rows
from artsound.sources.media import MediaLimits
from artsound.sources.sample import write_sample


@pytest.fixture
def artgraph(tmp_path: Path) -> Path:
    paths = write_sample(tmp_path / "sources")
    with zipfile.ZipFile(paths.artworks) as archive:
        archive.extractall(tmp_path / "artgraph")
    return tmp_path / "artgraph"


@pytest.fixture
def fma(tmp_path: Path) -> Path:
    paths = write_sample(tmp_path / "sources")
    for path in (paths.metadata, paths.audio):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "fma")
    return tmp_path / "fma"


@pytest.mark.parametrize(
    ("name", "title", "year"),
    [
        ("vincent-van-gogh_portrait-of-p%C3%A8re-tanguy.jpg", "Portrait of Père Tanguy", None),
        ("albrecht-durer_portrait-of-jakob-fugger-1.jpg", "Portrait of Jakob Fugger", None),
        ("hyacinthe-rigaud_portrait-of-louis-xiv-1701.jpg", "Portrait of Louis XIV", 1701),
        ("wassily-kandinsky_composition-8.jpg", "Composition 8", None),
        ("george-orwell_1984.jpg", "1984", None),
        ("x_train-1999-2.jpg", "Train 1999", None),
        ("a-b_the-year-3000.jpg", "The Year 3000", None),
        ("no-underscore-1900.jpg", "No Underscore", 1900),
        ("artist_two_parts-1888.jpg", "Two Parts", 1888),
        ("artist_.jpg", None, None),
    ],
)
def test_titles_and_years(name: str, title: str | None, year: int | None) -> None:
    assert parse_file_name(name)[2:] == (title, year)


def test_artists_have_names() -> None:
    assert display_name("pieter-bruegel-the-elder") == "Pieter Bruegel the Elder"
    assert display_name("vincent-van-gogh") == "Vincent van Gogh"
    assert display_name("giorgio-de-chirico") == "Giorgio de Chirico"


def test_attributes_fall_back_on_node_labels(artgraph: Path) -> None:
    plain = list(ArtGraph(open_source(artgraph)).records())
    shutil.rmtree(artgraph / "raw/relations")
    labelled = list(ArtGraph(open_source(artgraph)).records())
    for before, after in zip(plain, labelled, strict=True):
        assert after.style == before.style
        assert after.genre == before.genre
        assert after.artist == before.artist
        assert after.tags == ()
    shutil.rmtree(artgraph / "raw/node-label")
    bare = next(ArtGraph(open_source(artgraph)).records())
    assert bare.style is None
    assert bare.artist == "Katsushika Hokusai"


def test_a_list_that_is_missing_or_broken_is_named(artgraph: Path) -> None:
    mapping = artgraph / "mapping/artwork_entidx2name.csv"
    lines = mapping.read_text()
    mapping.write_text(f"{lines}x,y.jpg\n")
    with pytest.raises(ArtsoundError, match=r"artwork_entidx2name.csv, row \['x', 'y.jpg'\]"):
        ArtGraph(open_source(artgraph))
    mapping.write_bytes(b"0,\xff\xfe.jpg\n")
    with pytest.raises(ArtsoundError, match="cannot be read"):
        ArtGraph(open_source(artgraph))
    mapping.unlink()
    with pytest.raises(UsageError, match="is not ArtGraph"):
        ArtGraph(open_source(artgraph))


def test_a_second_artwork_of_one_name_is_a_rejected_row(artgraph: Path) -> None:
    mapping = artgraph / "mapping/artwork_entidx2name.csv"
    mapping.write_text(f"{mapping.read_text().rstrip()}\n42,leonardo-da-vinci_mona-lisa.jpg\n")
    graph = ArtGraph(open_source(artgraph))
    rows = artwork_rows(graph, 0, len(graph), MediaLimits())
    assert len(rows) == 43
    assert rows[3]["status"] == "ok"
    assert rows[42]["reason"] == Reason.DUPLICATE_ID


def test_a_clip_without_a_row_is_not_lost(fma: Path) -> None:
    shutil.copy(fma / "fma_large/200/200001.mp3", fma / "fma_large/200/200999.mp3")
    archive = FreeMusicArchive(open_source(fma))
    assert len(archive) == 35
    (row,) = [r for r in track_rows(archive, 0, 99, MediaLimits()) if r["track_id"] == 200999]
    assert row["status"] == "ok"
    assert row["title"] is None
    assert row["license_spdx"] == "LicenseRef-unknown"


def test_tracks_outside_the_clips_subsets_are_not_expected(fma: Path) -> None:
    tracks = fma / "fma_metadata/tracks.csv"
    text = tracks.read_text()
    tracks.write_text(text.replace(",training,medium,208347,", ",training,full,208347,", 1))
    (fma / "fma_large/200/200001.mp3").unlink()
    ids = [record.track_id for record in FreeMusicArchive(open_source(fma)).records()]
    assert 200001 not in ids
    assert len(ids) == 33


def test_pages_come_from_raw_tracks(fma: Path) -> None:
    (fma / "SOURCES.csv").unlink()
    (fma / "fma_metadata/raw_tracks.csv").write_text(
        'track_id,album,track_url\n200005,"two\nlines",https://example.org/through-space\n'
    )
    records = {r.track_id: r for r in FreeMusicArchive(open_source(fma)).records()}
    assert records[200005].source_url == "https://example.org/through-space"


def test_a_top_genre_is_taken_where_all_genres_agree(fma: Path) -> None:
    records = {r.track_id: r for r in FreeMusicArchive(open_source(fma)).records()}
    assert records[200003].genre_top is None  # opera and old-time have two top genres
    tracks = fma / "fma_metadata/tracks.csv"
    tracks.write_text(tracks.read_text().replace('"[8, 441]","[8, 441, 5]"', "[441],[441]"))
    records = {r.track_id: r for r in FreeMusicArchive(open_source(fma)).records()}
    assert records[200003].genre_top == "Classical"


@pytest.mark.parametrize("damage", ["missing", "columns", "bytes"])
def test_a_track_list_that_is_missing_or_broken_is_named(fma: Path, damage: str) -> None:
    tracks = fma / "fma_metadata/tracks.csv"
    if damage == "missing":
        tracks.unlink()
    elif damage == "columns":
        tracks.write_text(tracks.read_text().replace("genre_top", "genre", 1))
    else:
        tracks.write_bytes(tracks.read_bytes()[:6000] + b'"\xff,,\n1,2')
    with pytest.raises(ArtsoundError, match="fma_metadata"):
        FreeMusicArchive(open_source(fma))
