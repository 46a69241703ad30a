"""Releases of made-up workspaces: options, rights, versions, growth, and what is refused."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.release.assemble import release
from artsound.release.diff import diff
from artsound.release.features import PAIR_COLUMNS
from artsound.release.manifest import read_manifest, verify
from artsound.release.terms import terms
from artsound.workspace import Workspace
from tests.release.synthetic import STYLES, Synthetic, noise, settle, write_synthetic

MIXED = ("CC0-1.0", "CC-BY-ND-4.0", "CC-BY-NC-SA-3.0", "LicenseRef-unknown")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    folder = tmp_path_factory.mktemp("made")
    return write_synthetic(folder, range(300), licenses=MIXED, settings=["release.held_out=0.3"])


@pytest.fixture(scope="module")
def full(made: Synthetic) -> Path:
    out = made.workspace.root.parent / "full"
    release(made.workspace, out)
    return out


def _rows(folder: Path, *columns: str) -> list[dict[str, Any]]:
    found = []
    for path in sorted((folder / "data").glob("*.parquet")):
        split = path.name.partition("-")[0]
        rows = pq.read_table(path, columns=list(columns)).to_pylist()
        found += [{"split": split, **row} for row in rows]
    return found


def _splits(folder: Path) -> dict[str, str]:
    return {row["pair_id"]: row["split"] for row in _rows(folder, "pair_id")}


def test_every_pair_is_one_row_with_its_own_media(full: Path) -> None:
    rows = _rows(full, "pair_id", "track_id", "image", "audio", "artwork_id", "music_genres")
    assert len({row["pair_id"] for row in rows}) == 300
    for row in rows:
        number = row["track_id"]
        assert row["image"] == {
            "bytes": noise(2 * number, 100),
            "path": f"somebody_work-{number}.jpg",
        }
        assert row["audio"] == {"bytes": noise(2 * number + 1, 100), "path": f"{number:06d}.mp3"}
        assert row["music_genres"] == ["Rock", "Punk"]
    assert verify(full) == []


def test_the_manifest_says_how_it_was_split(full: Path) -> None:
    facts = read_manifest(full)
    splits = facts["splits"]
    assert set(splits["styles"]) == set(STYLES)
    counts = Counter(_splits(full).values())
    summed = {name: sum(style[name] for style in splits["styles"].values()) for name in counts}
    assert summed == dict(counts) == facts["rows"]["default"]
    assert 0 < counts["validation"] <= 100
    assert splits["rare_styles"] == []


def test_without_media_there_are_no_media_columns_and_no_source_is_needed(
    made: Synthetic, full: Path, tmp_path: Path
) -> None:
    description = made.workspace.description()
    description["where"] = {"artworks": "/nowhere", "tracks": "/nowhere"}
    elsewhere = Workspace(tmp_path / "work")
    elsewhere.root.mkdir()
    (elsewhere.root / "tables").symlink_to(made.workspace.root / "tables")
    elsewhere.describe(description)
    with pytest.raises(UsageError, match="source /nowhere is not there: say --artworks PATH"):
        release(elsewhere, tmp_path / "full")
    release(elsewhere, tmp_path / "none", media="none")
    path = next((tmp_path / "none/data").glob("train-*"))
    assert pq.read_schema(path).names == [n for n in PAIR_COLUMNS if n not in ("image", "audio")]
    assert _splits(tmp_path / "none") == _splits(full)
    found = diff(tmp_path / "none", full)
    assert not found.changed
    assert found.media == ("none", "embed")


def test_permissive_keeps_what_may_be_changed_and_counts_the_rest(
    made: Synthetic, full: Path, tmp_path: Path
) -> None:
    done = release(made.workspace, tmp_path / "free", media="none", licenses="permissive")
    columns = ("pair_id", "artwork_license", "track_license")
    rows = {row["pair_id"]: row for row in _rows(full, *columns)}
    kept = {row["pair_id"] for row in _rows(tmp_path / "free", *columns)}
    dropped: Counter[str] = Counter()
    for pair_id, row in rows.items():
        both = {row["artwork_license"], row["track_license"]}
        barring = {one for one in both if not (terms(one).change and terms(one).redistribute)}
        assert (pair_id in kept) == (not barring)
        dropped.update(barring)
    assert 0 < len(kept) < 300
    assert done.facts["dropped_pairs"] == 300 - len(kept)
    assert done.facts["dropped_by_license"] == dict(dropped)
    assert read_manifest(tmp_path / "free")["dropped_by_license"] == dict(dropped)
    assert "CC-BY-ND-4.0" in (tmp_path / "free/README.md").read_text("utf-8")
    whole = _splits(full)
    assert all(whole[name] == split for name, split in _splits(tmp_path / "free").items())


def test_rows_keep_their_split_when_the_dataset_grows(made: Synthetic, tmp_path: Path) -> None:
    settings = ["release.held_out=0.3", "release.max_validation=40"]
    few = write_synthetic(tmp_path / "few", range(0, 600, 2), settings=settings)
    many = write_synthetic(tmp_path / "many", range(600), settings=settings)
    release(few.workspace, tmp_path / "old", media="none")
    release(many.workspace, tmp_path / "new", media="none")
    release(many.workspace, tmp_path / "next", media="none", previous=tmp_path / "old")
    old, new, after = (_splits(tmp_path / name) for name in ("old", "new", "next"))
    assert Counter(new.values())["validation"] == 40
    assert {(old[name], new[name]) for name in old if old[name] != new[name]} == {
        ("validation", "test")  # full, so that some had to go; see assign_splits
    }
    assert all(after[name] == old[name] for name in old)
    assert read_manifest(tmp_path / "next")["splits"]["kept_from"] == "1.0.0"


def test_versions_and_changelogs_follow_what_changed(made: Synthetic, tmp_path: Path) -> None:
    first = write_synthetic(tmp_path / "1", range(100))
    grown = write_synthetic(tmp_path / "2", range(120), caption="Another {what}, {number}. ")
    r1, r2, r3, r4 = (tmp_path / f"r{number}" for number in range(1, 5))
    release(first.workspace, r1, media="none", version="0.9.0")
    assert release(grown.workspace, r2, media="none", previous=r1).facts["version"] == "0.10.0"
    assert release(grown.workspace, r3, media="none", previous=r2).facts["version"] == "0.10.1"
    assert release(first.workspace, r4, media="none", previous=r3).facts["version"] == "1.0.0"
    text = (r4 / "CHANGELOG.md").read_text("utf-8")
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == ["## 1.0.0", "## 0.10.1", "## 0.10.0", "## 0.9.0"]
    assert "`default`: 100 -> 120 rows, 20 added and 0 removed" in text
    assert "captions that differ: 100 artwork captions, 100 music captions" in text
    assert "- **Version:** 1.0.0" in (r4 / "README.md").read_text("utf-8")
    for version, problem in (
        ("1.0", "is not a semantic version"),
        ("01.0.0", "is not a semantic version"),
        ("0.10.1", "is not above 0.10.1"),
        ("0.10.1-rc.1", "is not above 0.10.1"),
    ):
        with pytest.raises(UsageError, match=problem):
            release(grown.workspace, tmp_path / "bad", version=version, previous=r3)
    assert not (tmp_path / "bad").exists()


def test_an_unfinished_build_is_refused(tmp_path: Path) -> None:
    made = write_synthetic(tmp_path, range(5))
    marker = made.workspace.part("audio_captions", 0).with_suffix(".json")
    marker.unlink()
    with pytest.raises(ArtsoundError, match=r"is not finished \(audio_captions is left\): run"):
        release(made.workspace, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "artworks.zip",
        "tracks.zip",
        "work",
    ]


def test_a_source_that_changed_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    made = write_synthetic(tmp_path, range(5))
    with zipfile.ZipFile(made.artworks) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(made.artworks, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data[::-1])
    description = made.workspace.description()
    with pytest.raises(UsageError, match="is not the artworks source of this build"):
        release(made.workspace, tmp_path / "out")
    from artsound.sources.archive import cached_source

    description["sources"]["artworks"] = cached_source(made.artworks).fingerprint()
    made.workspace.describe(description)
    settle(made.workspace)
    with pytest.raises(ArtsoundError, match="is not the file that the build checked"):
        release(made.workspace, tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_a_newer_or_foreign_manifest_is_refused(full: Path, tmp_path: Path) -> None:
    manifest = read_manifest(full)
    for changes, problem in (
        ({"format": 2}, "has release format 2, this version reads up to 1: upgrade artsound"),
        ({"format": "x"}, "is no release's manifest"),
        ({"files": []}, "is no release's manifest"),
    ):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest | changes))
        with pytest.raises(UsageError, match=problem):
            read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ArtsoundError, match="is not readable JSON"):
        read_manifest(tmp_path)
