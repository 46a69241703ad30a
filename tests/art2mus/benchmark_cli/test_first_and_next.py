"""What a run finds out first, and the command that it says comes next."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from art2mus.benchmark.results import read_results
from art2mus.benchmark.score import ScoreSettings
from art2mus.benchmark.score_command import score_command
from tests.art2mus.benchmark_cli.parts import (
    PAIRS,
    benchmark,
    environment,
    pair_id,
    write_release,
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("early") / "release")


def test_what_comes_next_is_said_whole(release: Path, tmp_path: Path) -> None:
    """The command that a run without scores ends with scores what the run would have scored."""
    common: list[str | Path] = [
        release,
        "--split",
        "train",
        "--seconds",
        "1",
        "--metric",
        "spectrum-kl",
    ]
    common += ["--cache", tmp_path / "cache", "-q", "--limit", "2"]
    made = benchmark("run", "noise", *common, "--out", "a b", "--no-score", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    _, _, said = made.stdout.partition("next: ")
    program, group, *arguments = shlex.split(said)
    assert (program, group, arguments[:2]) == ("art2mus", "benchmark", ["score", "a b"])
    scored = benchmark(*arguments, "-q", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    assert scored.stderr.splitlines() == [f"{pair_id(n)}: no prediction" for n in range(2, PAIRS)]
    whole = benchmark("run", "noise", *common, "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    later, at_once = (read_results(tmp_path / at / "results.json") for at in ("a b", "whole"))
    assert later.results == at_once.results
    assert benchmark("compare", "a b", "whole", cwd=tmp_path).returncode == 0


def test_the_next_command_has_what_is_not_usual() -> None:
    how = ScoreSettings("train", "lite", 10.0, checkpoints={"mert": "my mert"})
    assert score_command(Path("out"), "rel", how, name=None, revision="v1") == (
        "art2mus benchmark score out rel --split train --suite lite --weights 'mert=my mert'"
        " --revision v1"
    )
    assert score_command(Path("out"), "rel", ScoreSettings()) == (
        "art2mus benchmark score out rel --split test"
    )


_LIGHT = """
import sys
from art2mus.benchmark_app import app
from artsound.commands import run
code = run(app, "art2mus benchmark")
print(code, *(name for name in ("torch", "datasets", "transformers") if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("noise", "nowhere", "--out", "out", "--seconds", "nan"), "seconds = nan: give 1 to 600"),
        (("noise", "nowhere", "--out", "file.md"), "file.md is a file: predictions are written"),
        (("noise", "nowhere", "--out", "out", "--suite", "papr"), "did you mean 'paper'"),
        (("noise", "nowhere", "--out", "out", "--weights", "x"), "write --weights EMBEDDER=PATH"),
        (("noise", "nowhere", "--out", "out", "--set", "a=1"), "no such setting"),
        (("art2mus:mod", "nowhere", "--out", "out"), "there is no folder 'mod'"),
    ],
)
def test_what_is_cheap_to_find_out_needs_no_torch(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "file.md").touch()
    done = subprocess.run(
        [sys.executable, "-c", _LIGHT, "run", *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr
    assert done.stdout == "2\n"


def test_a_model_that_is_not_there_is_said_before_weights_of_metrics(
    release: Path, tmp_path: Path
) -> None:
    """The metrics' weights are not here either, and finding that out takes longer."""
    (tmp_path / "empty").mkdir()
    done = benchmark(
        "run", "art2mus:empty", release, "--split", "train", "--out", "out",
        "--metric", "fad-vggish", "--weights", "vggish=none.pth", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "empty is no Art2Mus checkpoint" in done.stderr
