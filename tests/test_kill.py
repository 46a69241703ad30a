"""A build that is killed at any moment continues where it was and ends in the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.workspace import Workspace
from tests.conftest import SampleSources
from tests.endurance.compare import contents, different, leftovers


def _parts(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.relative_to(workspace.root).as_posix(): path.read_bytes()
        for path in sorted((workspace.root / "tables").rglob("*.parquet"))
    }


def _start(sources: SampleSources, out: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "artsound.cli", "build", "--workers", "2", "--quiet", *options]
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", out]
    return subprocess.Popen(
        [*command, *map(str, where)],
        start_new_session=True,
        stderr=subprocess.PIPE,
        # Tests that run in the background of a shell would hand down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _reaches(process: subprocess.Popen[bytes], workspace: Workspace, parts: int) -> bool:
    """Wait until so many parts are committed; False if the build ends before."""
    while process.poll() is None:
        if len(list((workspace.root / "tables").rglob("part-*.json"))) >= parts:
            return True
        time.sleep(0.02)
    return False


def _kill_after(process: subprocess.Popen[bytes], workspace: Workspace, parts: int) -> bool:
    """Kill the whole process group once so many parts are committed; False if it ended before."""
    if not _reaches(process, workspace, parts):
        return False
    return _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> bool:
    """Kill the whole process group, and say whether that is what ended the process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def _is_empty(group: int, within_s: float = 10.0) -> bool:
    """Say whether no process of a group is left, or soon is none."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def _finish(sources: SampleSources, out: Path, *options: str) -> None:
    process = _start(sources, out, *options)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert not [path for path in out.rglob("*") if path.name.startswith(".tmp")]


def test_the_checks_killed_twice_end_in_the_same_bytes(
    sources: SampleSources, checked: dict[str, bytes], tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "work")
    for parts in (2, 9):
        process = _start(sources, workspace.root, "--until", "tracks")
        assert _kill_after(process, workspace, parts)
    _finish(sources, workspace.root, "--until", "tracks")
    assert len(checked) == 13
    assert _parts(workspace) == checked


@pytest.fixture(scope="module")
def checked(sources: SampleSources, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a build as far as the tracks that nothing stopped."""
    out = tmp_path_factory.mktemp("checked") / "work"
    _finish(sources, out, "--until", "tracks")
    return _parts(Workspace(out))


@pytest.mark.parametrize(
    ("number", "all_processes", "workers"),
    [
        pytest.param(signal.SIGINT, True, 2, id="Ctrl-C"),
        pytest.param(signal.SIGINT, True, 1, id="Ctrl-C, one process"),
        pytest.param(signal.SIGTERM, False, 2, id="kill"),
        pytest.param(signal.SIGTERM, True, 2, id="end of a batch job"),
    ],
)
def test_a_stopped_build_says_one_line_leaves_nothing_and_continues(
    sources: SampleSources,
    checked: dict[str, bytes],
    tmp_path: Path,
    number: signal.Signals,
    all_processes: bool,
    workers: int,
) -> None:
    workspace = Workspace(tmp_path / "work")
    options = ("--until", "tracks", "--workers", str(workers))
    process = _start(sources, workspace.root, *options)
    assert _reaches(process, workspace, 3)
    for _ in range(3):  # the second and third are a user's impatience
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if all_processes else os.kill)(process.pid, number)
        time.sleep(0.05)
    _, said = process.communicate()
    assert said.decode() == "artsound: stopped; run the same command again to continue\n"
    assert process.returncode == 128 + number
    assert _is_empty(process.pid)
    _finish(sources, workspace.root, *options)
    assert _parts(workspace) == checked


@pytest.mark.parametrize("delay_s", [0.5, 2.0, 4.0])
def test_a_build_that_is_stopped_while_it_starts_says_one_line(
    sources: SampleSources, tmp_path: Path, delay_s: float
) -> None:
    process = _start(sources, tmp_path / "work")
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert said.decode() == "artsound: stopped; run the same command again to continue\n"
    assert _is_empty(process.pid)


def test_workers_do_not_outlive_a_killed_build(sources: SampleSources, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    process = _start(sources, workspace.root)
    assert _reaches(process, workspace, 2)
    process.kill()
    process.wait()
    assert _is_empty(process.pid)


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
    _release_with_kills(workspace, tmp_path / "released", 3)
    assert different(_made(built, released), _made(workspace, tmp_path / "released")) == []
    assert leftovers(workspace.root, tmp_path / "released") == []


def _made(workspace: Workspace, released: Path) -> dict[str, str]:
    """Return checksums of all that was made; workspace.json also says where."""
    found = contents(workspace.root, released)
    del found["workspace.json"]
    return found


def _release_with_kills(workspace: Workspace, out: Path, kills: int) -> None:
    """Release, killed at random moments of the time that a release takes, and then not killed."""
    began = time.monotonic()
    trial = _start_release(workspace, out.with_name("trial"))
    assert not trial.wait()
    seconds = time.monotonic() - began
    generator = random.Random(20)
    killed = 0
    while killed < kills:
        process = _start_release(workspace, out)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(generator.uniform(0, seconds))
        if _kill(process) and not out.exists():
            killed += 1
        else:  # it appears at once, and whole, though its command may have been killed after that
            whole = contents(workspace.root, out.with_name("trial"))
            assert different(whole, contents(workspace.root, out)) == []
            shutil.rmtree(out)
    assert not _start_release(workspace, out).wait()


def _start_release(workspace: Workspace, out: Path) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "artsound.cli", "release", str(workspace.root), "--out", str(out)]
    return subprocess.Popen(line, start_new_session=True, stdout=subprocess.DEVNULL)


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
