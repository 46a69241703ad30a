"""`art2mus validate` on the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from art2mus.cli import app
from art2mus.train import train
from tests.art2mus.training_runs import Ground, entries


def test_a_row_is_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground.make(tmp_path)
    train(
        ground.release, tmp_path / "ckpt", ground.settings("schedule.steps=1"), cache=ground.cache
    )
    monkeypatch.chdir(tmp_path)
    common = ["validate", "ckpt", str(ground.release), "--cache", str(ground.cache), "-q"]
    shown = CliRunner().invoke(app, common)
    assert shown.exit_code == 0, shown.output
    assert "| Checkpoint | Image encoder | Tok/Img | Step | Validation loss |" in shown.output
    assert "one validation, where the paper's table 6 has the mean" in shown.output
    written = CliRunner().invoke(app, [*common, "--out", "row.csv"])
    assert written.exit_code == 0, written.output
    with Path("row.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row["Checkpoint"] == "ckpt"
    loss = entries(tmp_path / "ckpt")[-1]["validation"]["loss"]
    assert float(row["Validation loss"]) == pytest.approx(loss, rel=1e-3)
