"""A release is refused where a part was made from others than are there now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from artsound.errors import ArtsoundError
from artsound.release.assemble import release
from artsound.release.finished import check_finished
from artsound.workspace import Workspace
from tests.release.synthetic import settle, write_synthetic


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return write_synthetic(tmp_path / "made", range(1500)).workspace


def test_pairs_of_a_part_of_the_embeddings_are_not_released(
    work: Workspace, tmp_path: Path
) -> None:
    table = "embeddings/lite-conse/image"
    marker = work.part(table, 1).with_suffix(".json")
    hidden = marker.rename(tmp_path / "hidden")
    settle(work)  # as a node left them that did not see the last part
    hidden.rename(marker)
    with pytest.raises(ArtsoundError, match="pairs/image_audio, part 0, was not made from what"):
        release(work, tmp_path / "released", media="none")
    assert not (tmp_path / "released").exists()
    settle(work)
    check_finished(work)


def test_a_part_that_was_made_again_reaches_all_after_it(work: Workspace) -> None:
    rows = work.read("tracks", shard=1)
    inputs = work.marker("tracks", 1)
    assert inputs is not None
    work.commit("tracks", 1, rows.slice(1), inputs=inputs.inputs)
    with pytest.raises(ArtsoundError, match=r"segment_captions, part 1, .*artsound build` again"):
        check_finished(work)


def test_a_side_table_counts_too(work: Workspace) -> None:
    path = work.part("image_caption_attempts", 0).with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": "others"}))
    with pytest.raises(ArtsoundError, match="image_caption_attempts, part 0, was not made"):
        check_finished(work)


def test_a_build_is_checked_without_its_sources(built: Workspace, tmp_path: Path) -> None:
    work = Workspace(tmp_path / "work")
    shutil.copytree(built.root, work.root)
    path = work.root / "workspace.json"
    begun = json.loads(path.read_text())
    path.write_text(json.dumps(begun | {"where": {"artworks": "gone", "tracks": "gone"}}))
    check_finished(work)
    assert pq.read_metadata(work.part("pairs/image_audio", 0)).num_rows
