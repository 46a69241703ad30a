"""Builds and releases that are killed at random moments, and resumed each time.

A kill is SIGKILL to the whole process group of `artsound build` or `artsound release`. Each build
meets two kills in every stage on its way: the command runs until the stage begins, and then for a
time drawn from nought to the time that the stage took a build that nobody killed. What begins
again where it was killed may be hit while it begins, too. A command that ends before its kill is
not counted. A build that has come to its end is compared with an unkilled one, which was made by
`artsound build --workers 2` in the ordinary way; the next build begins in a new folder.

By default the killed commands are forks of a process that has done their imports (see
`preloaded.py`), with one worker, on a dozen artworks and nine tracks with tiny checkpoints and
captions from a local server: the code that runs is all real, and a kill costs under a second on an
idle core. With --real they are processes from the start, with two workers, which takes ten times
as long. The suite kills real ones on the sample, with the lite models (tests/test_kill.py).

Usage: python -m tests.endurance.kill [--kills 200] [--seed 0] [--real] [--out FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from artsound.pipeline import stages
from artsound.recipe import Recipe
from tests.chat_server import ChatServer
from tests.conftest import SampleSources
from tests.endurance.archives import write_artgraph, write_fma
from tests.endurance.commands import Process, Start
from tests.endurance.compare import contents, different, leftovers
from tests.endurance.fast import SERVED, arguments, settings, write_weights
from tests.endurance.ledger import Ledger
from tests.endurance.media import clips, images
from tests.endurance.preloaded import Preloaded

STARTING: Final = "(starting)"
ENDING: Final = "(ending)"
RELEASE: Final = "release"
_EACH: Final = 2  # kills of a build in each stage
_POLL_S: Final = 0.003
_LONG_S: Final = 600.0


@dataclass
class Outcome:
    """What the kills did.

    Attributes:
        kills: how many there were, by the stage that was not done when they hit.
        ended: commands that had come to their end before they were killed.
        builds: builds that came to their end and were compared.
        different: what of them differs from the unkilled build.
        left: temporary files that stayed.
        seconds: how long these builds took.
    """

    kills: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    builds: int = 0
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Kills:
    """Builds in a folder, and how long their stages take.

    Args:
        folder: where they are.
        url: of the chat server.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        artworks = write_artgraph(folder / "artgraph.zip", images(12))
        self.sources = SampleSources(artworks, write_fma(folder / "fma", clips(9)))
        self.overrides = settings(write_weights(folder / "weights"), url, shard_rows=3)
        self.plan = [stage.table for stage in stages(Recipe.read("paper", self.overrides))]
        self.markers: dict[str, list[str]] = {}
        self.duration: dict[str, float] = {}
        self.wanted: dict[str, str] = {}

    def build(self, out: Path, workers: int) -> list[str]:
        """Return the words of a build."""
        return arguments(self.sources, out, self.overrides, workers)

    def release(self, work: Path) -> list[str]:
        """Return the words of a release."""
        return ["release", str(work), "--out", str(_released(work))]

    def complete(self, start: Start, work: Path, workers: int) -> float:
        """Build and release without kills; return when the release began."""
        began = 0.0
        for words in (self.build(work, workers), self.release(work)):
            began = time.time()
            if start(words).wait(_LONG_S) != 0:
                raise SystemExit(f"artsound {words[0]} fails without being killed")
        return began

    def measure(self, start: Start, workers: int) -> None:
        """Note how long the stages take, and what the build comes to."""
        work = self.folder / "measured"
        began = time.time()
        released = self.complete(start, work, workers)
        end = (work / "workspace.json").stat().st_mtime
        self.duration[STARTING] = end - began
        for stage in self.plan:
            marks = sorted((work / "tables" / stage).glob("part-*.json"))
            self.markers[stage] = [f"tables/{stage}/{path.name}" for path in marks]
            last = max(path.stat().st_mtime for path in marks)
            self.duration[stage] = last - end
            end = last
        # Its folder has its name from then on; what follows is the end of the process.
        self.duration[RELEASE] = _released(work).stat().st_ctime - released
        self.wanted = contents(work, _released(work))

    def at(self, work: Path) -> str:
        """Return the first stage that is not done."""
        if not (work / "workspace.json").exists():
            return STARTING
        for stage, names in self.markers.items():
            if not all((work / name).exists() for name in names):
                return stage
        return ENDING

    def reached(self, work: Path, stage: str) -> bool:
        """Say whether a build has come to a stage, or beyond."""
        order = [STARTING, *self.plan, ENDING]
        return order.index(self.at(work)) >= order.index(stage)


def _released(work: Path) -> Path:
    return work.with_name(f"{work.name}-release")


