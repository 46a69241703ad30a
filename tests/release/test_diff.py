"""`artsound diff`: what changed, in numbers, in words and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from artsound.cli import app
from artsound.errors import UsageError
from artsound.release.assemble import pair_id, release
from artsound.release.diff import diff
from tests.release.synthetic import Synthetic, artwork_id, settle, write_synthetic


def _rewrite(made: Synthetic, table: str, change: dict[str, pa.Array]) -> None:
    rows = made.workspace.read(table)
    for column, values in change.items():
        rows = rows.set_column(rows.column_names.index(column), rows.schema.field(column), values)
    made.workspace.commit(table, 0, rows, inputs="made up")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two releases: rows 0-49, and 10-59 with one caption, one pairing and one split changed."""
    folder = tmp_path_factory.mktemp("releases")
    old = write_synthetic(folder / "1", range(50), settings=["release.held_out=0.4"])
    new = write_synthetic(folder / "2", range(10, 60), settings=["release.held_out=0.41"])
    captions = new.workspace.read("image_captions")["caption"].to_pylist()
    captions[5] = "Something quite different"
    _rewrite(new, "image_captions", {"caption": pa.array(captions)})
    pairs = new.workspace.read("pairs/image_audio")
    swapped = pairs["artwork_id"].to_pylist()
    swapped[7], swapped[8] = swapped[8], swapped[7]
    _rewrite(new, "pairs/image_audio", {"artwork_id": pa.array(swapped)})
    settle(new.workspace)
    release(old.workspace, folder / "old", media="none")
    release(new.workspace, folder / "new", media="none", version="2.0.0")
    return folder / "old", folder / "new"


def test_rows_captions_and_pairs(releases: tuple[Path, Path]) -> None:
    found = diff(*releases)
    table = found.tables["default"]
    assert table.rows == (50, 50)
    # Ten rows left and ten came; two more of each, because two tracks swapped their artworks.
    assert (table.added, table.removed) == (12, 12)
    assert table.paired_anew == 2
    assert found.tables["pairs_image_audio"].paired_anew == 2
    assert pair_id(17, artwork_id(18)) in table.keys["added"]
    assert pair_id(17, artwork_id(17)) in table.keys["removed"]
    assert table.values["artwork_caption"] == 1
    assert pair_id(15, artwork_id(15)) in table.keys["changed"]
    assert found.captions() == {"artwork captions": 1, "music captions": 0}
    assert found.tables["artworks"].keys["changed"] == [artwork_id(15)]
    assert found.versions == ("1.0.0", "2.0.0")
    assert found.facts["recipe.release.held_out"] == (0.4, 0.41)
    assert found.breaks


def test_moves_are_those_of_the_splits(releases: tuple[Path, Path]) -> None:
    old, new = (
        {
            key: path.name.partition("-")[0]
            for path in (folder / "data").glob("*.parquet")
            for key in pa.parquet.read_table(path)["pair_id"].to_pylist()
        }
        for folder in releases
    )
    moved = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    table = diff(*releases).tables["default"]
    assert set(table.keys["moved"]) == moved
    assert sum(table.moved.values()) == len(moved)


def test_a_release_does_not_differ_from_itself(releases: tuple[Path, Path]) -> None:
    found = diff(releases[0], releases[0])
    assert not (found.changed)
    assert not (found.breaks)
    assert not (found.facts)
    assert found.lines() == []


def test_new_columns_and_configurations(tmp_path: Path) -> None:
    made = write_synthetic(tmp_path / "1", range(20))
    release(made.workspace, tmp_path / "old", media="none")
    pairs = made.workspace.read("pairs/image_audio")
    wider = pairs.append_column("margin", pc.multiply(pairs["similarity"], 2.0))
    made.workspace.commit("pairs/image_audio", 0, wider, inputs="made up")
    made.workspace.commit("pairs/image_audio_caption", 0, pairs, inputs="made up")
    description = made.workspace.description()
    strategies = ["image_audio", "image_audio_caption"]
    description["recipe"]["pairing"]["strategies"] = strategies
    made.workspace.describe(description)
    settle(made.workspace)
    release(made.workspace, tmp_path / "new", media="none")
    found = diff(tmp_path / "old", tmp_path / "new")
    assert found.configs_added == ["pairs_image_audio_caption"]
    assert found.tables["pairs_image_audio"].columns_added == ["margin"]
    assert found.changed
    assert not found.breaks
    back = diff(tmp_path / "new", tmp_path / "old")
    assert back.configs_removed == ["pairs_image_audio_caption"]
    assert back.breaks


def test_the_command_speaks_to_people_and_programs(releases: tuple[Path, Path]) -> None:
    old, new = map(str, releases)
    said = CliRunner().invoke(app, ["diff", old, new])
    assert said.exit_code == 0
    assert "version: 1.0.0 -> 2.0.0" in said.stdout
    assert "default: 2 tracks have another artwork" in said.stdout
    assert "captions that differ: 1 artwork captions" in said.stdout
    machine = CliRunner().invoke(app, ["diff", old, new, "--json"])
    assert machine.exit_code == 0
    found = json.loads(machine.stdout)
    assert found["tables"]["default"]["added"] == 12
    assert found["captions"] == {"artwork captions": 1, "music captions": 0}
    same = CliRunner().invoke(app, ["diff", old, old])
    assert same.exit_code == 0
    assert "the tables are the same" in same.stdout


def test_a_folder_that_is_no_release_is_refused(
    releases: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is no release"):
        diff(releases[0], tmp_path)
