"""Ids of pairs name files: a release whose ids lead elsewhere is not read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from art2mus.benchmark.models.registry import make
from art2mus.benchmark.run import RunSettings, run
from art2mus.data import open_release
from art2mus.data.ids import check_ids, checked_id
from artsound.errors import ArtsoundError
from tests.tiny_release import FEATURES, write_tiny_manifest, write_tiny_release


def renamed(folder: Path, pair_id: str) -> Path:
    """Write a release whose second pair is called otherwise."""
    write_tiny_release(folder, pairs=3, shards=1)
    (path,) = folder.glob("data/train-*.parquet")
    rows = pq.read_table(path).to_pylist()
    rows[1]["pair_id"] = pair_id
    pq.write_table(pa.Table.from_pylist(rows, FEATURES.arrow_schema), path)
    write_tiny_manifest(folder)
    return folder


@pytest.mark.parametrize(
    "pair_id", ["../victim", "/tmp/victim", "a/b", "a\\b", "..", ".hidden", "", "a\x00", "x" * 201]
)
def test_ids_that_lead_elsewhere_are_refused(pair_id: str, tmp_path: Path) -> None:
    release = open_release(renamed(tmp_path / "release", pair_id))
    victim = tmp_path / "victim.flac"
    victim.write_bytes(b"somebody's")
    settings = RunSettings("train", 1.0, overwrite=True)
    with pytest.raises(ArtsoundError, match=r"release train: pair_id .* cannot name a file"):
        run(make("noise", {}), release, tmp_path / "out", settings, cache=tmp_path)
    with pytest.raises(ArtsoundError, match="cannot name a file"):
        list(release.media("train"))
    assert victim.read_bytes() == b"somebody's"
    assert not (tmp_path / "out").exists()


def test_two_pairs_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtsoundError, match="two pairs are called 000000-tiny"):
        open_release(renamed(tmp_path / "release", "000000-tiny")).pairs("train")


@given(st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=40))
def test_what_passes_stays_in_its_folder(pair_id: str) -> None:
    try:
        checked_id(pair_id, "here")
    except ArtsoundError:
        assert pair_id.startswith(".") or "/" in pair_id or "\\" in pair_id
        return
    path = Path("/folder") / f"{pair_id}.wav"
    assert path.parent == Path("/folder")
    assert ".." not in path.parts


def test_usual_ids_pass() -> None:
    check_ids(["000012-van-gogh_the-starry-night", "été 1", "a.b"], "here")
