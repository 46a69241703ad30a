"""`art2mus benchmark run`: predictions as they come, continued after a kill, never mixed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from art2mus.benchmark.models.registry import make
from art2mus.benchmark.predictions import read_record
from art2mus.benchmark.results import read_results
from art2mus.benchmark.run import Ran, RunSettings, run, seed_of
from art2mus.data import Release, open_release
from artsound.errors import UsageError
from tests.art2mus.benchmark_cli.parts import (
    PAIRS,
    benchmark,
    command,
    environment,
    pair_id,
    write_release,
)

# What it makes of an image depends on all that is generated beside it, as in any network.
SLOW = """
import os, time
import numpy as np


class Slow:
    sample_rate = 8000

    def load(self): ...

    def generate(self, images, seconds, seeds):
        time.sleep(float(os.environ.get("SLOWLY", 0)))
        beside = np.mean([np.asarray(image).mean() for image in images])
        return [
            0.1 * np.random.default_rng(seed).normal(size=int(8000 * seconds)) + beside / 1000
            for seed in seeds
        ]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    write_release(made / "release")
    (made / "slow.py").write_text(SLOW)
    return made


@pytest.fixture(scope="module")
def release(folder: Path) -> Release:
    return open_release(folder / "release")


def contents(folder: Path) -> dict[str, bytes]:
    """Return a folder's files; what a killed process was writing is hidden."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[!.]*"))}


def noise(release: Release, out: Path, **settings: object) -> Ran:
    wanted = RunSettings(**{"split": "train", "seconds": 1.0, **settings})  # type: ignore[arg-type]
    return run(make("noise", {}), release, out, wanted, cache=out.parent)


def test_predictions_and_their_records(release: Release, tmp_path: Path) -> None:
    ran = noise(release, tmp_path / "noise", seed=3)
    assert (ran.made, ran.there) == (PAIRS, 0)
    assert sorted(contents(tmp_path / "noise")) == sorted(
        f"{pair_id(number)}.{kind}" for number in range(PAIRS) for kind in ("json", "wav")
    )
    record = read_record(tmp_path / "noise", pair_id(1))
    assert record is not None
    assert record["model"] == "noise"
    assert record["seed"] == 3
    assert record["pair_seed"] == seed_of(3, pair_id(1))
    assert (record["sample_rate"], record["channels"], record["samples"]) == (16_000, 1, 16_000)
    before = contents(tmp_path / "noise")
    assert noise(release, tmp_path / "noise", seed=3).made == 0
    assert contents(tmp_path / "noise") == before
    assert noise(release, tmp_path / "other", seed=3, batch=3).made == PAIRS
    sounds = {name: data for name, data in before.items() if name.endswith(".wav")}
    other = contents(tmp_path / "other")
    assert {name: other[name] for name in sounds} == sounds


def test_limit_is_a_part_of_the_whole(release: Release, tmp_path: Path) -> None:
    assert noise(release, tmp_path / "a", limit=2).pair_ids == (pair_id(0), pair_id(1))
    assert noise(release, tmp_path / "a").made == PAIRS - 2
    noise(release, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_batches_are_those_of_the_whole_split(
    folder: Path, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that cuts a batch changes none of its music, whatever depends on the batch."""
    monkeypatch.chdir(folder)

    def made(out: Path, *limits: int | None) -> dict[str, bytes]:
        for limit in limits:
            wanted = RunSettings("train", 1.0, limit=limit, batch=2)
            run(make("slow:Slow", {}), release, out, wanted, cache=tmp_path)
        return contents(out)

    whole = made(tmp_path / "whole", None)
    assert made(tmp_path / "parts", 3, 4, None) == whole
    limited = made(tmp_path / "limited", 3)
    assert len(limited) == 6
    assert all(whole[name] == data for name, data in limited.items())


def test_other_music_under_a_records_name_is_not_taken(release: Release, tmp_path: Path) -> None:
    out = tmp_path / "out"
    noise(release, out)
    shutil.copy(out / f"{pair_id(0)}.wav", out / f"{pair_id(1)}.wav")
    with pytest.raises(UsageError, match="not the file that its record tells of"):
        noise(release, out)
    ran = noise(release, out, overwrite=True)
    assert (ran.made, ran.there) == (1, PAIRS - 1)


