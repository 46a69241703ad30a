"""`artsound compare pairings` on the built sample, with a tiny diffusion pipeline."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from artsound.cli import app
from artsound.compare.pairings import pair_strategies, strategies_table
from artsound.errors import ArtsoundError
from artsound.reopen import reopen
from artsound.table import Table
from artsound.workspace import Workspace
from tests.models.tiny_diffusion import write_tiny_stable_diffusion_3


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.timeout(900)  # it builds the sample, and draws an image for each caption
def test_tables_of_the_sample(built: Workspace, tmp_path: Path) -> None:
    model = write_tiny_stable_diffusion_3(tmp_path / "sd3")
    out = tmp_path / "out"
    command = ["compare", "pairings", str(built.root), "--out", str(out), "--sample", "5"]
    result = CliRunner().invoke(app, [*command, "--text-to-image", str(model)])
    assert result.exit_code == 0, result.output
    assert "Table 5" in result.output
    table5 = _rows(out / "table_5.csv")
    ours = {row["strategy"]: row for row in table5 if row["whose"] == "ours"}
    assert len(ours) == 4
    assert {row["mean"] for row in table5 if row["whose"] == "paper"} == {
        "0.1864",
        "0.0644",
        "0.0658",
        "0.7081",
    }
    # The build paired by the same strategy with the same method.
    pairs = pq.read_table(built.part("pairs/image_audio", 0))["similarity"].drop_null().to_numpy()
    assert float(ours["image_audio"]["mean"]) == pytest.approx(pairs.mean())
    assert float(ours["image_audio"]["sd"]) == pytest.approx(pairs.std())
    table12 = [row for row in _rows(out / "table_12.csv") if row["whose"] != "paper"]
    assert [row["n"] for row in table12] == ["5", "5", "5"]
    assert table12[2]["whose"] == "ours, images by sd3"
    assert len(_rows(out / "table_12_pairs.csv")) == 15
    beyond = _rows(out / "pairings_beyond.csv")
    assert all(float(row["optimal p1"]) >= float(row["greedy p1"]) for row in beyond[:1])
    images = sorted((out / "generated").iterdir())
    assert len(images) == 5
    # Run again: the images are not drawn again, and the tables are the same.
    before = {path: path.stat().st_mtime_ns for path in images}
    text = (out / "table_12.csv").read_bytes()
    again = CliRunner().invoke(app, [*command, "--text-to-image", str(model)])
    assert again.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in images} == before
    assert (out / "table_12.csv").read_bytes() == text
    # Another model in the same folder draws its own.
    shutil.rmtree(model)
    write_tiny_stable_diffusion_3(model, seed=1)
    assert CliRunner().invoke(app, [*command, "--text-to-image", str(model)]).exit_code == 0
    assert len(list((out / "generated").iterdir())) == 10


def test_a_table_in_part_is_not_compared(built: Workspace, tmp_path: Path) -> None:
    copy = Workspace(tmp_path / "work")
    shutil.copytree(built.root, copy.root)
    copy.drop("embeddings/lite-conse/audio", keep=1)
    found = pair_strategies(reopen(copy))
    assert set(found) == {"image_audio_caption", "image_caption_audio_caption"}
    rows = strategies_table(reopen(copy), found).rows
    assert ("image_audio", "not built, or in part", *[None] * 5) in rows


def test_says_what_is_missing(built: Workspace, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", "pairings", str(tmp_path)])
    assert "is not a workspace" in str(result.exception)
    copy = tmp_path / "work"
    shutil.copytree(built.root, copy)
    shutil.rmtree(copy / "tables" / "embeddings")
    result = CliRunner().invoke(app, ["compare", "pairings", str(copy)])
    assert isinstance(result.exception, ArtsoundError)
    assert "run `artsound build` to its end" in str(result.exception)


def test_table_formats() -> None:
    table = Table("t", "A title", ("name", "n", "x"), (("a|b", 1200, 0.12345), ("c", None, 2.0)))
    assert table.csv() == "name,n,x\na|b,1200,0.12345\nc,,2.0\n"
    assert "| a\\|b | 1,200 | 0.1235 |" in table.markdown()
    assert np.isclose(float(table.csv().splitlines()[1].split(",")[2]), 0.12345)
