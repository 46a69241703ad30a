"""From files of answers to tables, on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from art2mus.listening.collect import collect
from art2mus.listening.documents import Answers
from art2mus.listening.serve import LIMIT
from art2mus.listening.store import AnswerStore
from artsound.errors import UsageError
from tests.art2mus.listening.conftest import Made
from tests.art2mus.listening.listeners import answers, at_random, text
from tests.art2mus.listening.programs import listen


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rejects_with_reasons(made: Made, tmp_path: Path) -> None:
    key = made.key
    folder = tmp_path / "downloads"
    folder.mkdir()
    one, two = at_random(key, 1), at_random(key, 2)
    partial = at_random(key, 4)
    partial["answers"].pop()
    for name, content in {
        "a.json": text(one),
        "b.json": json.dumps(one, indent=2),
        "c.json": text(two | {"rater": one["rater"]}),
        "d.json": text(partial),
        "e.json": text(at_random(key, 5) | {"test": "0" * 16}),
        "f.json": "not json",
        "g.json": "{" + " " * LIMIT,
        "h.json": "SQLite formax 3" + "\0" * 100,
        "ignored.txt": "not ours",
    }.items():
        (folder / name).write_text(content)
    database = tmp_path / "answers.sqlite"
    store = AnswerStore(database)
    store.add(Answers.model_validate(two))
    store.add(Answers.model_validate(one))
    found = collect(key, [folder, database])
    assert [answer.rater for answer in found.answers] == [one["rater"], two["rater"]]
    told = [(Path(no.source).name, no.rater, no.reason.partition(":")[0]) for no in found.rejected]
    assert told == [
        ("b.json", one["rater"], "duplicate"),
        ("c.json", one["rater"], "duplicate"),
        ("d.json", partial["rater"], "partial"),
        ("e.json", f"{5:016x}", "foreign"),
        ("f.json", "", "malformed"),
        ("g.json", "", "malformed"),
        ("h.json", "", "malformed"),
        ("answers.sqlite row 1", one["rater"], "duplicate"),
    ]
    assert "the same as in" in found.rejected[0].reason
    assert "unlike in" in found.rejected[1].reason
    assert "more than" in found.rejected[5].reason
    assert "neither the JSON of answers nor SQLite" in found.rejected[6].reason
    with pytest.raises(UsageError, match="No such file"):
        collect(key, [tmp_path / "nothing.json"])
    with pytest.raises(UsageError, match=r"no \.json"):
        collect(key, [made.page])


def test_prints_and_writes_table_9(made: Made, tmp_path: Path) -> None:
    key = made.key

    def opinion(shift: int) -> dict[str, object]:
        # By model, artwork and question, so that every number below follows by hand.
        def score(model: str, artwork: int, question: int) -> int:
            if model == "ground-truth":
                return 5 if shift < 2 else 1
            return {"reedpipe": 1, "handbell": 2}[model] + shift + (question == 3 and artwork == 0)

        return answers(
            key, f"{shift:016x}", score, lambda a: "handbell" if a else "reedpipe", "musician"
        )

    files = []
    for shift in range(3):
        files.append(tmp_path / f"{shift}.json")
        files[-1].write_text(text(opinion(shift)))
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    out = tmp_path / "results"
    ran = listen("collect", made.key_file, *files, bad, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert f"rejected: {bad}: malformed" in ran.stdout
    assert "3 answers count, 1 rejected" in ran.stdout
    assert "1 of 3 raters rates the audio quality of the ground truth below" in ran.stdout
    assert "`--drop-flagged` leaves them out" in ran.stdout
    assert f"{2:016x}" not in ran.stdout
    table = rows(out / "table_9.csv")
    assert [(row["model"], row["whose"]) for row in table] == [
        ("reedpipe", "ours"),
        ("handbell", "ours"),
        ("ground-truth", "hidden anchor"),
        ("Art2Mus (CLIP only artws)", "paper"),
        ("Art2Mus (ImageBind only artws)", "paper"),
    ]
    numbers = [[float(value) for value in list(row.values())[2:]] for row in table]
    assert numbers[0] == pytest.approx([2, 2, 2, 2 + 1 / 3])
    assert numbers[1] == pytest.approx([3, 3, 3, 3 + 1 / 3])
    assert numbers[2] == pytest.approx([11 / 3] * 4)
    assert numbers[3:] == [[2.72, 3.10, 2.91, 2.88], [2.74, 3.02, 2.87, 2.79]]
    shares = [float(row["share"]) for row in rows(out / "preferences.csv")]
    assert shares == pytest.approx([1 / 3, 2 / 3, 0])
    assert [row["times"] for row in rows(out / "preferences.csv")] == ["3", "6", "0"]
    assert [row["reason"].partition(":")[0] for row in rows(out / "rejected.csv")] == ["malformed"]
    flags = {row["rater"]: row["anchor"] for row in rows(out / "raters.csv")}
    assert flags == {f"{0:016x}": "ok", f"{1:016x}": "ok", f"{2:016x}": "low"}
    differences = rows(out / "differences.csv")
    assert float(differences[0]["mean"]) == -1
    assert differences[0]["more than noise"] == ""  # all three raters differ by one: no spread
    beyond = {row["models"]: row for row in differences}["handbell - ground-truth"]
    assert beyond["more than noise"] == "no"
    assert -4 <= float(beyond["from"]) < float(beyond["mean"]) < float(beyond["to"]) <= 4
    for name in ("table_9", "table_9_intervals", "preferences", "agreement", "raters"):
        assert (out / f"{name}.md").read_text().startswith("**")
        assert r"\toprule" in (out / f"{name}.tex").read_text()

    again = tmp_path / "again"
    assert (
        listen("collect", made.key_file, *files, bad, "--out", again).stdout.replace(
            str(again), str(out)
        )
        == ran.stdout
    )
    for path in out.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()

    dropped = listen("collect", made.key_file, *files, "--out", out, "--drop-flagged")
    assert dropped.returncode == 0
    assert "Left out by `--drop-flagged`: 1, for rating" in dropped.stdout
    left_out = [row["rater"] for row in rows(out / "raters.csv") if "left out" in row["anchor"]]
    assert left_out == [f"{2:016x}"]
    numbers = [
        [float(value) for value in list(row.values())[2:]] for row in rows(out / "table_9.csv")
    ]
    assert numbers[0] == pytest.approx([1.5, 1.5, 1.5, 1.5 + 1 / 3])


def test_one_listener_has_no_interval_and_none_is_an_error(made: Made, tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    one.write_text(text(at_random(made.key, 1)))
    out = tmp_path / "out"
    assert listen("collect", made.key_file, one, "--out", out).returncode == 0
    assert {row["from"] for row in rows(out / "table_9_intervals.csv")} == {""}
    assert {row["alpha, models"] for row in rows(out / "agreement.csv")} == {""}
    bad = tmp_path / "bad.json"
    bad.write_text("[]")
    ran = listen("collect", made.key_file, bad, "--out", out)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "none of 1 answers can be counted" in ran.stderr
    assert len(rows(out / "rejected.csv")) == 1
    assert listen("collect", one, one).returncode == 2


def test_builds_on_the_command_line(
    released: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    page = tmp_path / "page"
    given = [f"--model={name}={folder}" for name, folder in models.items()]
    common = ("build", "--release", released, "--split", "train", "--out", page)
    ran = listen(*common, *given, "--artworks", 2, "--raters", 4, "--no-anchor")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stderr.splitlines()  # no terminal here: a line a stage, and no empty ones
    assert [line.split(",")[0] for line in lines if "0 of" not in line] == [
        "reading: 2 of 2",
        "levelling: 4 of 4",
    ]
    assert "2 artworks with 2 tracks each, 1.20 s" in ran.stdout
    assert "note: all clips are cut to 1.20 s" in ran.stdout
    assert f"art2mus listen serve {page}" in ran.stdout
    ran = listen(*common, *given)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    ran = listen(*common, "--model", "reedpipe")
    assert ran.returncode == 2
    assert "give NAME=DIR" in ran.stderr
    ran = listen(*common, given[0], given[0])
    assert "given twice" in ran.stderr
