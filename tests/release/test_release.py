"""The release of the sample: what a user of `datasets` sees, and what the manifest promises."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

import artsound
from artsound.errors import UsageError
from artsound.release.assemble import pair_id, release
from artsound.release.features import PAIR_COLUMNS
from artsound.release.manifest import read_manifest, verify
from artsound.workspace import Workspace
from tests.conftest import SampleSources

CONFIGS = {"default", "artworks", "tracks", "pairs_image_audio", "caption_attempts"}


def _pairs(released: Path) -> list[dict[str, Any]]:
    loaded = datasets.load_dataset(str(released))
    plain = loaded.cast_column("audio", datasets.Audio(decode=False))
    return [row for split in plain.values() for row in split]


def test_a_process_with_nothing_but_datasets_opens_every_configuration(released: Path) -> None:
    script = f"""
import sys
from datasets import Audio, load_dataset
for name in {sorted(CONFIGS)!r}:
    loaded = load_dataset({str(released)!r}, name)
    assert sum(split.num_rows for split in loaded.values()) > 0, name
streamed = load_dataset({str(released)!r}, split="train", streaming=True)
row = next(iter(streamed.cast_column("audio", Audio(decode=False))))
assert row["image"].mode == "RGB"
assert not any(name.startswith("artsound") for name in sys.modules)
print("opened")
"""
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        cwd=released.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "opened"


def test_columns_and_features(released: Path) -> None:
    train = datasets.load_dataset(str(released), split="train")
    assert list(train.features) == list(PAIR_COLUMNS)
    assert isinstance(train.features["image"], datasets.Image)
    assert isinstance(train.features["audio"], datasets.Audio)


def test_splits_are_disjoint_and_complete(released: Path) -> None:
    loaded = datasets.load_dataset(str(released)).select_columns(["pair_id"])
    ids = {name: set(split["pair_id"]) for name, split in loaded.items()}
    assert {name: len(members) for name, members in ids.items()} == {
        "train": 28,
        "test": 1,
        "validation": 1,
    }
    assert len(set.union(*ids.values())) == 30


def test_rows_join_what_the_tables_say(released: Path, built: Workspace) -> None:
    captions = {r["artwork_id"]: r for r in built.read("image_captions").to_pylist()}
    tracks = {r["track_id"]: r for r in built.read("tracks").to_pylist()}
    pairs = {r["track_id"]: r for r in built.read("pairs/image_audio").to_pylist()}
    for row in _pairs(released):
        assert row["pair_id"] == pair_id(row["track_id"], row["artwork_id"])
        assert row["artwork_id"] == pairs[row["track_id"]]["artwork_id"]
        assert row["similarity"] == pairs[row["track_id"]]["similarity"]
        assert row["artwork_caption"] == captions[row["artwork_id"]]["caption"]
        assert row["ic_score"] == captions[row["artwork_id"]]["ic_score"]
        assert row["track_license"] == tracks[row["track_id"]]["license_spdx"]
        assert row["artwork_license"]
        assert row["artwork_source_url"].startswith("https://")
        assert row["track_source_url"].startswith("http")


def test_media_are_the_sources(released: Path, built: Workspace) -> None:
    artworks = {r["artwork_id"]: r for r in built.read("artworks").to_pylist()}
    tracks = {r["track_id"]: r for r in built.read("tracks").to_pylist()}
    for row in _pairs(released):
        artwork = artworks[row["artwork_id"]]
        assert row["image"].mode == "RGB"
        assert row["image"].size == (artwork["width"], artwork["height"])
        digest = hashlib.sha256(row["audio"]["bytes"]).hexdigest()
        assert digest == tracks[row["track_id"]]["sha256"]


def test_artsound_load_decodes_audio_without_torchcodec(released: Path) -> None:
    row = artsound.load(released, split="train")[0]
    undecoded = next(r for r in _pairs(released) if r["pair_id"] == row["pair_id"])
    expected, rate = soundfile.read(io.BytesIO(undecoded["audio"]["bytes"]), dtype="float32")
    assert row["audio"]["sampling_rate"] == rate
    np.testing.assert_array_equal(row["audio"]["array"], expected)
    streamed = next(iter(artsound.load(released, split="train", streaming=True)))
    np.testing.assert_array_equal(streamed["audio"]["array"], expected)
    assert set(artsound.load(released)) == {"train", "test", "validation"}
    assert artsound.load(released, config="tracks", split="train").num_rows == 34


def test_artsound_load_says_what_is_wrong(released: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a release"):
        artsound.load(tmp_path)
    with pytest.raises(UsageError, match="has no configuration 'nonsense'"):
        artsound.load(released, config="nonsense")


def test_the_card_says_what_made_it(released: Path) -> None:
    text = (released / "README.md").read_text("utf-8")
    header = yaml.safe_load(text.split("---")[1])
    assert {config["config_name"] for config in header["configs"]} == CONFIGS
    assert header["size_categories"] == ["n<1K"]
    assert "Not the paper's dataset" in text
    assert "lite-smollm2" in text
    assert "1 x audio silent" in text
    assert "CC-BY-SA-3.0" in text


def test_the_manifest_finds_every_change(released: Path, tmp_path: Path) -> None:
    assert verify(released) == []
    copy = tmp_path / "copy"
    shutil.copytree(released, copy)
    shard = next((copy / "data").glob("test-*.parquet"))
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    (copy / "README.md").unlink()
    (copy / "extra.txt").touch()
    problems = verify(copy)
    assert len(problems) == 3
    assert any("checksum differs" in p for p in problems)
    assert any("README.md: missing" in p for p in problems)
    assert any("extra.txt: not in the manifest" in p for p in problems)


def test_the_manifest_holds_no_path_or_time(released: Path, built: Workspace) -> None:
    text = (released / "manifest.json").read_text("utf-8")
    assert str(built.root) not in text
    assert str(Path.home()) not in text
    facts = json.loads(text)
    assert facts["rows"]["default"] == {"train": 28, "test": 1, "validation": 1}
    assert {model["name"] for model in facts["models"]} >= {"lite-artwork", "lite-smollm2"}


def test_releasing_twice_gives_the_same_bytes(
    released: Path, built: Workspace, tmp_path: Path
) -> None:
    release(built, tmp_path / "again")
    assert read_manifest(tmp_path / "again") == read_manifest(released)


def test_small_limits_make_many_shards_and_row_groups(
    built: Workspace, sources: SampleSources, tmp_path: Path
) -> None:
    description = built.description()
    description["recipe"]["release"] |= {"shard_bytes": 2_000_000, "row_group_bytes": 600_000}
    other = Workspace(tmp_path / "work")
    shutil.copytree(built.root / "tables", other.root / "tables")
    other.describe(description)
    release(other, tmp_path / "out", artworks=sources.artworks, tracks=sources.tracks)
    files = sorted((tmp_path / "out/data").glob("train-*.parquet"))
    assert len(files) > 2
    assert files[0].name.endswith(f"-of-{len(files):05d}.parquet")
    assert all(path.stat().st_size < 3_000_000 for path in files)
    assert pq.ParquetFile(files[0]).num_row_groups > 1
    train = datasets.load_dataset(str(tmp_path / "out"), split="train")
    assert train.num_rows == 28


def test_what_stands_in_the_way_is_refused(
    released: Path, built: Workspace, sources: SampleSources, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="exists and is not empty"):
        release(built, released)
    with pytest.raises(UsageError, match="is not the artworks source of this build"):
        release(built, tmp_path / "out", artworks=sources.tracks)
    with pytest.raises(UsageError, match="is not a workspace"):
        release(Workspace(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
