"""Workspaces and releases behind one face."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.release.assemble import release
from artsound.report.data import Data, open_data
from artsound.workspace import Workspace
from tests.conftest import SampleSources
from tests.release.synthetic import settle
from tests.report.synthetic import write_report_workspace

_TABLES = (
    "artworks",
    "tracks",
    "image_captions",
    "audio_captions",
    "image_caption_attempts",
    "audio_caption_attempts",
)


def _sorted(table: pa.Table | None) -> pa.Table:
    assert table is not None
    keys = [name for name in table.column_names if name in ("artwork_id", "track_id", "attempt")]
    return table.sort_by([(key, "ascending") for key in keys]).replace_schema_metadata()


def _first(data: Data) -> tuple[str, int]:
    row = data.pairs["image_audio"].to_pylist()[0]
    return row["artwork_id"], row["track_id"]


def test_a_release_says_what_its_workspace_says(built: Workspace, released: Path) -> None:
    work, done = open_data(built.root), open_data(released)
    assert (work.kind, done.kind) == ("workspace", "release")
    assert work.name == done.name == "lite"
    for name in _TABLES:
        one, other = _sorted(getattr(work, name)), _sorted(getattr(done, name))
        assert one.to_pylist() == other.to_pylist(), name
    assert work.pairs["image_audio"].to_pylist() == done.pairs["image_audio"].to_pylist()
    assert work.splits == done.splits
    assert len(work.missing) == len(done.missing) == 1
    assert "Table 12 is not made" in work.missing[0]
    assert "table 12 report on the workspace" in done.missing[0]


def test_media_of_both(built: Workspace, released: Path, sources: SampleSources) -> None:
    work, done = open_data(built.root), open_data(released)
    artwork, track = _first(work)
    for data in (work, done):
        image, audio = data.image(artwork), data.audio(track)
        assert image is not None
        assert audio is not None
        assert image.mode == "RGB"
        assert audio[1] == ".mp3"
        assert data.image("nobody") is None
        assert data.audio(-1) is None
    assert work.audio(track) == done.audio(track)
    assert len({done.place(row["track_id"]) for row in done.pairs["image_audio"].to_pylist()}) == (
        len(done.pairs["image_audio"])
    )
    # Another source's file is not shown under this one's name.
    assert open_data(built.root, artworks=sources.tracks).image(artwork) is None


def test_a_release_without_media(built: Workspace, tmp_path: Path) -> None:
    release(built, tmp_path / "texts", media="none")
    data = open_data(tmp_path / "texts")
    assert any("hydrate" in line for line in data.missing)
    artwork, track = _first(data)
    assert data.image(artwork) is None
    assert data.audio(track) is None
    assert data.vectors("lite-conse", "image") is None


def test_a_release_by_licence_has_its_own_pairs(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=60, artworks=70, dimension=4, shard=30)
    for name in ("artworks", "tracks"):  # a release refuses pairs of rejected items
        for shard in work.shards(name):
            rows = work.read(name, shard=shard)
            at = rows.column_names.index("status")
            usable = rows.set_column(at, "status", pa.array(["ok"] * len(rows)))
            work.commit(name, shard, usable, inputs="made up")
    settle(work)
    release(work, tmp_path / "r", media="none", licenses="permissive")
    data = open_data(tmp_path / "r")
    assert 0 < len(data.pairs["image_audio"]) < 60
    assert len(data.pairs["image_audio_caption"]) == 60
    assert set(data.pairs["image_audio"]["artwork_id"].to_pylist()) == set(data.splits)
    assert any("left out" in line for line in data.missing)


def test_missing_stages_are_said(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=40, artworks=50, dimension=4, shard=20)
    work.drop("audio_captions", keep=1)
    work.drop("pairs/image_audio")
    shutil.rmtree(work.folder("image_caption_attempts"))
    data = open_data(work.root)
    assert data.audio_captions is not None
    assert len(data.audio_captions) == 20
    assert data.image_caption_attempts is None
    assert "image_audio" not in data.pairs
    assert data.splits == {}
    said = " ".join(data.missing)
    assert "audio_captions is built only in part" in said
    assert "pairs/image_audio is not built" in said
    assert "source no-artworks.zip is not there" in said
    assert "image_caption_attempts is not there: run the build with --redo-from image_ca" in said
    assert "audio_caption_attempts" not in said
    work.drop("audio_caption_attempts", keep=0)
    assert "audio_caption_attempts is not there" in " ".join(open_data(work.root).missing)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no workspace and no release"):
        open_data(tmp_path)
    work = write_report_workspace(tmp_path / "w", pairs=12, artworks=14, dimension=4, shard=20)
    with pytest.raises(UsageError, match=r"--tracks .* is not there"):
        open_data(work.root, tracks=tmp_path / "nowhere")
    part = work.part("artworks", 0)
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ArtsoundError, match=r"part-00000\.parquet cannot be read"):
        open_data(work.root)


@pytest.mark.parametrize("name", ["recipe", "where", "shards"])
def test_a_description_without_its_parts_is_named(tmp_path: Path, name: str) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=12, artworks=14, dimension=4, shard=20)
    begun = work.description()
    begun.pop("format")
    work.describe({**begun, name: None})
    with pytest.raises(ArtsoundError, match=rf"workspace\.json has no {name}: restore it"):
        open_data(work.root)


def test_vectors_by_another_model_are_refused(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=12, artworks=14, dimension=4, shard=20)
    table = "embeddings/lite-conse/image"
    rows = work.read(table)
    at = rows.column_names.index("model")
    work.commit(table, 0, rows.set_column(at, "model", pa.array(["x"] * 14)), inputs="made up")
    with pytest.raises(ArtsoundError, match="embedded by x, not by lite-conse"):
        open_data(work.root).vectors("lite-conse", "image")
