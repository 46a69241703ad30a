"""Hydrating: the same bytes as embedding, from archives of any shape; nothing silently dropped."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from artsound.cli import app
from artsound.errors import ArtsoundError, UsageError
from artsound.release.assemble import release
from artsound.release.hydrate import MediaMissingError, hydrate
from artsound.release.manifest import read_manifest, verify
from tests.conftest import SampleSources
from tests.release.synthetic import Synthetic, noise, write_synthetic


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    settings = ["release.shard_bytes=30000", "release.row_group_bytes=9000"]
    return write_synthetic(tmp_path_factory.mktemp("made"), range(60), settings=settings)


@pytest.fixture(scope="module")
def bare(made: Synthetic) -> Path:
    out = made.workspace.root.parent / "none"
    release(made.workspace, out, media="none")
    return out


@pytest.fixture(scope="module")
def full(made: Synthetic) -> Path:
    out = made.workspace.root.parent / "full"
    release(made.workspace, out)
    return out


def _same(one: Path, other: Path) -> None:
    files = [
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in (one, other)
    ]
    assert files[0] == files[1]
    for path in files[0]:
        assert (one / path).read_bytes() == (other / path).read_bytes(), path


def test_it_gives_the_bytes_of_the_full_release(
    made: Synthetic, bare: Path, full: Path, tmp_path: Path
) -> None:
    done = hydrate(bare, made.artworks, made.tracks, tmp_path / "out")
    assert (done.problems, done.notes) == ((), ())
    assert len(list((full / "data").glob("train-*"))) > 1
    _same(tmp_path / "out", full)


def test_unpacked_and_renamed_trees_do_as_well(
    made: Synthetic, bare: Path, full: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(made.artworks).extractall(tmp_path / "art/deep/down")
    (tmp_path / "art/deep/down/imagesf2").rename(tmp_path / "art/pictures")
    (tmp_path / "art/other").mkdir()  # a file of the same name that is another one
    (tmp_path / "art/other/somebody_work-3.jpg").write_bytes(b"something else")
    (tmp_path / "music").mkdir()
    shutil.copy(made.tracks, tmp_path / "music/clips.zip")
    hydrate(bare, tmp_path / "art", tmp_path / "music", tmp_path / "out")
    _same(tmp_path / "out", full)


def test_the_samples_repaired_images_come_out_the_same(
    built_release: tuple[Path, Path], sources: SampleSources, tmp_path: Path
) -> None:
    bare, full = built_release
    hydrate(bare, sources.artworks, sources.tracks, tmp_path / "out")
    _same(tmp_path / "out", full)


@pytest.fixture
def built_release(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    out = tmp_path / "none"
    release(request.getfixturevalue("built"), out, media="none")
    return out, request.getfixturevalue("released")


@pytest.fixture
def faulty(made: Synthetic, tmp_path: Path) -> Path:
    """Artworks of which one is missing and one is another file."""
    folder = tmp_path / "faulty"
    zipfile.ZipFile(made.artworks).extractall(folder)
    (folder / "imagesf2/somebody_work-7.jpg").unlink()
    (folder / "imagesf2/somebody_work-9.jpg").write_bytes(b"something else")
    return folder


def test_missing_files_are_listed_and_end_it(
    made: Synthetic, bare: Path, faulty: Path, tmp_path: Path
) -> None:
    with pytest.raises(MediaMissingError, match="1 files of 1 rows are missing or diff") as first:
        hydrate(bare, faulty, made.tracks, tmp_path / "out")
    assert [problem.file_name for problem in first.value.problems] == ["somebody_work-7.jpg"]
    (faulty / "imagesf2/somebody_work-7.jpg").write_bytes(noise(14, 100))
    with pytest.raises(MediaMissingError) as second:
        hydrate(bare, faulty, made.tracks, tmp_path / "out")
    assert [problem.reason for problem in second.value.problems] == [
        "another file: its checksum differs"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faulty"]


def test_partial_keeps_the_rows_and_can_be_completed(
    made: Synthetic, bare: Path, full: Path, faulty: Path, tmp_path: Path
) -> None:
    done = hydrate(bare, faulty, made.tracks, tmp_path / "part", partial=True)
    assert sorted(problem.file_name for problem in done.problems) == [
        "somebody_work-7.jpg",
        "somebody_work-9.jpg",
    ]
    manifest = read_manifest(tmp_path / "part")
    assert manifest["media"] == "partial"
    assert {one["pair_id"] for one in manifest["missing_media"]} == {
        problem.pair_id for problem in done.problems
    }
    assert verify(tmp_path / "part") == []
    rows = [
        row
        for path in (tmp_path / "part/data").glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    assert len(rows) == 60
    assert {row["track_id"] for row in rows if row["image"] is None} == {7, 9}
    assert all(row["audio"] is not None for row in rows)
    hydrate(tmp_path / "part", made.artworks, made.tracks, tmp_path / "whole")
    _same(tmp_path / "whole", full)


def test_the_command_lists_every_row(
    made: Synthetic, bare: Path, faulty: Path, tmp_path: Path
) -> None:
    command = ["hydrate", str(bare), "--artworks", str(faulty), "--tracks", str(made.tracks)]
    failed = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "a")])
    assert isinstance(failed.exception, MediaMissingError)
    assert "image somebody_work-7.jpg: not there" in failed.stdout
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "b"), "--partial"])
    assert done.exit_code == 0
    assert "2 files of 2 rows are missing; manifest.json lists them" in done.stdout
    assert "image somebody_work-9.jpg: another file: its checksum differs" in done.stdout


def test_what_cannot_be_filled_is_refused(
    made: Synthetic, bare: Path, full: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has its media already"):
        hydrate(full, made.artworks, made.tracks, tmp_path / "out")
    with pytest.raises(UsageError, match="exists and is not empty"):
        hydrate(bare, made.artworks, made.tracks, full)
    with pytest.raises(UsageError, match="no such file or folder"):
        hydrate(bare, tmp_path / "nothing", made.tracks, tmp_path / "out")
    altered = tmp_path / "altered"
    shutil.copytree(bare, altered)
    (altered / "README.md").write_text("mine")
    with pytest.raises(ArtsoundError, match="1 files differ from the manifest"):
        hydrate(altered, made.artworks, made.tracks, tmp_path / "out")


def test_other_versions_of_the_libraries_are_said(
    made: Synthetic, bare: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(bare, older)
    manifest = read_manifest(older)
    manifest["versions"]["pyarrow"] = "1.0"
    (older / "manifest.json").write_text(json.dumps(manifest))
    done = hydrate(older, made.artworks, made.tracks, tmp_path / "out")
    assert len(done.notes) == 1
    assert "was 1.0 for the release" in done.notes[0]
