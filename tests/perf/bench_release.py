"""Writing, filling and reading releases, beside plain `datasets` on the same rows in the same run.

Three parts. Rows with media of real size: `artsound release`, `artsound hydrate` and our writer
alone against `Dataset.to_parquet`. Reading them: how long until the first row, and rows a second
as a stream, ours and with plain `datasets`. And a release of many pairs with tiny media, with the
peak of memory. `release` and `hydrate` read archives, check every file's checksum, join tables,
and write the other configurations and the card besides; `to_parquet` only writes rows that lie
ready.

Usage: python -m tests.perf.bench_release [--pairs 100000] [--rows 600] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from tests.release.synthetic import Synthetic, write_synthetic

IMAGE_BYTES, AUDIO_BYTES = 120_000, 480_000  # about what ArtGraph and FMA's 30-s clips have
_RELEASE = """
from artsound.release.assemble import release
from artsound.workspace import Workspace
import artsound.release.card, datasets
began = time.perf_counter()
release(Workspace(Path({work!r})), Path({out!r}), media={media!r})
"""
_HYDRATE = """
from artsound.release.hydrate import hydrate
import artsound.release.card, datasets
began = time.perf_counter()
hydrate(Path({release!r}), Path({artworks!r}), Path({tracks!r}), Path({out!r}))
"""
_WRITER = """
import pyarrow.parquet as pq
from artsound.release.writer import ShardWriter
from artsound.release.lookup import read_tables
paths = sorted(Path({release!r}, "data").glob("train-*.parquet"))
tables = list(read_tables(paths))
began = time.perf_counter()
writer = ShardWriter(Path({out!r}), "train", pq.read_schema(paths[0]), 500_000_000, 100_000_000)
writer.write(tables)
"""
_PLAIN = """
from datasets import Audio, Image, load_dataset
rows = load_dataset({release!r}, split="train", cache_dir={cache!r})
rows = rows.cast_column("audio", Audio(decode=False)).cast_column("image", Image(decode=False))
rows = rows.with_format("arrow")
began = time.perf_counter()
rows.to_parquet({out!r})
"""
_LOAD = """
from {module} import {load}
began = time.perf_counter()
{prepare}
row = next(iter(rows))
"""
_STREAM = """
from datasets import Audio, Image, load_dataset
rows = load_dataset({release!r}, split="train", streaming=True)
rows = rows.cast_column("audio", Audio(decode=False)).cast_column("image", Image(decode=False))
began = time.perf_counter()
count = sum(1 for _ in rows)
"""


def _run(script: str) -> tuple[float, float]:
    """Run a script in a process of its own: its seconds since `began`, and its peak in GiB."""
    whole = (
        "import resource, time\nfrom pathlib import Path\nbegan = time.perf_counter()\n"
        f"{script}\n"
        "took = time.perf_counter() - began\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "import json, os\nprint(json.dumps([took, peak / 2**20]), flush=True)\n"
        "os._exit(0)"  # a stream that is not read to its end may abort the interpreter's end
    )
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    took, peak = json.loads(done.stdout.splitlines()[-1])
    return took, peak


def _line(name: str, rows: int, size: int, seconds: float, peak: float) -> None:
    print(
        f"{name:34} {rows:7} rows {seconds:8.2f} s {rows / seconds:9.0f} rows/s"
        f" {size / seconds / 1e6:8.1f} MB/s  peak {peak:5.2f} GiB",
        flush=True,
    )


def _median(name: str, rows: int, size: int, rounds: int, script: Callable[[int], str]) -> float:
    found = [_run(script(number)) for number in range(rounds)]
    seconds = statistics.median(took for took, _ in found)
    _line(name, rows, size, seconds, max(peak for _, peak in found))
    return seconds


def _size(folder: Path, pattern: str = "data/*.parquet") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def _writing(made: Synthetic, place: Path, rows: int, rounds: int) -> Path:
    work, media = str(made.workspace.root), rows * (IMAGE_BYTES + AUDIO_BYTES)
    where = {"artworks": str(made.artworks), "tracks": str(made.tracks)}
    _run(_RELEASE.format(work=work, out=str(place / "none"), media="none"))

    def ours(number: int) -> str:
        return _RELEASE.format(work=work, out=str(place / f"full{number}"), media="embed")

    def filled(number: int) -> str:
        out = str(place / f"filled{number}")
        return _HYDRATE.format(release=str(place / "none"), out=out, **where)

    _median("artsound release", rows, media, rounds, ours)
    full = place / "full0"
    _median("artsound hydrate", rows, media, rounds, filled)
    train = sum(pq.read_metadata(path).num_rows for path in full.glob("data/train-*"))
    size = _size(full, "data/train-*")

    def alone(number: int) -> str:
        return _WRITER.format(release=str(full), out=str(place / f"writer{number}"))

    def plain(number: int) -> str:
        return _PLAIN.format(
            release=str(full), cache=str(place / "cache"), out=str(place / f"plain{number}.parquet")
        )

    ours_s = _median("our writer, rows ready (train)", train, size, rounds, alone)
    plain_s = _median("Dataset.to_parquet (train)", train, size, rounds, plain)
    print(f"{'':34} writer / to_parquet: {ours_s / plain_s:.2f} of the time")
    return full


def _reading(full: Path, place: Path, rounds: int) -> None:
    train = sum(pq.read_metadata(path).num_rows for path in full.glob("data/train-*"))
    size = _size(full, "data/train-*")
    keep = "rows = rows.cast_column('audio', Audio(decode=False))"
    undecoded = f"{keep}.cast_column('image', Image(decode=False))"
    for name, streaming in (("first row, prepared first", False), ("first row, streamed", True)):

        def script(number: int, streaming: bool = streaming) -> str:
            cache = str(place / f"cache-{streaming}-{number}")
            prepare = (
                f"rows = load_dataset({str(full)!r}, split='train', streaming={streaming},"
                f" cache_dir={cache!r})\n{undecoded}"
            )
            return _LOAD.format(
                module="datasets", load="load_dataset, Audio, Image", prepare=prepare
            )

        found = statistics.median(_run(script(number))[0] for number in range(rounds))
        print(f"{name:34} {found:8.2f} s", flush=True)
    _median(
        "streaming, media as bytes",
        train,
        size,
        rounds,
        lambda _: _STREAM.format(release=str(full)),
    )


def _large(place: Path, pairs: int) -> None:
    made = write_synthetic(
        place, range(pairs), image_bytes=600, audio_bytes=1200, caption_repeats=20
    )
    work = str(made.workspace.root)
    where = {"artworks": str(made.artworks), "tracks": str(made.tracks)}
    full, none, filled = place / "full", place / "none", place / "filled"
    for name, script, out in (
        ("release, tiny media", _RELEASE.format(work=work, out=str(full), media="embed"), full),
        ("release without media", _RELEASE.format(work=work, out=str(none), media="none"), none),
        (
            "hydrate, tiny media",
            _HYDRATE.format(release=str(none), out=str(filled), **where),
            filled,
        ),
    ):
        seconds, peak = _run(script)
        _line(name, pairs, _size(out, "*/*.parquet"), seconds, peak)
    same = (full / "manifest.json").read_bytes() == (filled / "manifest.json").read_bytes()
    print(f"{'':34} hydrated is released, byte for byte: {same}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        made = write_synthetic(
            place / "real", range(given.rows), image_bytes=IMAGE_BYTES, audio_bytes=AUDIO_BYTES
        )
        full = _writing(made, place, given.rows, given.rounds)
        _reading(full, place, given.rounds)
        shutil.rmtree(place / "cache")
        _large(place / "large", given.pairs)


if __name__ == "__main__":
    main()
