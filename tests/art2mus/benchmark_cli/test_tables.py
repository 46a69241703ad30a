"""Tables of results, and whether two of them differ by more than noise."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from art2mus.benchmark.comparable import check_comparable, conditions
from art2mus.benchmark.compare import compare, comparison_table, holm, paired_bootstrap
from art2mus.benchmark.csv_tables import comparison_in_full, csv_tables
from art2mus.benchmark.leaderboard import leaderboard, number
from art2mus.benchmark.results import Results, read_results, write_results
from artsound.errors import UsageError
from tests.art2mus.benchmark_cli.parts import benchmark

HASH = "a" * 64


def metric(name: str, values: list[float] | None, value: float | None = None) -> dict[str, Any]:
    higher = None if name == "kl-sigmoid" else name.startswith(("score", "retrieval-r1"))
    mean = float(np.mean(values)) if values else value
    return {
        "metric": name,
        "version": "1",
        "value": mean,
        "higher_is_better": higher,
        "interval": None if mean is None else (mean - 0.1, mean + 0.1),
        "n": 3 if values is None else len(values),
        "details": {"undefined": "it is silent"} if mean is None else {"interval_of": "the pairs"},
        "items": values and {f"p{n}": one for n, one in enumerate(values)},
        "embedder": "spectrum" if name == "spectrum-kl" else name.rpartition("-")[2],
        "checkpoint": "weights",
        "checkpoint_hash": HASH,
        "embedder_sample_rate": 16_000,
    }


def results(model: str, values: list[float], **changes: Any) -> Results:
    fad = changes.pop("fad", 1.5)
    content: dict[str, Any] = {
        "model": model,
        "suite": "lite",
        "dataset": {
            "name": "me/artsound",
            "revision": "0123456789abcdef",
            "fingerprint": "f" * 64,
            "split": "test",
            "pairs": len(values),
        },
        "predictions": {
            "fingerprint": "e" * 64,
            "count": len(values),
            "sample_rates": [16_000],
            "shortest_s": 10.0,
            "longest_s": 10.0,
            "heard_s": 10.0,
            "short": 0,
        },
        "clip_s": 10.0,
        "partial": False,
        "seed": 0,
        "code_version": "0",
        "hardware": "CPU",
        "seconds": 1.0,
        "results": [
            metric("fad-infinity-vggish", None, 1.0),
            metric("fad-vggish", None, fad),
            metric("spectrum-kl", [value / 100 for value in values]),
            metric("score-artwork-conse", values),
            metric("score-music-conse", values),
        ],
    }
    for key, value in changes.items():
        if isinstance(value, dict):
            content[key] = content.get(key, {}) | value
        else:
            content[key] = value
    return Results.model_validate(content)


VALUES = [0.1, 0.2, 0.3]


def test_table_7() -> None:
    mine = results(
        "Mine", VALUES, model_details={"encoder": "eyes", "tokens": 8, "training_hours": 1200}
    )
    other = results("Other", [0.2, 0.3, 0.4], fad=None)
    table, everything = leaderboard({"a.json": mine, "b.json": other})
    assert table.columns[5:] == ("FAD ↓", "KL-Div ↓", "IBSc Artw-GeMus ↑", "IBSc GtMus-GeMus ↑")
    assert table.rows[0] == (
        *("ours", "Mine", "eyes", "1,200", "8"),
        *("1.5", "0.002", "0.2 †", "0.2 †"),
    )
    assert table.rows[1][5] == "-"
    assert [row[0] for row in table.rows] == ["ours"] * 2 + ["paper"] * 5
    assert table.rows[2][1:] == (
        *("Art2Mus", "ImageBind", "2.6", "16"),
        *("13", "0.00296", "0.04671", "0.20368"),
    )
    said = " ".join(table.notes)
    assert "me/artsound@0123456789ab" in said
    assert "FAD: fad-vggish at 16000 Hz" in said
    assert "† IBSc Artw-GeMus rests on conse, not on ImageBind" in said
    assert "FAD is on VGGish embeddings (section 5.3)" in said
    assert everything.rows[1][:3] == ("fad-vggish ↓", "the pairs", "1.5 [1.4, 1.6]")
    assert "they do not cover" in everything.notes[0]
    assert "Undefined for Other: fad-vggish: it is silent." in everything.notes
    latex = table.latex()
    assert r"FAD $\downarrow$" in latex
    assert r"0.2 \textdagger{}" in latex
    assert "↓" not in latex
    assert "†" not in latex
    ordered = leaderboard({"a": mine, "b": other}, paper=False, sort="score-music-conse")[0]
    assert [row[1] for row in ordered.rows] == ["Other", "Mine"]
    last = leaderboard({"b": other, "a": mine}, paper=False, sort="fad-vggish")[0]
    assert [row[1] for row in last.rows] == ["Mine", "Other"]
    with pytest.raises(UsageError, match="--sort fad: the results have fad-infinity"):
        leaderboard({"a": mine}, sort="fad")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_every_number_in_full_and_its_conditions() -> None:
    mine = results("Mine", [0.1, 0.2, 0.2], model_details={"training_hours": 1200})
    table, metrics = (rows_of(one.csv()) for one in csv_tables({"a.json": mine}))
    assert [row["By"] for row in table] == ["ours"] + ["paper"] * 5
    first, paper = table[0], table[-1]
    assert float(first["IBSc GtMus-GeMus"]) == mine.results[4].value
    assert (first["FAD metric"], first["Train size (hrs)"]) == ("fad-vggish", "1200")
    assert first["Release"] == f"me/artsound@0123456789ab (content {'f' * 12})"
    assert (first["Split"], first["Clip length"], first["Suite"]) == ("test", "10 s", "lite")
    assert "rests on conse, not on ImageBind" in first["Notes"]
    assert (paper["Model"], float(paper["FAD"])) == ("Mozart's Touch", 19.0)
    assert "as printed in its table 7" in paper["Notes"]
    assert len(metrics) == 5
    score = metrics[4]
    assert float(score["Value"]) == mine.results[4].value
    assert (score["Metric"], score["Better"], score["Items"]) == (
        "score-music-conse",
        "higher",
        "3",
    )
    assert (score["Interval over"], score["File"]) == ("the pairs", "a.json")


def test_the_papers_rows_stand_apart() -> None:
    named = {"a.json": results("Mine", VALUES), "b.json": results("Other", VALUES)}
    table = leaderboard(named)[0]
    assert table.rows[0][2:5] == ("-", "-", "-")  # what is not known, as in the paper's rows
    latex = table.latex().splitlines()
    rules = [place for place, line in enumerate(latex) if line == r"\midrule"]
    assert [latex[place + 1].split(" & ")[0] for place in rules] == ["ours", "paper"]
    lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in lines[2:6]] == ["ours", "ours", "", "paper"]
    assert lines[4].replace("|", "").strip() == ""
    assert table.rich().row_count == len(table.rows) + 1
    alone = leaderboard(named, paper=False)[0]
    assert alone.latex().count(r"\midrule") == 1
    assert alone.rich().row_count == 2


def test_what_metrics_remark_is_under_both_tables() -> None:
    said = "140 frames are too few"
    mine = results("Mine", VALUES)
    noted = mine.results[1].model_copy(update={"details": {"note": said}})
    mine = mine.model_copy(update={"results": [mine.results[0], noted, *mine.results[2:]]})
    named = {"a.json": mine, "b.json": mine.model_copy(update={"model": "Other"})}
    for table in leaderboard(named):
        assert f"fad-vggish of Mine, Other: {said}." in table.notes
    first, metrics = (rows_of(one.csv()) for one in csv_tables({"a.json": mine}))
    assert said in first[0]["Notes"]
    assert [row["Note"] for row in metrics] == ["", said, "", "", ""]
    assert said not in " ".join(leaderboard({"b.json": results("Other", VALUES)})[0].notes)


def test_rows_of_equal_names_are_told_apart() -> None:
    mine = results("Mine", VALUES)
    table, everything = leaderboard({"a.json": mine, "b.json": mine, "c.json": changed()})
    assert [row[1] for row in table.rows[:3]] == ["Mine #1", "Mine #2", "Other"]
    assert everything.columns[2:] == ("Mine #1", "Mine #2", "Other")
    assert "Mine #1: a.json; Mine #2: b.json." in table.notes


def test_other_lengths_are_marked_where_they_are_taken() -> None:
    short = changed(predictions={"heard_s": 1.5, "shortest_s": 1.0, "longest_s": 2.0, "short": 3})
    named = {"a.json": results("Mine", VALUES), "b.json": short}
    table = leaderboard(named, any_length=True)[0]
    assert [row[1] for row in table.rows[:2]] == ["Mine", "Other (short clips)"]
    assert any("3 of 3 clips are shorter than 10 s (the shortest 1 s)" in n for n in table.notes)
    assert compare(*named.values(), any_length=True).second == "Other (short clips)"
    # A few clips that are short, as in any collection of real music, are only said.
    few = changed(predictions={"heard_s": 9.9, "shortest_s": 1.6, "short": 1})
    assert leaderboard({"a.json": results("Mine", VALUES), "b.json": few})


def control(name: str, kl: list[float], fad: float) -> Results:
    made = results(name, VALUES, fad=fad, model_details={"registry": name})
    held = [metric("kl-softmax-x", kl), metric("kl-sigmoid", kl)]
    one = [Results.model_validate(made.model_dump() | {"results": held}).results]
    return made.model_copy(update={"results": [made.results[1], *one[0]]})


def test_controls_out_of_order_are_named() -> None:
    named = {
        "t": control("ground-truth", [0.0, 0.0, 0.0], 0.0),
        "x": control("shuffled", [2.9, 3.0, 3.0], 0.0),
        "s": control("silence", [1.9, 2.0, 1.8], 80.0),
    }
    notes = leaderboard(named)[1].notes
    assert any(
        "shuffled ties with ground-truth by fad-vggish: to metrics" in note for note in notes
    )
    assert any("kl-softmax-x puts silence before shuffled." in note for note in notes)
    assert "Neither end is the better one of kl-sigmoid." in notes


def test_a_metric_without_a_direction_has_no_winner() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 60))
    found = compare(control("A", a.tolist(), 1.0), control("B", (b + 5).tolist(), 1.0))
    softmax, sigmoid = found.differences
    assert softmax.more_than_noise
    assert sigmoid.more_than_noise
    assert (softmax.better, sigmoid.better) == ("A", "")
    assert comparison_table(found).rows[1][1] == "yes, neither end is the better one"
    with pytest.raises(UsageError, match="neither end of it is the better one"):
        leaderboard({"a": control("A", VALUES, 1.0)}, sort="kl-sigmoid")


def changed(**changes: Any) -> Results:
    return results("Other", VALUES, **changes)


def own_rates(rate: int) -> Results:
    """A metric on clips at their own rates, and the rate of these."""
    held = changed(predictions={"sample_rates": [rate]})
    one = held.results[2].model_copy(update={"embedder_sample_rate": None})
    return held.model_copy(update={"results": [*held.results[:2], one, *held.results[3:]]})


def versions() -> Results:
    held = changed()
    one = held.results[1].model_copy(update={"version": "2", "checkpoint_hash": "b" * 64})
    return held.model_copy(update={"results": [held.results[0], one, *held.results[2:]]})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (changed(dataset={"fingerprint": "0" * 64}), "release (me/artsound@0123456789ab (content"),
        (changed(dataset={"split": "train"}), "split (test, train)"),
        (changed(clip_s=5.0), "clip length (10 s, 5 s)"),
        (changed(clip_s=None), "clip length (10 s, whole)"),
        (changed(suite="paper"), "suite (lite, paper)"),
        (changed(seed=1), "seed of the metrics (0, 1)"),
        (changed(partial=True, predictions={"missing": ["p3"]}), "pairs (3, 3 of 3)"),
        (changed(results=[metric("fad-vggish", None, 1.0)]), "spectrum-kl (version 1, spectrum aa"),
        (
            versions(),
            f"fad-vggish (version 1, vggish {HASH[:12]} at 16000 Hz, version 2, vggish {'b' * 12}",
        ),
        (
            changed(predictions={"heard_s": 1.0, "shortest_s": 1.0, "short": 3}),
            "seconds heard of a clip (on average 10, 1; --any-length takes them together",
        ),
        (own_rates(44_100), "the clips' own 44100 Hz"),
    ],
)
def test_other_conditions_are_named(other: Results, said: str) -> None:
    mine = results("Mine", VALUES)
    for refuse in (
        lambda: leaderboard({"a.json": mine, "b.json": other}),
        lambda: csv_tables({"a.json": mine, "b.json": other}),
        lambda: compare(mine, other, names=("a.json", "b.json")),
    ):
        with pytest.raises(UsageError, match=r"a\.json and b\.json cannot be compared") as error:
            refuse()
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_the_same_release_elsewhere_is_the_same() -> None:
    mine = results("Mine", VALUES)
    check_comparable({"a": mine, "b": changed(dataset={"name": "copy", "revision": None})})
    part = {"partial": True, "predictions": {"missing": ["p3"]}}
    check_comparable({"a": changed(**part), "b": changed(**part)})
    with pytest.raises(UsageError, match="pairs"):
        check_comparable(
            {"a": changed(**part), "b": changed(partial=True, predictions={"missing": ["p4"]})}
        )
    assert conditions(mine)["split"].shown == "test"


def test_a_real_difference_is_told_from_noise() -> None:
    random = np.random.default_rng(0)
    hard = random.normal(0, 1, 60)  # items differ far more than models do: pairing matters
    base = hard + random.normal(0, 0.05, 60)
    better = hard + 0.1 + random.normal(0, 0.05, 60)
    found = compare(results("A", base.tolist()), results("B", better.tolist()))
    score = next(one for one in found.differences if one.metric == "score-artwork-conse")
    assert score.difference == pytest.approx(-0.1, abs=0.02)
    assert score.interval[0] < score.difference < score.interval[1] < 0
    assert score.more_than_noise
    assert score.better == "B"
    kl = next(one for one in found.differences if one.metric == "spectrum-kl")
    assert kl.better == "A"  # lower is better there
    assert found.without == ("fad-infinity-vggish", "fad-vggish")
    same = compare(
        results("A", base.tolist()), results("B", (base + random.normal(0, 0.5, 60)).tolist())
    )
    assert not any(one.more_than_noise for one in same.differences)
    again = compare(results("A", base.tolist()), results("B", better.tolist()))
    assert again == found
    table = comparison_table(found)
    assert table.rows[0][1] == "yes, A is better"
    nothing = compare(results("A", VALUES), results("A", VALUES), names=("x", "x"))
    assert {one.p for one in nothing.differences} == {1.0}
    assert nothing.first == "A (A)"
    assert "3 pairs are few" in comparison_table(nothing).notes[-1]


def test_a_comparison_as_csv_has_numbers_in_full() -> None:
    one, other = results("A", [0.1, 0.2, 0.4]), results("B", [0.3, 0.3, 0.1])
    found = compare(one, other)
    rows = rows_of(comparison_in_full(found, one, other, ("a.json", "b.json")).csv())
    assert [row["Metric"] for row in rows] == [each.metric for each in found.differences]
    for row, each in zip(rows, found.differences, strict=True):
        names = ("First value", "Second value", "Difference", "Low", "High", "p", "p (Holm)")
        numbers = (each.first, each.second, each.difference, *each.interval, each.p, each.p_holm)
        assert tuple(float(row[name]) for name in names) == numbers
    row = rows[0]
    assert (row["First"], row["Second"], row["More than noise"], row["Items"]) == (
        *("A", "B", "no", "3"),
    )
    assert (row["Split"], row["Suite"], row["First file"]) == ("test", "lite", "a.json")


def test_swapping_the_two_only_turns_signs() -> None:
    a, b = results("A", [0.1, 0.5, 0.3, 0.9]), results("B", [0.2, 0.4, 0.1, 0.3])
    for one, other in zip(compare(a, b).differences, compare(b, a).differences, strict=True):
        assert one.difference == -other.difference
        assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))
        assert one.better == other.better


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(400):
        a, b = random.normal(size=(2, 50))
        alarms += paired_bootstrap(a, b, random, 400)[2] < 0.05
    assert 8 <= alarms <= 36  # 20 expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm(ps: list[float]) -> None:
    found = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, found, strict=True))
    assert all(q <= min(1.0, p * len(ps)) + 1e-12 for p, q in zip(ps, found, strict=True))
    order = np.argsort(ps, kind="stable")
    assert all(np.diff(np.array(found)[order]) >= 0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.floats(-1e6, 1e6))
def test_numbers_read_back(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=1e-3, abs=1e-9)


def test_the_command_line(tmp_path: Path) -> None:
    write_results(tmp_path / "a.json", results("A|B_1", VALUES))
    write_results(tmp_path / "b.json", results("Other", [0.2, 0.3, 0.4]))
    shown = benchmark("table", "a.json", "b.json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "| paper | Mozart's Touch |" in shown.stdout
    assert r"A\|B" in shown.stdout
    for suffix, part in (
        (".csv", "By,Model,Emb. model"),
        (".tex", r"\toprule"),
        (".md", "| By | Model |"),
    ):
        done = benchmark("table", "a.json", "--out", f"t{suffix}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert part in (tmp_path / f"t{suffix}").read_text()
    assert "fad-vggish" in (tmp_path / "t-metrics.csv").read_text()
    twice = benchmark("table", "a.json", tmp_path / "a.json", "--no-paper", cwd=tmp_path)
    assert twice.stdout.count("| ours |") == 1  # one file is one row
    printed = benchmark("table", "a.json", "--format", "csv", cwd=tmp_path)
    assert len(rows_of(printed.stdout)) == 6
    written = benchmark("compare", "a.json", "b.json", "--out", "c.csv", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    (first, *_) = rows_of((tmp_path / "c.csv").read_text())
    assert float(first["Low"]) <= float(first["Difference"]) <= float(first["High"])
    compared = benchmark("compare", "a.json", "b.json", cwd=tmp_path)
    assert compared.returncode == 0
    assert "More than noise" in compared.stdout
    for arguments, code, said in (
        (("table", "a.json", "--out", "t.docx"), 2, "name it .md, .csv or .tex"),
        (("table", "nowhere.json"), 1, "nowhere.json cannot be read"),
        (("compare", "a.json", "t.csv"), 1, "t.csv is no results.json"),
    ):
        wrong = benchmark(*arguments, cwd=tmp_path)
        assert wrong.returncode == code
        assert said in wrong.stderr
    listed = benchmark("models", cwd=tmp_path)
    for word in (
        "mozarts-touch",
        "prompt is ours",
        "CC-BY-NC-4.0",
        "endpoint (needed)",
        "module:Class",
    ):
        assert word in listed.stdout
    known = benchmark("metrics", cwd=tmp_path)
    assert "spectrum-kl" in known.stdout
    assert "fad-vggish" in benchmark("metrics", "--names", cwd=tmp_path).stdout.splitlines()
    assert read_results(tmp_path / "a.json").model == "A|B_1"
