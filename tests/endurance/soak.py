"""A long build of tiny media: its memory, stage by stage, and the files that it makes.

The media are real and made on the fly, each file another; the captions come from a local server.

Usage: python -m tests.endurance.soak [--items 100000] [--workers 2] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from PIL import Image

from tests.chat_server import Asked, ChatServer
from tests.conftest import SampleSources
from tests.endurance.archives import write_artgraph, write_fma
from tests.endurance.fast import SERVED, command, settings, write_weights

LIMIT_MIB: Final = 2048
_RATE: Final = 8000
_POINTS: Final = 8
_SAMPLE_S: Final = 0.5


class _Forgotten(list[Asked]):
    """Requests that are not kept: there are hundreds of thousands."""

    def append(self, item: Asked) -> None:
        """Keep nothing."""


@dataclass
class Leg:
    """One stage.

    Attributes:
        name: the stage, or the release.
        seconds: how long it took.
        curve: memory of the largest process in MiB, by time.
    """

    name: str
    seconds: float = 0.0
    curve: list[float] = field(default_factory=list)


@dataclass
class Outcome:
    """What a soak came to: its legs, and how many files and bytes its two folders have."""

    legs: list[Leg]
    workspace: tuple[int, int]
    release: tuple[int, int]


def images(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield small JPEGs."""
    for number in range(count):
        values = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(values).resize((32, 32)).save(buffer, "JPEG", quality=60)
        yield f"artist-{number % 97}_picture-{number}-1900.jpg", buffer.getvalue()


def clips(count: int) -> Iterator[tuple[int, bytes]]:
    """Yield short MP3s."""
    times = np.arange(int(5.2 * _RATE)) / _RATE
    for number in range(count):
        wave = 0.3 * np.sin(2 * np.pi * (100 + number % 3000) * times) * (times < 5 + number % 2)
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, _RATE, format="MP3")
        yield 1 + number, buffer.getvalue()


def run(
    folder: Path, items: int, workers: int = 2, tell: Callable[[Leg], None] | None = None
) -> Outcome:
    """Build and release this many artworks and as many tracks.

    Args:
        folder: where.
        items: how many of each.
        workers: how many processes work at a time.
        tell: told of each leg at its end.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    artworks = write_artgraph(folder / "artgraph.zip", images(items))
    sources = SampleSources(artworks, write_fma(folder / "fma", clips(items)))
    work, released = folder / "work", folder / "released"
    legs: list[Leg] = []

    def go(name: str, line: list[str]) -> None:
        legs.append(_watched(name, line))
        if tell:
            tell(legs[-1])

    with ChatServer(SERVED) as server:
        server.asked = _Forgotten()
        overrides = settings(write_weights(folder / "weights"), server.url, shard_rows=500)
        build = command(sources, work, overrides, workers)
        for stage in (
            "artworks", "tracks", "image_captions", "segment_captions", "audio_captions",
            *(f"embeddings/imagebind/{what}" for what in
              ("image", "audio", "image_caption", "audio_caption")),
            "pairs/image_audio",
        ):  # fmt: skip
            go(stage, [*build, "--until", stage])
    release = [sys.executable, "-m", "artsound.cli", "release", str(work), "--out", str(released)]
    go("release", release)
    return Outcome(legs, _counted(work), _counted(released))


def _watched(name: str, line: list[str]) -> Leg:
    """Run a command and note the memory of its largest process meanwhile."""
    leg = Leg(name)
    began = time.monotonic()
    process = subprocess.Popen(line, start_new_session=True, stdout=subprocess.DEVNULL)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_SAMPLE_S):
            leg.curve.append(max(_resident(process.pid), default=0.0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    ended.set()
    watcher.join()
    if code:
        raise subprocess.CalledProcessError(code, line[:5])
    leg.seconds = time.monotonic() - began
    return leg


def _resident(session: int) -> Iterator[float]:
    """Yield the memory of each process of a session, in MiB."""
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if os.getsid(int(folder.name)) == session:
                yield int((folder / "statm").read_text().split()[1]) * page


def _counted(folder: Path) -> tuple[int, int]:
    """Return how many files and folders there are, and the bytes of the files."""
    found = list(folder.rglob("*"))
    return len(found), sum(path.stat().st_size for path in found if path.is_file())


def main() -> None:
    """Print time and memory by stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where it is built; a temporary one if none")
    given = parser.parse_args()

    def tell(leg: Leg) -> None:
        step = max(1, len(leg.curve) // _POINTS)
        curve = " ".join(f"{value:.0f}" for value in leg.curve[::step])
        peak = max(leg.curve, default=0.0)
        rate = given.items / leg.seconds
        print(f"{leg.name:36} {leg.seconds:7.1f} {rate:8.1f} {peak:8.0f}  {curve}", flush=True)

    print(f"{'stage':36} {'s':>7} {'items/s':>8} {'peak MiB':>8}  memory over time, MiB")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        outcome = run(Path(folder), given.items, given.workers, tell)
    for name, (count, size) in (("workspace", outcome.workspace), ("release", outcome.release)):
        print(f"{name}: {count} files and folders, {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
