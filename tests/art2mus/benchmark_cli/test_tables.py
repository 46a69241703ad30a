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

from art2mus.benchmark.compare import compare, comparison_table, holm, paired_bootstrap
from art2mus.benchmark.leaderboard import check_comparable, conditions, flat, leaderboard, number
from art2mus.benchmark.results import Results, read_results, write_results
from artsound.errors import UsageError
from tests.art2mus.benchmark_cli.parts import benchmark

HASH = "a" * 64


def metric(name: str, values: list[float] | None, value: float | None = None) -> dict[str, Any]:
    higher = name.startswith(("score", "retrieval-r1"))
    mean = float(np.mean(values)) if values else value
    return {
        "metric": name,
        "version": "1",
        "value": mean,
        "higher_is_better": higher,
        "interval": None if mean is None else (mean - 0.1, mean + 0.1),
        "n": 3 if values is None else len(values),
        "details": {"undefined": "it is silent"} if mean is None else {},
        "items": values and {f"p{n}": one for n, one in enumerate(values)},
        "embedder": name.rpartition("-")[2],
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
    assert table.rows[0] == ("ours", "Mine", "eyes", "1,200", "8", "1.5", "0.002", "0.2", "0.2")
    assert table.rows[1][5] == "-"
    assert [row[0] for row in table.rows] == ["ours"] * 2 + ["paper"] * 5
    assert table.rows[2][1:] == (
        *("Art2Mus", "ImageBind", "2.6", "16"),
        *("13", "0.00296", "0.04671", "0.20368"),
    )
    said = " ".join(table.notes)
    assert "me/artsound@0123456789ab" in said
    assert "FAD: fad-vggish" in said
    assert "cosines of conse, not of ImageBind" in said
    assert everything.rows[1][:2] == ("fad-vggish ↓", "1.5 [1.4, 1.6]")
    assert "Undefined for Other: fad-vggish: it is silent." in everything.notes
    latex = table.latex()
    assert r"FAD $\downarrow$" in latex
    assert "↓" not in latex
    ordered = leaderboard({"a": mine, "b": other}, paper=False, sort="score-music-conse")[0]
    assert [row[1] for row in ordered.rows] == ["Other", "Mine"]
    last = leaderboard({"b": other, "a": mine}, paper=False, sort="fad-vggish")[0]
    assert [row[1] for row in last.rows] == ["Mine", "Other"]
    with pytest.raises(UsageError, match="--sort fad: the results have fad-infinity"):
        leaderboard({"a": mine}, sort="fad")


def test_csv_has_every_number_in_full() -> None:
    mine = results("Mine", [0.1, 0.2, 0.2])
    rows = list(csv.DictReader(io.StringIO(flat({"a": mine}).csv())))
    assert len(rows) == 5 + 4 * 5
    score = next(row for row in rows if row["metric"] == "score-music-conse")
    assert float(score["value"]) == mine.results[4].value
    assert (score["by"], score["better"], score["n"]) == ("ours", "higher", "3")
    paper = next(row for row in rows if row["model"] == "Mozart's Touch")
    assert (paper["by"], float(paper["value"])) == ("paper", 19.0)


def changed(**changes: Any) -> Results:
    return results("Other", VALUES, **changes)


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
        (changed(results=[metric("fad-vggish", None, 1.0)]), "spectrum-kl (version 1, kl aaa"),
        (versions(), f"fad-vggish (version 1, vggish {HASH[:12]}, version 2, vggish {'b' * 12})"),
    ],
)
def test_other_conditions_are_named(other: Results, said: str) -> None:
    mine = results("Mine", VALUES)
    for refuse in (
        lambda: leaderboard({"a.json": mine, "b.json": other}),
        lambda: flat({"a.json": mine, "b.json": other}),
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
    assert conditions(mine)["split"] == "test"


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
    for suffix, part in ((".csv", "by,model"), (".tex", r"\toprule"), (".md", "| By | Model |")):
        done = benchmark("table", "a.json", "--out", f"t{suffix}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert part in (tmp_path / f"t{suffix}").read_text()
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
    for word in ("mozarts-touch", "CC-BY-NC-4.0", "endpoint (needed)", "module:Class"):
        assert word in listed.stdout
    known = benchmark("metrics", cwd=tmp_path)
    assert "spectrum-kl" in known.stdout
    assert "fad-vggish" in benchmark("metrics", "--names", cwd=tmp_path).stdout.splitlines()
    assert read_results(tmp_path / "a.json").model == "A|B_1"