def kill_a_build(
    kills: Kills, start: Start, work: Path, most: int, generator: random.Random, workers: int
) -> Outcome:
    """Kill a build in each of its stages, and its release, and see what it comes to.

    Args:
        kills: the builds.
        start: starts a command.
        work: the workspace, new.
        most: how often at most.
        generator: of the moments.
        workers: of the build.
    """
    outcome = Outcome(builds=1)
    began = time.monotonic()
    for stage in (STARTING, *kills.plan, RELEASE):
        words = kills.release(work) if stage == RELEASE else kills.build(work, workers)
        for _ in range(_EACH):
            if outcome.kills.total() >= most:
                break
            # Where the stage was reached before, the command has its start before it.
            again = stage not in (STARTING, RELEASE) and kills.reached(work, stage)
            running = start(words)
            if stage not in (STARTING, RELEASE):
                while not kills.reached(work, stage) and running.wait(_POLL_S) is None:
                    pass
            span = kills.duration[stage] + (kills.duration[STARTING] if again else 0.0)
            code = running.wait(generator.uniform(0, span))
            if code is None and running.kill():
                outcome.kills[RELEASE if stage == RELEASE else kills.at(work)] += 1
                continue
            outcome.ended += 1
            if running.wait(0):
                raise SystemExit(f"artsound {words[0]} failed after a kill in {work}")
            if stage != RELEASE:
                break
            shutil.rmtree(_released(work))
        if stage == kills.plan[-1] and start(words).wait(_LONG_S):
            raise SystemExit(f"artsound build failed after a kill in {work}")
    if not _released(work).exists() and start(kills.release(work)).wait(_LONG_S):
        raise SystemExit(f"artsound release failed after a kill in {work}")
    outcome.different = different(kills.wanted, contents(work, _released(work)))
    outcome.left = leftovers(work, _released(work))
    outcome.seconds = time.monotonic() - began
    return outcome


@contextlib.contextmanager
def _starter(kills: Kills, real: bool) -> Iterator[Start]:
    """Give what starts a command, its imports learnt from a build and a release."""
    if real:
        yield Process
        return
    errors, lists = kills.folder / "errors", (kills.folder / "build", kills.folder / "release")
    with Preloaded(errors) as plain:
        learnt = kills.folder / "learnt"
        for words, names in zip(
            (kills.build(learnt, 1), kills.release(learnt)), lists, strict=True
        ):
            if plain.start(words, names).wait(_LONG_S) != 0:
                raise SystemExit(f"artsound {words[0]} fails: {errors.read_text()}")
    modules = kills.folder / "modules"
    modules.write_text("\n".join(names.read_text() for names in lists))
    with Preloaded(errors, modules) as preloaded:
        yield preloaded.start


def run(
    folder: Path, kills: int, seed: int = 0, *, real: bool = False, out: Path | None = None
) -> Outcome:
    """Kill builds this many times in all, earlier sittings included.

    Args:
        folder: where they are built.
        kills: how often.
        seed: of the moments.
        real: whether commands are processes from their start, with two workers.
        out: where a row a build is kept; None to keep nothing.
    """
    ledger = Ledger(out, {"script": "kill", "seed": seed, "real": real})
    workers = 2 if real else 1
    with ChatServer(SERVED) as server:
        building = Kills(folder, server.url)
        building.complete(Process, folder / "unkilled", 2)
        unkilled = contents(folder / "unkilled", _released(folder / "unkilled"))
        with _starter(building, real) as start:
            building.measure(start, workers)
            if wrong := different(unkilled, building.wanted):
                raise SystemExit(f"two unkilled builds differ: {wrong}")
            while (done := _total(ledger)).kills.total() < kills:
                generator = random.Random(f"{seed}-{done.builds}")
                work = folder / f"killed-{done.builds}"
                most = kills - done.kills.total()
                found = kill_a_build(building, start, work, most, generator, workers)
                ledger.append(vars(found))
                for used in (work, _released(work)):
                    shutil.rmtree(used)
    return done


def _total(rows: Ledger) -> Outcome:
    total = Outcome()
    for row in rows:
        total.kills.update(row["kills"])
        total.ended += row["ended"]
        total.builds += row["builds"]
        total.different += row["different"]
        total.left += row["left"]
        total.seconds += row["seconds"]
    return total


def table(outcome: Outcome) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'stage not done':40} {'kills':>6}"
    for stage, count in outcome.kills.items():
        yield f"{stage:40} {count:6}"
    each = outcome.seconds / max(1, outcome.kills.total())
    yield (
        f"{outcome.kills.total()} kills in {outcome.seconds:.0f} s ({each:.2f} s each);"
        f" {outcome.ended} commands ended before theirs; {outcome.builds} builds ended,"
        f" {len(outcome.different)} files differ, {len(outcome.left)} temporary files stayed"
    )


def main() -> None:
    """Print where the kills hit, and what they did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200, help="in all, earlier sittings included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true", help="processes with two workers, not forks")
    parser.add_argument("--out", type=Path, help="keep what is found here, and go on from it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), asked.kills, asked.seed, real=asked.real, out=asked.out)
    print("\n".join(table(outcome)))
    if outcome.different or outcome.left:
        raise SystemExit("\n".join([*outcome.different, *outcome.left]))


if __name__ == "__main__":
    main()
