"""A long build of tiny media: its memory, its files and its bytes, stage by stage.

The media are real and made on the fly, each file another; the captions come from a local server.
With --folder and --out a soak may take several sittings: what is built stays in the folder, a
build that was stopped goes on, and the table adds its sittings up. --minutes ends a sitting.

Memory is the largest of any process's VmHWM, the kernel's own note of the most that it ever had,
read every fifth of a second; the curve is what the largest process has at that moment.

Usage: python -m tests.endurance.soak [--items 100000] [--workers 2] [--minutes M]
    [--folder FOLDER] [--out FILE]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from artsound.pipeline import stages
from artsound.recipe import Recipe
from tests.chat_server import Asked, ChatServer
from tests.conftest import SampleSources
from tests.endurance.archives import write_artgraph, write_fma
from tests.endurance.fast import SERVED, command, settings, write_weights
from tests.endurance.ledger import Ledger, Row
from tests.endurance.media import clips, images

LIMIT_MIB: Final = 2048
RELEASE: Final = "release"
_POINTS: Final = 8
_SAMPLE_S: Final = 0.2
_KEPT_S: Final = 5.0  # of the curve, a point in so long is kept
_STOP_S: Final = 120.0


class _Forgotten(list[Asked]):
    """Requests that are not kept: there are hundreds of thousands."""

    def append(self, item: Asked) -> None:
        """Keep nothing."""


class Soak:
    """A build and its release in a folder that may have been begun before.

    Args:
        folder: where.
        items: how many artworks, and how many tracks.
        workers: how many processes work at a time.
        out: where a row a leg and sitting is kept; None to keep nothing.
    """

    def __init__(self, folder: Path, items: int, workers: int = 2, out: Path | None = None) -> None:
        self.folder = folder
        self.items = items
        self.workers = workers
        self.ledger = Ledger(out, {"script": "soak", "items": items, "workers": workers})
        self.work, self.released = folder / "work", folder / "released"
        if self.done() and not self.work.exists():
            raise SystemExit(f"{out} tells of a build that {folder} has not: give its --folder")

    def done(self) -> list[str]:
        """Return the legs that have come to their end."""
        return [row["leg"] for row in self.ledger if row["done"]]

    def run(self, minutes: float | None = None, tell: Callable[[Row], None] | None = None) -> bool:
        """Build and release, or go on with it.

        Args:
            minutes: when to stop; None to go on to the end.
            tell: told of each leg at its end.

        Returns:
            Whether the release is written.

        Raises:
            SystemExit: a command failed.
        """
        until = None if minutes is None else time.monotonic() + 60 * minutes
        sources = self._sources()
        weights = self.folder / "weights"
        if not weights.exists():
            write_weights(self.folder / ".weights").rename(weights)
        with ChatServer(SERVED, port=self._port()) as server:
            server.asked = _Forgotten()
            overrides = settings(weights, server.url, shard_rows=500)
            build = command(sources, self.work, overrides, self.workers)
            plan = [stage.table for stage in stages(Recipe.read("paper", overrides))]
            release = [sys.executable, "-m", "artsound.cli", "release", str(self.work)]
            lines = {stage: [*build, "--until", stage] for stage in plan}
            lines[RELEASE] = [*release, "--out", str(self.released)]
            for leg, line in lines.items():
                if leg not in self.done():
                    row = self._watched(leg, line, until)
                    self.ledger.append(row)
                    if tell:
                        tell(row)
                    if not row["done"]:
                        return False
        return True

    def _sources(self) -> SampleSources:
        """Return the archives, made in the first sitting."""
        sources = self.folder / "sources"
        if not sources.exists():
            made = self.folder / ".sources"
            write_artgraph(made / "artgraph.zip", images(self.items))
            write_fma(made / "fma", clips(self.items))
            made.rename(sources)
        return SampleSources(sources / "artgraph.zip", sources / "fma")

    def _port(self) -> int:
        """Return the server's port, which the recipe names and so must stay the same; 0 if new."""
        kept = self.folder / "port"
        if not kept.exists():
            with ChatServer(SERVED) as server:
                kept.write_text(str(server.server_port))
        return int(kept.read_text())

    def _watched(self, leg: str, line: Sequence[str], until: float | None) -> Row:
        """Run a command, or stop it at a time, and note what memory its processes had."""
        began = kept = time.monotonic()
        peak = 0.0
        curve: list[float] = []
        process = subprocess.Popen(line, start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            while process.poll() is None and (until is None or time.monotonic() < until):
                sizes = list(_memory(process.pid))
                peak = max([peak, *(most for most, _ in sizes)])
                if not curve or time.monotonic() - kept >= _KEPT_S:
                    kept = time.monotonic()
                    curve.append(max((now for _, now in sizes), default=0.0))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_SAMPLE_S)
        except KeyboardInterrupt:
            pass  # the sitting ends here
        finally:  # a build that is stopped leaves nothing half done
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(_STOP_S)
        code = process.returncode
        if code not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):
            raise SystemExit(f"{leg}: exit code {code}")
        return {
            "leg": leg,
            "done": code == 0,
            "seconds": time.monotonic() - began,
            "peak": peak,
            "curve": [round(value) for value in curve],
            "workspace": counted(self.work),
            "release": counted(self.released),
        }


