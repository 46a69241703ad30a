"""Corner cases of the two catalogues: odd names, missing tables, broken tables, lost rows."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.schema import Reason
from artsound.sources.archive import open_source
from artsound.sources.artgraph import ArtGraph, artwork_rows
from artsound.sources.fma import FreeMusicArchive, track_rows
from artsound.sources.media import MediaLimits
from artsound.sources.sample import write_sample
from artsound.sources.titles import display_name, parse_file_name


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
        ("x_train-1999-2.jpg", "Train", 1999),
        ("karl-bodmer_chief-plate-8-1844.jpg", "Chief Plate 8", 1844),
        ("artist_caf%E9.jpg", "Café", None),
        ("artist_-.jpg", None, None),
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
    with pytest.raises(ArtsoundError, match=r"artwork_entidx2name.csv, row 'x,y.jpg'"):
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


def test_a_country_is_known_by_its_city(artgraph: Path) -> None:
    edges = artgraph / "raw/relations/artwork___completedin___country/edge.csv"
    before = {r.artwork_id: r.country for r in ArtGraph(open_source(artgraph)).records()}
    edges.unlink()
    after = {r.artwork_id: r.country for r in ArtGraph(open_source(artgraph)).records()}
    known = {name: country for name, country in after.items() if country}
    assert len(known) == 22
    assert known.items() <= before.items()


def test_two_artworks_of_one_index_are_two_rows(artgraph: Path) -> None:
    mapping = artgraph / "mapping/artwork_entidx2name.csv"
    mapping.write_text(f"{mapping.read_text().rstrip()}\n3,someone_else,-with-comma.jpg\n")
    graph = ArtGraph(open_source(artgraph))
    rows = artwork_rows(graph, 3, 5, MediaLimits())
    assert [row["artgraph_index"] for row in rows] == [3, 3]
    assert [row["reason"] for row in rows] == [None, Reason.IMAGE_MISSING]
    assert rows[1]["file_name"] == "someone_else,-with-comma.jpg"
    assert len(graph) == 43


def test_what_is_unsafe_is_a_row_that_says_so(artgraph: Path, fma: Path) -> None:
    mapping = artgraph / "mapping/artwork_entidx2name.csv"
    mapping.write_text(f"{mapping.read_text().rstrip()}\n42,../../../etc/passwd\n43,a_link.jpg\n")
    (artgraph / "imagesf2/a_link.jpg").symlink_to("/etc/passwd")
    graph = ArtGraph(open_source(artgraph))
    rows = artwork_rows(graph, 42, 44, MediaLimits())
    assert [row["reason"] for row in rows] == [Reason.UNSAFE_PATH] * 2
    clip = fma / "fma_large/200/200001.mp3"
    clip.unlink()
    clip.symlink_to("/etc/passwd")
    (row,) = track_rows(FreeMusicArchive(open_source(fma)), 0, 1, MediaLimits())
    assert (row["track_id"], row["reason"]) == (200001, Reason.UNSAFE_PATH)


def test_a_track_listed_twice_is_two_rows(fma: Path) -> None:
    tracks = fma / "fma_metadata/tracks.csv"
    lines = tracks.read_text().splitlines(keepends=True)
    tracks.write_text("".join([*lines, lines[3]]))
    archive = FreeMusicArchive(open_source(fma))
    rows = track_rows(archive, 0, 2, MediaLimits())
    assert len(archive) == 35
    assert [row["track_id"] for row in rows] == [200001, 200001]
    assert [row["reason"] for row in rows] == [None, Reason.DUPLICATE_ID]


def test_the_clips_say_which_tracks_are_expected(fma: Path) -> None:
    (fma / "fma_large").rename(fma / "fma_small")
    records = list(FreeMusicArchive(open_source(fma)).records())
    # Those of the small subset, and those whose clips are there though they are not of it.
    assert len(records) == 33 + 1
    shutil.rmtree(fma / "fma_small")
    small = FreeMusicArchive(open_source(fma))
    assert len(small) == 34
    assert {row["reason"] for row in track_rows(small, 0, 99, MediaLimits())} == {
        Reason.AUDIO_MISSING
    }


def test_damaged_members_are_rows(tmp_path: Path) -> None:
    paths = write_sample(tmp_path)
    content = paths.audio.read_bytes()
    with zipfile.ZipFile(paths.audio) as archive:
        at = archive.getinfo("fma_large/200/200002.mp3").header_offset + 5000
    paths.audio.write_bytes(content[:at] + bytes(10) + content[at + 10 :])
    archive_rows = track_rows(FreeMusicArchive(open_source(tmp_path / "fma")), 0, 3, MediaLimits())
    assert [row["status"] for row in archive_rows] == ["ok", "rejected", "ok"]
    assert archive_rows[1]["reason"].startswith(f"{Reason.AUDIO_NOT_DECODABLE}: Bad CRC-32")


def test_sidecars_that_do_not_know_do_not_speak(fma: Path) -> None:
    (fma / "SOURCES.csv").write_text(
        "file,licence,upstream_url\nfma_large/200/200005.mp3,NOASSERTION,\nx/200006.mp3,MIT,http://x\n"
    )
    records = {r.track_id: r for r in FreeMusicArchive(open_source(fma)).records()}
    assert records[200005].license_spdx == "CC-BY-SA-3.0"
    assert records[200006].license_spdx == "MIT"
    assert records[200006].license == "Attribution 3.0 International"
    assert records[200006].source_url == "http://x"