def test_what_is_overwritten_stays_until_there_is_something_in_its_place(
    release: Release, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    noise(release, out)
    (out / f"{pair_id(1)}.wav").rename(out / f"{pair_id(1)}.flac")
    wanted = RunSettings("train", 1.0, overwrite=True)
    with pytest.raises(UsageError, match="was made otherwise"):
        noise(release, out)
    assert (out / f"{pair_id(1)}.flac").exists()
    run(make("noise", {}), release, out, wanted, cache=tmp_path)
    assert not (out / f"{pair_id(1)}.flac").exists()


def test_what_was_made_otherwise_is_not_continued(
    folder: Path, release: Release, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    noise(release, out, limit=2)
    for said, change in (
        ("seed 0, now 1", {"seed": 1}),
        ("seconds 1.0, now 2.0", {"seconds": 2.0}),
        ("batch 1, now 2", {"batch": 2}),
    ):
        with pytest.raises(UsageError, match=said):
            noise(release, out, **change)
    elsewhere = open_release(write_release(tmp_path / "release", pairs=3))
    with pytest.raises(UsageError, match="release"):
        noise(elsewhere, out)
    with pytest.raises(UsageError, match="model noise, now silence"):
        run(make("silence", {}), release, out, RunSettings("train", 1.0), cache=tmp_path)
    (out / f"{pair_id(1)}.json").unlink()
    with pytest.raises(UsageError, match="no record of this command"):
        noise(release, out)
    before = contents(out)
    assert noise(release, out, seed=1, overwrite=True).made == PAIRS
    assert contents(out)[f"{pair_id(0)}.wav"] != before[f"{pair_id(0)}.wav"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seconds": 0.5}, "seconds = 0.5: give 1 to 600"),
        ({"batch": 0}, "batch = 0"),
        ({"limit": 0}, "limit = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"split": "nope"}, "has no split 'nope'"),
    ],
)
def test_settings_that_cannot_be(
    change: dict[str, object], said: str, release: Release, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        noise(release, tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        noise(release, tmp_path / "file")


def test_a_killed_run_continues_and_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = [
        "run",
        "slow:Slow",
        folder / "release",
        "--split",
        "train",
        "--seconds",
        "1",
    ]
    arguments += ["--batch", "2", "--metric", "spectrum-kl", "--cache", tmp_path / "cache", "-q"]
    whole = benchmark(*arguments, "--out", tmp_path / "whole", cwd=folder)
    assert whole.returncode == 0, whole.stderr
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        command(*arguments, "--out", killed),
        cwd=folder,
        env={**environment(), "SLOWLY": "1"},
    )
    deadline = time.monotonic() + 120
    while len(list(killed.glob("[!.]*.wav"))) < 2:  # a hidden file is one being written
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = len(list(killed.glob("[!.]*.wav")))
    assert 2 <= there < PAIRS
    # As if the kill had come between the two files of a batch: it is made again as a whole.
    (killed / f"{pair_id(1)}.wav").unlink()
    resumed = benchmark(*arguments, "--out", killed, cwd=folder)
    assert resumed.returncode == 0, resumed.stderr
    assert f"({there - 1} were there)" in resumed.stdout
    found, wanted = contents(killed), contents(tmp_path / "whole")
    for name, data in wanted.items():
        if name != "results.json":
            assert found[name] == data, name
    results = read_results(killed / "results.json")
    assert results.predictions == read_results(tmp_path / "whole" / "results.json").predictions
    assert results.model == "slow:Slow"
    assert results.predictions.seeds == [0]
    # Other code is another model.
    (folder / "slow.py").write_text(f"{SLOW}\n# changed")
    changed = benchmark(*arguments, "--out", killed, cwd=folder)
    assert changed.returncode == 2
    assert "source_sha256" in changed.stderr


def test_limited_runs_are_partial(folder: Path, tmp_path: Path) -> None:
    common: list[str | Path] = [
        folder / "release",
        "--split",
        "train",
        "--seconds",
        "1",
        "--metric",
        "spectrum-kl",
    ]
    common += ["--cache", tmp_path / "cache", "-q"]
    for name in ("noise", "shuffled"):
        done = benchmark("run", name, *common, "--out", name, "--limit", "3", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "partial results" in done.stdout
    silence = benchmark("run", "silence", *common, "--out", "silence", cwd=tmp_path)
    assert silence.returncode == 0, silence.stderr
    assert not read_results(tmp_path / "silence" / "results.json").partial
    results = read_results(tmp_path / "noise" / "results.json")
    assert results.partial
    assert results.predictions.count == 3
    assert len(results.predictions.missing) == PAIRS - 3
    table = benchmark("table", "noise", "shuffled", "--no-paper", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert "noise (partial)" in table.stdout
    mixed = benchmark("table", "noise", "silence", cwd=tmp_path)
    assert mixed.returncode == 2
    assert "pairs (3 of 5, 5)" in mixed.stderr
    facts = json.loads((tmp_path / "noise" / "results.json").read_text())["model_details"]
    assert facts["takes"] == "nothing"
