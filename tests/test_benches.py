"""The benchmarks of `tests/perf` still run: each as small as it goes, its times left alone.

Left out are those that cannot be made small: `bench_framework` (minutes), `bench_page` (a page of
full size) and `bench_imagebind` (a checkpoint of 4.3 GB).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"framework", "page", "imagebind"}
SMALLEST = {
    "art2mus_caches": "--rounds 1 --batches 1",
    "art2mus_sampling": "--steps 1 --rounds 1 --items 1",
    "art2mus_training": "--rounds 1 --no-memory",
    "chat": "--latency 0.01 --seconds 1 --replies 1000",
    "executors": "--shards 4 --items 2",
    "fast_linear": "--rounds 1 --only layers",
    "fma_metadata": "1000",
    "frechet": "--dimensions 32 --rounds 1",
    "lp_musiccaps": "--rounds 1",
    "media": "",
    "metrics": "--clips 2",
    "pairing": "--scales 0.01 --peers 100",
    "release": "--pairs 200 --rows 20 --rounds 1",
    "report": "--pairs 500 --artworks 600 --dimension 16",
    "scorers": "--images 2 --captions 2 --pairs 2 --rounds 1",
    "workers": "--until artworks",
}


def test_every_benchmark_is_run_or_left_out() -> None:
    found = {path.stem.removeprefix("bench_") for path in (ROOT / "tests/perf").glob("bench_*.py")}
    assert found == SMALLEST.keys() | LEFT_OUT


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_runs_and_prints_a_table(name: str) -> None:
    command = [sys.executable, "-m", f"tests.perf.bench_{name}", *SMALLEST[name].split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=840
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert any(character.isdigit() for character in done.stdout)
