"""A build on hostile files: no crash, no hang, and a row with a reason for each.

Usage: python -m tests.endurance.hostile [--files 10000]
"""

from __future__ import annotations

import argparse
import stat
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artsound.builder import build
from artsound.recipe import Recipe
from artsound.schema import REASONS
from tests.endurance.archives import write_fma, write_mapping
from tests.endurance.hostile_files import clips, images
from tests.sources.helpers import picture, saved

FIRST_TRACK = 1000


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
        rows: each file's kind of trouble and its row, images first.
        seconds: how long the build took.
    """

    rows: list[tuple[str, dict[str, Any]]]
    seconds: float

    def count(self, words: str) -> int:
        """Return how many rows' reasons contain words."""
        return sum(words in (row["reason"] or "") for _, row in self.rows)

    def unexplained(self) -> list[dict[str, Any]]:
        """Return the rows that are neither `ok` nor rejected for a reason of the vocabulary."""
        return [
            row
            for _, row in self.rows
            if (row["status"] == "ok") != (row["reason"] is None)
            or (row["reason"] and row["reason"].partition(":")[0] not in REASONS)
        ]


def run(folder: Path, files: int, workers: int = 2) -> Outcome:
    """Build as far as the tracks on this many files, half of them images."""
    kinds: list[str] = []
    artgraph = folder / "artgraph.zip"
    with zipfile.ZipFile(artgraph, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        names = list(_write_images(archive, files // 2, kinds))
        write_mapping(archive, names)
    sound_kinds: list[str] = []
    fma = write_fma(folder / "fma", _numbered(files - files // 2, sound_kinds))
    recipe = Recipe.read("lite", ["shard_rows=200"])
    began = time.perf_counter()
    workspace = build(
        recipe, artworks=artgraph, tracks=fma, out=folder / "work", workers=workers, until="tracks"
    )
    seconds = time.perf_counter() - began
    artworks = sorted(workspace.read("artworks").to_pylist(), key=lambda r: r["artgraph_index"])
    tracks = workspace.read("tracks").to_pylist()
    by_kind = [*zip(kinds, artworks, strict=True), *zip(sound_kinds, tracks, strict=True)]
    return Outcome(by_kind, seconds)


def _write_images(archive: zipfile.ZipFile, count: int, kinds: list[str]) -> Iterator[str]:
    for number, (kind, data) in enumerate(images(count, seed=1)):
        name = f"hostile_image-{number}.jpg"
        archive.writestr(f"imagesf2/{name}", data)
        kinds.append(kind)
        yield name
    good = saved(picture(), "JPEG")
    for number, (kind, path, mode) in enumerate(_paths()):
        name = path.rpartition("/")[2].format(number)
        info = zipfile.ZipInfo(path.format(number))
        info.external_attr = mode << 16
        archive.writestr(info, b"../../etc/passwd" if stat.S_ISLNK(mode) else good)
        kinds.append(kind)
        yield name
    for kind, listed in (
        ("listed and not there", "gone_x-1900.jpg"),
        ("listed under a path", "../../etc/passwd"),
        ("listed twice", "hostile_image-0.jpg"),
    ):
        kinds.append(kind)
        yield listed


def _paths() -> list[tuple[str, str, int]]:
    """Return what is wrong with a member, its path and its mode."""
    deep = "/".join(["deep"] * 2000)
    return [
        ("member with ..", "../imagesf2/up_{}.jpg", 0),
        ("member with ..", "imagesf2/../../imagesf2/up_{}.jpg", 0),
        ("absolute member", "/imagesf2/absolute_{}.jpg", 0),
        ("absolute member", "C:/imagesf2/drive_{}.jpg", 0),
        ("symlink member", "imagesf2/link_{}.jpg", stat.S_IFLNK | 0o777),
        ("device member", "imagesf2/device_{}.jpg", stat.S_IFCHR | 0o777),
        ("deep member", f"{deep}/imagesf2/deep_{{}}.jpg", 0),
        ("long name", f"imagesf2/{'long' * 2000}_{{}}.jpg", 0),
        ("odd name", "imagesf2/\u202egpj.odd_{}.jpg", 0),
        ("odd name", "imagesf2/line\nbreak_{}.jpg", 0),
        ("odd name", 'imagesf2/quote"comma,_{}.jpg', 0),
    ]


def _numbered(count: int, kinds: list[str]) -> Iterator[tuple[int, bytes]]:
    for number, (kind, data) in enumerate(clips(count, seed=2)):
        kinds.append(kind)
        yield FIRST_TRACK + number, data


def main() -> None:
    """Print what became of each kind of trouble."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), files)
    print(f"{'kind':24} {'rows':>6} {'ok':>6} {'rejected':>8}  commonest reason")
    for kind in dict.fromkeys(kind for kind, _ in outcome.rows):
        rows = [row for of, row in outcome.rows if of == kind]
        reasons = Counter(row["reason"].partition(":")[0] for row in rows if row["reason"])
        rejected = sum(reasons.values())
        commonest = reasons.most_common(1)[0][0] if reasons else ""
        print(f"{kind:24} {len(rows):6} {len(rows) - rejected:6} {rejected:8}  {commonest}")
    crashes, hangs = outcome.count("crashed the decoder"), outcome.count("took the decoder")
    print(
        f"{len(outcome.rows)} files in {outcome.seconds:.0f} s: {crashes} crashes, {hangs} hangs,"
        f" {len(outcome.unexplained())} rows without a reason"
    )


if __name__ == "__main__":
    main()
