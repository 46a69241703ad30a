"""The FMA metadata reader on 106,574 synthetic rows with the real columns: seconds and peak memory.

The file has the size and the oddities of the real one (long HTML biographies, line breaks within
fields). It is read in a process of its own, whose peak memory is what the system counted.

Usage: python -m tests.perf.bench_fma_metadata [ROWS]
"""

from __future__ import annotations

import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from artsound.sources.sample import data

ROWS = 106_574


def write_metadata(path: Path, rows: int) -> int:
    """Write a fma_metadata.zip of synthetic tracks; return the size of its tracks.csv."""
    source = (data() / "fma/fma_metadata/tracks.csv").read_text("utf-8")
    lines = list(csv.reader(source.splitlines(keepends=True)))
    header, sample = lines[:3], [row for row in lines[3:] if row]
    columns = list(zip(header[0], header[1], strict=True))
    biography = columns.index(("artist", "bio"))
    information = columns.index(("album", "information"))
    rng = random.Random(0)
    table = path.with_name("tracks.csv")
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows(header)
        for number in range(2, rows + 2):
            row = list(rng.choice(sample))
            row[0] = str(number)
            text = '<p>An artist with a "long" story, told in HTML.</p>\n'
            row[biography] = text * rng.randint(0, 60)
            row[information] = text * rng.randint(0, 20)
            writer.writerow(row)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(table, "fma_metadata/tracks.csv")
        archive.writestr(
            "fma_metadata/genres.csv", (data() / "fma/fma_metadata/genres.csv").read_bytes()
        )
    size = table.stat().st_size
    table.unlink()
    return size


def _read(path: Path) -> None:
    from artsound.sources.archive import open_source
    from artsound.sources.fma import FreeMusicArchive

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    fma = FreeMusicArchive(open_source(path))
    opened = time.perf_counter() - began
    records = sum(1 for _ in fma.records())
    total = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{records:,} rows  read {opened:.1f} s  all records {total:.1f} s"
        f"  peak memory {peak / 2**20:.2f} GiB (imports {before / 2**20:.2f})"
    )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--read":
        _read(Path(sys.argv[2]))
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fma_metadata.zip"
        size = write_metadata(path, rows)
        print(f"tracks.csv: {size / 2**20:.0f} MiB")
        command = [sys.executable, "-m", "tests.perf.bench_fma_metadata", "--read", str(path)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
