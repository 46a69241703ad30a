"""An endpoint of which three replies in ten fail, in six ways: no caption is lost or doubled.

The artworks come in batches, each a build of its own with a faulty server and one with a sound one.

Usage: python -m tests.endurance.endpoint [--items 1000] [--batch 250] [--out FILE]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artsound.builder import build
from artsound.recipe import Recipe
from artsound.sources.sample import write_sample
from tests.chat_server import ChatServer, Fault
from tests.endurance.archives import write_artgraph
from tests.endurance.fast import SERVED, settings, write_weights
from tests.endurance.ledger import Ledger
from tests.sources.helpers import picture, saved

WAYS = ("503", "429", "reset", "cut", "garbage", "shape")
SHARE = 0.3


class FaultyServer(ChatServer):
    """A server some of whose replies fail, at random from a seed.

    Attributes:
        struck: the faults so far, by their kind.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(SERVED)
        self.struck: Counter[str] = Counter()
        self._random = random.Random(seed)

    def fault(self, text: str) -> Fault | None:
        with self.lock:
            if text == "/v1/models" or self._random.random() >= SHARE:
                return None
            kind = self._random.choice(WAYS)
            self.struck[kind] += 1
        return Fault(kind, headers={"Retry-After": "0"} if kind == "429" else {})


@dataclass
class Outcome:
    """What became of the captions.

    Attributes:
        items: artworks in the source.
        requests: that the faulty server got.
        struck: the faults, by their kind.
        lost: artworks without a caption.
        doubled: rows beyond one an artwork.
        different: captions that differ from those of a server without faults.
        faulty_s: how long it took with faults.
        sound_s: how long it took without.
    """

    items: int = 0
    requests: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    different: int = 0
    faulty_s: float = 0.0
    sound_s: float = 0.0

    def add(self, row: dict[str, Any]) -> None:
        """Take in what another outcome's fields say."""
        for name, value in row.items():
            if name == "struck":
                self.struck.update(value)
            else:
                setattr(self, name, getattr(self, name) + value)


def judged(rows: Sequence[dict[str, Any]], wanted: dict[str, str]) -> tuple[int, int, int]:
    """Return how many captions are lost, doubled and different.

    Args:
        rows: of `image_captions`, as the faulty server's build has them.
        wanted: each artwork's caption.
    """
    good = {row["artwork_id"]: row["caption"] for row in rows if row["status"] == "ok"}
    times = Counter(row["artwork_id"] for row in rows)
    lost = sum(not good.get(name) for name in wanted)
    doubled = sum(count - 1 for count in times.values())
    different = sum(bool(good.get(name)) and good[name] != said for name, said in wanted.items())
    return lost, doubled, different


def batch(folder: Path, number: int, items: int) -> Outcome:
    """Caption this many artworks with a faulty server and with a sound one."""
    artworks = write_artgraph(folder / "artgraph.zip", _images(number * items, items))
    tracks = write_sample(folder / "sample").metadata.parent
    weights = write_weights(folder / "weights")
    tables: list[list[dict[str, Any]]] = []
    seconds: list[float] = []
    faulty = FaultyServer(number)
    for server in (faulty, ChatServer(SERVED)):
        with server:
            overrides = settings(weights, server.url, shard_rows=100)
            patience = ["models.llava-1.6-mistral-7b.retries=20"]
            began = time.monotonic()
            workspace = build(
                Recipe.read("paper", [*overrides, *patience]),
                artworks=artworks,
                tracks=tracks,
                out=folder / f"work-{len(tables)}",
                until="image_captions",
            )
            seconds.append(time.monotonic() - began)
        tables.append(workspace.read("image_captions").to_pylist())
    wanted = {row["artwork_id"]: row["caption"] for row in tables[1]}
    if len(wanted) != items or not all(wanted.values()):
        raise SystemExit("the sound server's captions are not complete")
    counts = judged(tables[0], wanted)
    return Outcome(items, len(faulty.questions), faulty.struck, *counts, *seconds)


def _images(start: int, count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(start, start + count):
        yield f"artist_picture-{number}.jpg", saved(picture(40 + number % 60, 40), "JPEG")


def run(folder: Path, items: int, size: int = 250, out: Path | None = None) -> Outcome:
    """Caption batches until there were this many artworks, earlier sittings included.

    Args:
        folder: where.
        items: how many artworks.
        size: of a batch.
        out: where a row a batch is kept; None to keep nothing.
    """
    size = min(size, items)
    ledger = Ledger(out, {"script": "endpoint", "batch": size})
    total = Outcome()
    for row in ledger:
        total.add(row)
    while total.items < items:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = batch(Path(scratch), len(ledger.rows), size)
        ledger.append(vars(found))
        total.add(vars(found))
    return total


def main() -> None:
    """Print the faults and what they did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--out", type=Path, help="keep what is found here, and go on from it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), given.items, given.batch, given.out)
    for kind in WAYS:
        print(f"{kind:10} {outcome.struck[kind]:6}")
    share = outcome.struck.total() / max(1, outcome.requests)
    print(
        f"{outcome.items} artworks, {outcome.requests} requests, {share:.0%} failed;"
        f" {outcome.lost} captions lost, {outcome.doubled} doubled, {outcome.different} different;"
        f" {outcome.faulty_s:.1f} s, without faults {outcome.sound_s:.1f} s"
    )
    if outcome.lost or outcome.doubled or outcome.different:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
