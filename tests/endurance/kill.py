"""Builds that are killed at random moments, and resumed each time.

A kill is SIGKILL to the whole process group. When a build comes to its end between two kills, its
release is compared with that of an unkilled build, and the next build begins in a new folder.

Usage: python -m tests.endurance.kill [--kills 200] [--seed 0] [--until STAGE]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from artsound.release.assemble import release
from artsound.sources.sample import write_sample
from artsound.status import status
from artsound.workspace import Workspace, file_sha256
from tests.chat_server import ChatServer
from tests.conftest import SampleSources
from tests.endurance.fast import SERVED, command, settings, write_weights


@dataclass
class Outcome:
    """What the kills did.

    Attributes:
        kills: how many there were, by the stage that they hit.
        builds: builds that came to their end and were compared.
        different: files of their tables and releases that differ from the unkilled build's.
        left: temporary files that stayed in a finished workspace.
        unkilled_s: how long a build takes that nobody kills.
    """

    kills: Counter[str] = field(default_factory=Counter)
    builds: int = 0
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unkilled_s: float = 0.0


def run(folder: Path, kills: int, seed: int = 0, until: str | None = None) -> Outcome:
    """Kill builds of the sample this many times.

    Args:
        folder: where they are built.
        kills: how often.
        seed: of the moments.
        until: the last stage of the builds; if None there is a release, too.
    """
    generator = random.Random(seed)
    outcome = Outcome()
    paths = write_sample(folder / "sources")
    sources = SampleSources(paths.artworks, paths.metadata.parent)
    with ChatServer(SERVED) as server:
        overrides = settings(write_weights(folder / "weights"), server.url)
        ends = ["--until", until] if until else []

        def begin(out: Path) -> subprocess.Popen[bytes]:
            line = [*command(sources, out, overrides), *ends]
            return subprocess.Popen(line, start_new_session=True)

        began = time.monotonic()
        if begin(folder / "unkilled").wait():
            raise SystemExit("the build fails without being killed")
        outcome.unkilled_s = time.monotonic() - began
        wanted = _bytes_of(folder / "unkilled", folder / "unkilled-release", whole=not until)
        delivered = 0
        while delivered < kills or not outcome.builds:
            out = folder / f"killed-{outcome.builds}"
            while True:
                process = begin(out)
                delay = generator.uniform(0, outcome.unkilled_s * 0.7)
                if delivered >= kills:
                    delay = outcome.unkilled_s * 20
                try:
                    code = process.wait(delay)
                except subprocess.TimeoutExpired:
                    outcome.kills[_stage(out, until)] += 1
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    delivered += 1
                    continue
                if code:
                    raise SystemExit(f"a resumed build failed with exit code {code}")
                break
            outcome.builds += 1
            outcome.left += [path.name for path in out.rglob(".tmp*")]
            found = _bytes_of(out, folder / "killed-release", whole=not until)
            outcome.different += sorted(
                name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
            )
            shutil.rmtree(out)
    return outcome


def _bytes_of(work: Path, out: Path, *, whole: bool) -> dict[str, str]:
    """Return the checksums of a build's parts and of its release's files."""
    folders = [work / "tables"]
    if whole:
        shutil.rmtree(out, ignore_errors=True)
        release(Workspace(work), out)
        folders.append(out)
    return {
        f"{number}/{path.relative_to(folder)}": file_sha256(path)
        for number, folder in enumerate(folders)
        for path in sorted(folder.rglob("*"))
        # A marker remembers how long its shard took.
        if path.is_file() and not (number == 0 and path.suffix == ".json")
    }


def _stage(work: Path, until: str | None) -> str:
    """Return the first stage that is not done."""
    workspace = Workspace(work)
    if not workspace.exists():
        return "(starting)"
    for stage in status(workspace):
        if stage.state != "done":
            return stage.table
        if stage.table == until:
            break
    return "(ending)"


def main() -> None:
    """Print where the kills hit, and what they did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", help="the last stage of the builds; then there is no release")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), given.kills, given.seed, given.until)
    print(f"{'stage':40} {'kills':>6}")
    for stage, count in outcome.kills.items():
        print(f"{stage:40} {count:6}")
    print(
        f"{outcome.kills.total()} kills in {time.monotonic() - began:.0f} s;"
        f" {outcome.builds} builds ended, {len(outcome.different)} files differ,"
        f" {len(outcome.left)} temporary files stayed;"
        f" an unkilled build takes {outcome.unkilled_s:.0f} s"
    )


if __name__ == "__main__":
    main()
