"""`artsound compare captioners|fusers` on the built sample, with the lite models."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from artsound import paper
from artsound.compare.captions import (
    Captioned,
    caption_sample_artworks,
    caption_sample_segments,
    captioners_tables,
    chosen,
    examples_table,
    fuse_sample_captions,
    fusers_table,
)
from artsound.compare.pictures import Sample, draw_sample
from artsound.errors import UsageError
from artsound.models.catalogue import CATALOGUE
from artsound.reopen import reopen
from artsound.stage import Build
from artsound.table import show_tables
from artsound.workspace import Workspace
from tests.test_cli import run


@pytest.fixture(scope="module")
def opened(built: Workspace) -> Build:
    return reopen(built)


@pytest.fixture(scope="module")
def sample(opened: Build) -> Sample:
    return draw_sample(opened, 3, seed=0)


def unheard(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total, what


def test_first_attempts_are_those_of_the_build(opened: Build, sample: Sample) -> None:
    found = caption_sample_artworks(opened, sample, "lite-artwork", unheard)
    rows = opened.workspace.read("image_caption_attempts").to_pylist()
    first = {row["artwork_id"]: row for row in rows if row["attempt"] == 1}
    assert len(found.made) == 3
    for artwork, caption in found.captions.items():
        assert caption == first[artwork]["caption"]
    scores = [first[artwork]["clip_score"] for artwork in found.captions]
    assert found.mean("clip_score") == pytest.approx(sum(scores) / 3, abs=1e-5)
    assert found.mean("pac_score") is None
    scored, faults = captioners_tables("captioners_artworks", "t", [found])
    assert scored.rows[0][:3] == ("lite-artwork", "ours", 3)
    assert scored.rows[-1][4:8] == (950.18, 0.7821, 0.8431, 0.8217)
    assert [row[0] for row in faults.rows[1:]] == list(paper.ARTWORK_CAPTIONERS)


def test_segments_have_no_scores(opened: Build, sample: Sample) -> None:
    found = caption_sample_segments(opened, sample, "lite-music", unheard)
    rows = opened.workspace.read("segment_captions").to_pylist()
    first = {str(row["track_id"]): row["caption"] for row in rows if row["segment"] == 0}
    assert found.captions == {track: first[track] for track in found.captions}
    scored, faults = captioners_tables("captioners_segments", "t", [found])
    assert "CLIP-Score" not in scored.columns
    assert faults.rows[0][2] == "0%"
    assert "musilingo" in {row[0] for row in faults.rows}


def test_fusers_are_held_against_the_paper_s(opened: Build, sample: Sample) -> None:
    found = fuse_sample_captions(opened, sample, "lite-smollm2", unheard)
    rows = opened.workspace.read("audio_caption_attempts").to_pylist()
    first = {str(row["track_id"]): row for row in rows if row["attempt"] == 1}
    assert found.captions == {track: first[track]["caption"] for track in found.captions}
    table = fusers_table([found], 0.8)
    ac = [first[track]["ac_score"] for track in found.captions]
    assert table.rows[0][6] == pytest.approx(sum(ac) / 3, abs=1e-5)
    assert ("qwen3-14b", "paper", None, None, 0.6870, 0.9312, 0.8579) in {
        row[:7] for row in table.rows
    }


def test_failed_captions_are_counted_and_shown() -> None:
    found = Captioned("m", 1.0, {"a": None, "b": "Two birds."}, [{}], [["too_short"]])
    [scored, faults] = captioners_tables("captioners_segments", "t", [found])
    assert scored.rows[0][2:5] == (1, 1, 10.0)
    assert "100%" in faults.rows[0]
    assert examples_table("x", [found]).rows[0] == ("a", "m", "(failed)")


def test_captions_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    found = Captioned("m", 1.0, {"a": "[bold]no[/INST] markup [x]"}, [], [])
    show_tables([examples_table("x", [found])])
    assert "[bold]no[/INST] markup [x]" in capsys.readouterr().out


def test_a_model_that_does_not_play_the_role_is_refused() -> None:
    assert chosen([], "lite-smollm2", CATALOGUE["fuser"], "fuser") == ["lite-smollm2"]
    with pytest.raises(UsageError, match="no fuser of that name; available: lite-smollm2"):
        chosen(["lite-music"], "lite-smollm2", CATALOGUE["fuser"], "fuser")


def test_the_command_writes_its_tables(built: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = run("compare", "fusers", built.root, "--sample", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "lite-smollm2" in done.stdout
    assert "0.8579" in done.stdout
    with (out / "fusers.csv").open() as stream:
        assert next(csv.DictReader(stream))["fuser"] == "lite-smollm2"


def test_what_cannot_be_compared_is_one_line(built: Workspace) -> None:
    done = run("compare", "fusers", built.root, "--model", "qwen3-14b")
    assert done.returncode == 1
    assert "vllm is not installed" in done.stderr
    assert "models.qwen3-14b.endpoint" in done.stderr
    done = run("compare", "fusers", built.root, "--set", "seed=1")
    assert done.returncode == 2
    assert "only models.NAME.* can be set" in done.stderr