def _memory(session: int) -> Iterator[tuple[float, float]]:
    """Yield the most that each process of a session ever had, and what it has now, in MiB."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, KeyError):  # it has just ended, or is about to
            if os.getsid(int(folder.name)) == session:
                lines = (folder / "status").read_text().splitlines()
                said = dict(line.split(":", 1) for line in lines if ":" in line)
                yield _mib(said["VmHWM"]), _mib(said["VmRSS"])


def _mib(said: str) -> float:
    return int(said.split()[0]) / 1024


def counted(folder: Path) -> list[int]:
    """Return how many files and folders, that is inodes, there are, and the bytes of the files."""
    found = list(folder.rglob("*"))
    return [len(found), sum(path.stat().st_size for path in found if path.is_file())]


def merged(rows: Sequence[Row]) -> list[Row]:
    """Return a row a leg: times and curves of its sittings together, the rest as at its end."""
    found: dict[str, Row] = {}
    for row in rows:
        before = found.get(row["leg"], {"seconds": 0.0, "peak": 0.0, "curve": []})
        found[row["leg"]] = row | {
            "seconds": before["seconds"] + row["seconds"],
            "peak": max(before["peak"], row["peak"]),
            "curve": [*before["curve"], *row["curve"]],
        }
    return list(found.values())


HEAD: Final = (
    f"{'stage':36} {'s':>8} {'items/s':>8} {'peak MiB':>8} {'inodes':>7} {'MiB':>8}"
    "  memory over time, MiB"
)


def line(row: Row, items: int) -> str:
    """Return a leg's line of the table; inodes and bytes are those of the whole folder then."""
    step = max(1, len(row["curve"]) // _POINTS)
    curve = " ".join(str(value) for value in row["curve"][::step])
    inodes, size = row["release" if row["leg"] == RELEASE else "workspace"]
    rate = f"{items / row['seconds']:8.1f}" if row["done"] else f"{'(on)':>8}"
    return (
        f"{row['leg']:36} {row['seconds']:8.1f} {rate} {row['peak']:8.0f} {inodes:7}"
        f" {size / 2**20:8.1f}  {curve}"
    )


def main() -> None:
    """Print time, memory, inodes and bytes by stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--minutes", type=float, help="stop after so long; the next sitting goes on"
    )
    parser.add_argument("--folder", type=Path, help="where it is built; a temporary one if none")
    parser.add_argument("--out", type=Path, help="keep what is found here, and go on from it")
    given = parser.parse_args()
    if given.out and not given.folder:
        parser.error("--out needs --folder: what is built must stay, too")

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends a sitting as Ctrl-C does

    def tell(row: Row) -> None:
        print(line(row, given.items), flush=True)

    print(HEAD)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, given.items, given.workers, given.out)
        ended = soak.run(given.minutes, tell)
    rows = merged(soak.ledger.rows)
    if not ended:
        print("stopped; the same command goes on")
    elif given.out:
        print("\n".join(["all sittings:", HEAD, *(line(row, given.items) for row in rows)]))
    if over := [row["leg"] for row in rows if row["peak"] > LIMIT_MIB]:
        raise SystemExit(f"over {LIMIT_MIB} MiB: {', '.join(over)}")


if __name__ == "__main__":
    main()
