"""A sweep: one training each, and table 6 with the paper's rows."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from art2mus.sweep import PAPER, Swept, average_metrics, sweep, sweep_table
from art2mus.train import Trained
from artsound.errors import UsageError
from tests.art2mus.training_runs import Ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("training"))


def test_a_sweep_trains_each_and_writes_table_6(ground: Ground, tmp_path: Path) -> None:
    settings = ground.settings("schedule.steps=1")
    done = sweep(
        ground.release, tmp_path, settings, encoders=["lite"], tokens=[2, 3], cache=ground.cache
    )
    assert [(one.encoder, one.tokens) for one in done] == [("lite-conse", 2), ("lite-conse", 3)]
    assert (tmp_path / "lite-conse-3/art2mus.json").is_file()
    with (tmp_path / "table6.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["By"] for row in rows] == ["ours"] * 2 + ["paper"] * 10
    assert float(rows[0]["Validation loss"]) == done[0].averages["loss"]
    assert rows[0]["FAD"] == ""  # no music was generated
    assert (tmp_path / "table6.md").read_text().count("| paper |") == 10
    assert r"\toprule" in (tmp_path / "table6.tex").read_text()
    stamp = (tmp_path / "lite-conse-2/training/log.jsonl").read_bytes()
    again = sweep(
        ground.release, tmp_path, settings, encoders=["lite"], tokens=[2], cache=ground.cache
    )
    assert again[0].averages == done[0].averages
    assert (tmp_path / "lite-conse-2/training/log.jsonl").read_bytes() == stamp


def test_the_papers_rows_are_those_of_table_6() -> None:
    table = sweep_table([])
    rows = {(row[1], row[2]): row[3:7] for row in table.rows}
    assert rows["ImageBind", 16] == (19.0, 0.00279, 0.05986, 0.21661)
    assert rows["CLIP", 10] == (21.0, 0.00307, 0.05378, 0.19169)
    assert len(PAPER) == 10


def test_our_columns_are_found_by_what_they_measure() -> None:
    averages = {
        "loss": 0.5,
        "loss@50": 0.1,
        "fad-vggish": 12.0,
        "spectrum-kl": 0.002,
        "score-artwork-imagebind": 0.05,
        "score-music-imagebind": 0.2,
    }
    trained = Trained(Path("x"), 10, None, {}, 1800.0, toy=True)
    table = sweep_table([Swept("imagebind", 16, averages, True, trained)])
    assert table.rows[0] == ("ours", "imagebind", 16, 12.0, 0.002, 0.05, 0.2, 0.5, 0.5)
    assert any("toy prior" in note for note in table.notes)
    assert any("fad-vggish" in note for note in table.notes)


def test_averages_are_over_the_validations(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"step": 1, "loss": 9.0}\n{"step": 1, "validation": {"loss": 1.0}}\n'
        '{"step": 2, "validation": {"loss": 2.0, "fad-vggish": 4.0}}\n'
    )
    assert average_metrics(log) == {"loss": 1.5, "fad-vggish": 4.0}


def test_what_does_not_fit_is_said_before_the_first_training(
    ground: Ground, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nothing to sweep over"):
        sweep(ground.release, tmp_path, ground.settings(), encoders=[], tokens=[2])
    with pytest.raises(UsageError, match="did you mean 'imagebind'"):
        sweep(ground.release, tmp_path, ground.settings(), encoders=["lite", "imagebin"])
    with pytest.raises(UsageError, match="larger than the split"):
        sweep(ground.release, tmp_path, ground.settings("batch.size=10"), encoders=["lite"])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "lite-conse-3").mkdir()
    (tmp_path / "lite-conse-3/thesis.txt").touch()
    with pytest.raises(UsageError, match=r"lite-conse-3 holds thesis.txt and no training"):
        sweep(ground.release, tmp_path, ground.settings(), encoders=["lite"], tokens=[2, 3])
    (tmp_path / "table6.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"table6.tex is there and no training of a sweep"):
        sweep(ground.release, tmp_path, ground.settings(), encoders=["lite"], tokens=[2])
    assert (tmp_path / "table6.tex").read_text() == "mine"
