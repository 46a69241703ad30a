"""The command line as a user types it: exit codes, one-line errors, help with examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from artsound.workspace import Workspace
from tests.conftest import SampleSources


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "artsound.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def _fails(done: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 1


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("artsound 0.")
    for command in ("sample", "build", "status", "release", "hydrate", "diff", "verify"):
        done = run(command, "--help")
        assert done.returncode == 0
        assert "Example" in done.stdout


def test_an_unknown_command_or_option_is_exit_code_2() -> None:
    assert run("bild").returncode == 2
    assert run("build", "--nonsense").returncode == 2
    assert run("build").returncode == 2


def test_a_build_as_far_as_the_tracks(sources: SampleSources, tmp_path: Path) -> None:
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", tmp_path / "w"]
    done = run("build", *where, "--until", "tracks", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "artworks: 42 rows" in done.stderr
    assert "tracks: 34 rows" in done.stderr
    assert "1 audio silent" in done.stderr
    shown = run("status", tmp_path / "w")
    assert shown.returncode == 0
    assert "partly" not in shown.stdout
    assert "left" in shown.stdout

    again = run("build", *where, "--until", "tracks")
    assert again.returncode == 0
    assert "already done" in again.stderr

    _fails(
        run("build", *where, "--set", "media.min_audio_s=20"),
        2,
        "media.min_audio_s: 5.0 -> 20.0. Build in a new folder, or say --redo-from artworks",
    )
    _fails(
        run("build", *where, "--set", "media.min_audio_s=20", "--redo-from", "pairs/image_audio"),
        2,
        "say --redo-from artworks",
    )
    redone = run(
        "build", *where, "--set", "media.min_audio_s=20", "--redo-from", "artworks",
        "--until", "tracks",
    )  # fmt: skip
    assert redone.returncode == 0, redone.stderr
    assert "audio too short" in redone.stderr
    unfinished = run("release", tmp_path / "w", "--out", tmp_path / "r")
    _fails(unfinished, 1, "is not finished (image_captions is left): run `artsound build` again")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "lit"], "did you mean 'lite'"),
        (["--set", "shard_rows=0"], "shard_rows"),
        (["--until", "tracs"], "did you mean 'tracks'"),
        (["--set", "image_captions.captioner=lite-artwrk"], "did you mean 'lite-artwork'"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_written(
    sources: SampleSources, tmp_path: Path, arguments: list[str], message: str
) -> None:
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", tmp_path / "w"]
    _fails(run("build", *where, *arguments), 2, message)
    assert not Workspace(tmp_path / "w").exists()


def test_a_missing_source_is_named(sources: SampleSources, tmp_path: Path) -> None:
    where = ["--tracks", sources.tracks, "--out", tmp_path / "w"]
    _fails(run("build", "--artworks", tmp_path / "none.zip", *where), 2, "none.zip")


def test_a_file_in_place_of_the_workspace_is_named(sources: SampleSources, tmp_path: Path) -> None:
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks]
    (tmp_path / "w").write_text("a file")
    _fails(run("build", *where, "--out", tmp_path / "w"), 2, "w is a file: choose a folder")


def test_a_script_without_the_main_guard_is_told_of_it(
    sources: SampleSources, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import artsound\n"
        f"artsound.build(artsound.Recipe.read('lite'), artworks={str(sources.artworks)!r},"
        f" tracks={str(sources.tracks)!r}, out={str(tmp_path / 'w')!r}, workers=2)\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "call artsound.build under `if __name__" in done.stderr


def test_a_source_that_is_another_thing_is_named(sources: SampleSources, tmp_path: Path) -> None:
    swapped = ["--artworks", sources.tracks, "--tracks", sources.artworks]
    done = run("build", *swapped, "--out", tmp_path / "w")
    assert done.returncode in (1, 2)
    assert "artwork_entidx2name.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in run("--debug", "status", tmp_path).stderr
    assert "Traceback" in run("status", tmp_path, "--debug").stderr
    _fails(run("status", tmp_path), 2, "is not a workspace")


def test_verify_names_what_differs(released: Path, tmp_path: Path) -> None:
    assert run("verify", released).returncode == 0
    _fails(run("verify", tmp_path), 2, "no manifest.json")
