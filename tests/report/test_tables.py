"""The report's tables against their definitions, on the sample and on made-up rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import binom

from artsound import paper, schema
from artsound.errors import ArtsoundError
from artsound.pairing import match
from artsound.report.app import write_numbers
from artsound.report.curves import curves, curves_table
from artsound.report.data import Data, open_data
from artsound.report.statistics import report_tables
from artsound.table import Table
from artsound.workspace import Workspace
from tests.report.synthetic import write_report_workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("made") / "w"
    return open_data(
        write_report_workspace(folder, pairs=600, artworks=700, dimension=16, shard=300).root
    )


def _tables(data: Data) -> dict[str, Table]:
    found = report_tables(data, curves(data, lambda what: None))
    for table in found:
        assert all(len(row) == len(table.columns) for row in table.rows), table.name
    return {table.name: table for table in found}


def _row(table: Table, *starts: Any) -> dict[str, Any]:
    rows = [row for row in table.rows if row[: len(starts)] == starts]
    assert len(rows) == 1
    return dict(zip(table.columns, rows[0], strict=True))


def _column(table: Table, at: int) -> list[Any]:
    return [row[at] for row in table.rows]


def test_table_1(made: Data) -> None:
    tables = _tables(made)
    captions = made.image_captions
    assert captions is not None
    lengths = np.array([len(text) for text in captions["caption"].to_pylist()])
    ours = _row(tables["table_1"], "artworks: length (characters)", "ours")
    assert ours["mean"] == pytest.approx(lengths.mean())
    assert (ours["n"], ours["min"], ours["max"]) == (700, lengths.min(), lengths.max())
    papers = _row(tables["table_1"], "music: ACScore", "paper")
    assert (papers["min"], papers["mean"], papers["max"]) == (0.6234, 0.8593, 0.9889)
    accepted = int(pc.sum(captions["accepted"]).as_py())
    threshold = _row(tables["table_1_threshold"], "artworks", "ours")
    assert (threshold["above"], threshold["below"]) == (accepted, 700 - accepted)
    assert _row(tables["table_1_threshold"], "music", "paper")["above"] == 95_837
    used: list[Any] = [row for row in tables["attempts_used"].rows if row[0] == "artworks"]
    assert [row[2] for row in used] == np.bincount(captions["attempts"], minlength=5)[1:].tolist()
    assert sum(row[4] for row in used) == accepted


def test_table_5_has_every_strategy_and_the_papers(made: Data) -> None:
    table = _tables(made)["table_5"]
    assert len(table.rows) == 8
    for strategy, known in paper.STRATEGIES.items():
        assert _row(table, strategy, "paper")["mean"] == known.mean
    similarity = made.pairs["image_caption_audio"]["similarity"].to_numpy()
    ours = _row(table, "image_caption_audio", "ours")
    assert ours["mean"] == pytest.approx(similarity.mean())
    assert ours["sd"] == pytest.approx(similarity.std())


def test_curves_are_those_of_the_matchings(built: Workspace) -> None:
    data = open_data(built.root)
    found = {curve.method: curve for curve in curves(data, lambda what: None)}
    assert found["greedy"].built
    assert not found["optimal"].built
    image, audio = data.vectors("lite-conse", "image"), data.vectors("lite-conse", "audio")
    assert image is not None
    assert audio is not None
    for method in ("greedy", "optimal"):
        expected = match(audio[1], image[1], method)
        assert found[method].similarity == pytest.approx(np.sort(expected.similarity)[::-1])
    assert found["optimal"].similarity.mean() >= found["greedy"].similarity.mean()
    table = curves_table(list(found.values()), "lite-conse")
    assert table.columns == ("pairs", "image_audio, greedy", "image_audio, optimal *")
    assert _row(table, "smallest")["image_audio, greedy"] == found["greedy"].similarity.min()


def test_hubness_of_random_vectors_is_that_of_chance(made: Data) -> None:
    table = _tables(made)["hubness"]
    assert len(table.rows) == 4
    for row in table.rows:
        values: dict[str, Any] = dict(zip(table.columns, row, strict=True))
        assert (values["tracks"], values["artworks"]) == (600, 700)
        assert values["by chance"] == pytest.approx(float(binom(600, 10 / 700).stats("s")))
        assert values["skewness of N_10"] == pytest.approx(values["by chance"], abs=0.5)
        assert values["% by chance"] == pytest.approx(100 * (1 - 10 / 700) ** 600)


def test_near_duplicates_are_those_that_were_planted(made: Data) -> None:
    tables = _tables(made)
    # Captions 1 and 501: one is the text before in capitals, one has a word more.
    same = _row(tables["near_duplicate_captions"], "artworks: the same text")
    assert (same["groups"], same["in a group"], same["largest group"]) == (1, 2, 2)
    alike = _row(tables["near_duplicate_captions"], "artworks: Jaccard 0.8 or more")
    assert (alike["groups"], alike["in a group"]) == (2, 4)
    assert _row(tables["near_duplicate_images"], "the same file")["in a group"] == 2
    assert _row(tables["near_duplicate_images"], "cosine 0.98 or more")["in a group"] == 2


def test_coverage_and_licences_count_every_pair(made: Data) -> None:
    tables = _tables(made)
    styles = tables["coverage_styles"]
    assert sum(_column(styles, 1)) == 600
    counts = Counter(made.splits.values())
    for at, split in enumerate(("train", "test", "validation"), 2):
        assert sum(_column(styles, at)) == counts[split]
    assert len(tables["coverage_genres"].rows) == 16
    assert sum(_column(tables["coverage_subgenres"], 1)) == 1200
    licences = tables["licences"]
    assert sum(_column(licences, 1)) == sum(_column(licences, 2)) == 600
    allowed = _row(licences, "CC-BY-NC-ND-3.0")
    assert (allowed["copies"], allowed["changes"], allowed["commercial"]) == ("yes", "no", "no")


def test_what_was_left_out(built: Workspace) -> None:
    data = open_data(built.root)
    table = _tables(data)["rejected"]
    assert data.tracks is not None
    reasons = Counter(
        reason.partition(":")[0] for reason in data.tracks["reason"].to_pylist() if reason
    )
    found = {row[2]: row[3] for row in table.rows if row[0] == "tracks" and row[1] != "ok"}
    assert found == dict(reasons)


def test_what_models_gave_up_on_is_counted_everywhere(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=40, artworks=50, dimension=4, shard=50)
    failed = {"status": ["failed"], "reason": ["caption failed: no reply"]}
    segment = {
        field.name: pa.array(failed.get(field.name, [None]), field.type)
        for field in schema.SEGMENT_CAPTIONS
    }
    work.commit("segment_captions", 0, pa.table(segment), inputs="made up")
    name = "embeddings/lite-conse/image"
    rows = work.read(name)
    for column, value in (("status", "failed"), ("reason", "embedding failed")):
        values = rows[column].to_pylist()
        values[7] = value
        at = rows.column_names.index(column)
        rows = rows.set_column(at, column, pa.array(values, pa.string()))
    work.commit(name, 0, rows, inputs="made up")
    table = _tables(open_data(work.root))["rejected"]
    assert _row(table, "segment_captions", "failed")["reason"] == "caption failed"
    assert _row(table, name, "failed")["rows"] == 1
    assert _row(table, name, "ok")["rows"] == 49


def test_comparisons_that_were_made_are_shown(built: Workspace, tmp_path: Path) -> None:
    import shutil

    work = tmp_path / "w"
    shutil.copytree(built.root, work)
    assert "table_12" not in _tables(open_data(work))
    (work / "compare").mkdir(exist_ok=True)
    (work / "compare" / "table_12.csv").write_text(
        "strategy,whose,n,min\nartwork-spectrogram,ours,30,0.25\nx,needs --text-to-image,,\n"
    )
    table = _tables(open_data(work))["table_12"]
    assert table.rows[0] == ("artwork-spectrogram", "ours", 30, 0.25)
    assert table.rows[1] == ("x", "needs --text-to-image", None, None)
    # The file does not say by which recipe it was made, so neither does the report.
    assert "run it again after a rebuild" in table.notes[0]
    assert "the recipe's embedder" not in table.notes[0]


@pytest.mark.parametrize("text", [b"", b"\n", b"a,b\n1\n", b"a\n\xff\n", b'a,b\n"1,2\n'])
def test_a_damaged_comparison_is_named(tmp_path: Path, text: bytes) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=12, artworks=14, dimension=4, shard=20)
    (work.root / "compare").mkdir()
    path = work.root / "compare" / "table_12.csv"
    path.write_bytes(text)
    with pytest.raises(ArtsoundError, match=r"table_12\.csv is not what .* run it again") as found:
        _tables(open_data(work.root))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "text", ["strategy,artwork_id\nx,y\n", "strategy,track_id,artwork_id\nx,y,z\n", ""]
)
def test_damaged_pairs_of_a_comparison_are_named(tmp_path: Path, text: str) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=12, artworks=14, dimension=4, shard=20)
    (work.root / "compare").mkdir()
    (work.root / "compare" / "table_12_pairs.csv").write_text(text)
    with pytest.raises(ArtsoundError, match=r"table_12_pairs\.csv is not what .* run it again"):
        write_numbers(open_data(work.root), tmp_path / "out")


@pytest.mark.parametrize("until", ["", "artworks", "image_captions", "tracks"])
def test_missing_stages_give_the_tables_they_can(tmp_path: Path, until: str) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=40, artworks=50, dimension=4, shard=20)
    for name in work.tables():
        if name not in (until, "artworks" if until else ""):
            work.drop(name)
    names = set(_tables(open_data(work.root)))
    assert ("table_1" in names) == (until == "image_captions")
    assert ("rejected" in names) == bool(until)
    assert "table_5" not in names
