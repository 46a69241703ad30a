"""An endpoint of which three replies in ten fail, in six ways: no caption is lost or doubled.

Usage: python -m tests.endurance.endpoint [--items 1000]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from artsound.builder import build
from artsound.recipe import Recipe
from artsound.sources.sample import write_sample
from tests.chat_server import ChatServer, Fault
from tests.endurance.archives import write_artgraph
from tests.endurance.fast import SERVED, settings, write_weights
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
        doubled: captions beyond one an artwork.
        different: captions that differ from those of a server without faults.
        seconds: how long it took with faults, and without.
    """

    items: int
    requests: int
    struck: Counter[str]
    lost: int
    doubled: int
    different: int
    seconds: tuple[float, float]


def run(folder: Path, items: int) -> Outcome:
    """Caption this many artworks with a faulty server and with a sound one."""
    artworks = write_artgraph(folder / "artgraph.zip", _images(items))
    tracks = write_sample(folder / "sample").metadata.parent
    weights = write_weights(folder / "weights")
    captions: list[dict[str, str]] = []
    seconds: list[float] = []
    rows: list[int] = []
    faulty = FaultyServer()
    for server in (faulty, ChatServer(SERVED)):
        with server:
            overrides = settings(weights, server.url, shard_rows=100)
            patience = ["models.llava-1.6-mistral-7b.retries=20"]
            began = time.monotonic()
            workspace = build(
                Recipe.read("paper", [*overrides, *patience]),
                artworks=artworks,
                tracks=tracks,
                out=folder / f"work-{len(captions)}",
                until="image_captions",
            )
            seconds.append(time.monotonic() - began)
        table = workspace.read("image_captions").to_pylist()
        good = [row for row in table if row["status"] == "ok" and row["caption"]]
        captions.append({row["artwork_id"]: row["caption"] for row in good})
        rows.append(len(table))
    found, wanted = captions
    return Outcome(
        items,
        len(faulty.questions),
        faulty.struck,
        items - len(found),
        rows[0] - len(found),
        sum(found.get(name) != caption for name, caption in wanted.items()),
        (seconds[0], seconds[1]),
    )


def _images(count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        yield f"artist_picture-{number}.jpg", saved(picture(40 + number % 60, 40), "JPEG")


def main() -> None:
    """Print the faults and what they did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1000)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), parser.parse_args().items)
    for kind in WAYS:
        print(f"{kind:10} {outcome.struck[kind]:6}")
    share = outcome.struck.total() / max(1, outcome.requests)
    print(
        f"{outcome.items} artworks, {outcome.requests} requests, {share:.0%} failed;"
        f" {outcome.lost} captions lost, {outcome.doubled} doubled, {outcome.different} different;"
        f" {outcome.seconds[0]:.1f} s, without faults {outcome.seconds[1]:.1f} s"
    )


if __name__ == "__main__":
    main()
