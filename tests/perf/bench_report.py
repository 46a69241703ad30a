"""Seconds and peak memory of the report without media, on a made-up workspace of the paper's size.

Each part runs in a process of its own: the tables and figures alone, and the whole report with its
page. The target is 3 minutes and 4 GiB.

Usage: python -m tests.perf.bench_report [--pairs 105884] [--artworks 116475] [--dimension 1024]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.report.synthetic import write_report_workspace

_NUMBERS = """
from artsound.report.app import write_numbers
write_numbers(open_data(Path({work!r})), Path({out!r}))
"""
_WHOLE = """
from artsound.report.app import write_report
write_report(open_data(Path({work!r})), Path({out!r}), media=False)
"""


def _run(script: str) -> tuple[float, float]:
    """Run a script in a process of its own: its seconds, and its peak in GiB."""
    whole = (
        "import json, resource, time\nfrom pathlib import Path\n"
        "from artsound.report.data import open_data\n"
        f"began = time.perf_counter()\n{script}\n"
        "took = time.perf_counter() - began\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps([took, peak / 2**20]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    took, peak = json.loads(done.stdout.splitlines()[-1])
    return took, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=105_884)
    parser.add_argument("--artworks", type=int, default=116_475)
    parser.add_argument("--dimension", type=int, default=1024)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        began = time.perf_counter()
        work = write_report_workspace(
            place / "work",
            pairs=given.pairs,
            artworks=given.artworks,
            dimension=given.dimension,
        )
        print(f"{'made-up workspace':24} {time.perf_counter() - began:7.1f} s", flush=True)
        for name, script in (("tables and figures", _NUMBERS), ("whole, no media", _WHOLE)):
            seconds, peak = _run(script.format(work=str(work.root), out=str(place / "report")))
            print(
                f"{name:24} {seconds:7.1f} s  peak {peak:5.2f} GiB  {given.pairs:,} pairs",
                flush=True,
            )


if __name__ == "__main__":
    main()
