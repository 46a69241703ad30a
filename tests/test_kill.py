"""A build that is killed at any moment continues where it was and ends in the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.release.assemble import release
from artsound.release.manifest import read_manifest
from artsound.workspace import Workspace
from tests.conftest import SampleSources


def _parts(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.relative_to(workspace.root).as_posix(): path.read_bytes()
        for path in sorted((workspace.root / "tables").rglob("*.parquet"))
    }


def _start(sources: SampleSources, out: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "artsound.cli", "build", "--workers", "2", "--quiet", *options]
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", out]
    return subprocess.Popen([*command, *map(str, where)], start_new_session=True)


def _kill_after(process: subprocess.Popen[bytes], workspace: Workspace, parts: int) -> bool:
    """Kill the whole process group once so many parts are committed; False if it ended before."""
    while process.poll() is None:
        if len(list((workspace.root / "tables").rglob("part-*.json"))) >= parts:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.02)
    return False


def _finish(sources: SampleSources, out: Path, *options: str) -> None:
    assert _start(sources, out, *options).wait() == 0
    assert not [path for path in out.rglob("*") if path.name.startswith(".tmp")]


def test_the_checks_killed_twice_end_in_the_same_bytes(
    sources: SampleSources, built: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "work")
    for parts in (2, 9):
        process = _start(sources, workspace.root, "--until", "tracks")
        assert _kill_after(process, workspace, parts)
    _finish(sources, workspace.root, "--until", "tracks")
    expected = _parts(built)
    found = _parts(workspace)
    assert len(found) == 13
    assert all(expected[name] == data for name, data in found.items())


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_build_killed_five_times_ends_in_the_same_bytes_and_release(
    sources: SampleSources, built: Workspace, released: Path, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "work")
    total = len(list((built.root / "tables").rglob("part-*.json")))
    moments = sorted(random.Random(20).sample(range(1, total - 1), 5))
    for moment in moments:
        process = _start(sources, workspace.root)
        assert _kill_after(process, workspace, moment), f"finished before part {moment}"
    _finish(sources, workspace.root)
    assert _parts(workspace) == _parts(built)
    release(workspace, tmp_path / "released")
    assert read_manifest(tmp_path / "released") == read_manifest(released)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_number_of_workers_does_not_change_a_byte(
    sources: SampleSources, built: Workspace, tmp_path: Path
) -> None:
    _finish(sources, tmp_path / "work", "--workers", "1")
    assert _parts(Workspace(tmp_path / "work")) == _parts(built)


def test_a_second_build_in_the_same_workspace_is_refused(
    sources: SampleSources, tmp_path: Path
) -> None:
    out = tmp_path / "work"
    first = _start(sources, out)
    try:
        while not (out / ".lock").exists():
            time.sleep(0.02)
        time.sleep(0.5)
        where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", out]
        second = subprocess.run(
            [sys.executable, "-m", "artsound.cli", "build", *map(str, where)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert "another build is running" in second.stderr
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


def test_the_plan_has_every_table_of_the_sample(built: Workspace) -> None:
    expected = {
        table
        for stage in stages(Recipe.read("lite"))
        for table in (stage.table, *stage.side_tables)
    }
    assert set(built.tables()) == expected
