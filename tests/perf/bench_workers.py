"""The speed-up of two workers over one, stage by stage, on the embedded sample.

Usage: python -m tests.perf.bench_workers [--until segment_captions] [--recipe lite]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from artsound.builder import build
from artsound.pipeline import stage_index, stages
from artsound.recipe import Recipe
from artsound.sources.sample import write_sample


def _seconds(folder: Path, recipe: Recipe, until: str, workers: int) -> dict[str, float]:
    """Return how long each stage takes, worker processes and models included."""
    paths = write_sample(folder / "sources")
    plan = stages(recipe)
    found = {}
    for stage in plan[: stage_index(plan, until) + 1]:
        began = time.perf_counter()
        build(
            recipe,
            artworks=paths.artworks,
            tracks=paths.metadata.parent,
            out=folder / f"work-{workers}",
            workers=workers,
            until=stage.table,
        )
        found[stage.table] = time.perf_counter() - began
    return found


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="lite")
    parser.add_argument("--until", default="segment_captions")
    given = parser.parse_args()
    recipe = Recipe.read(given.recipe)
    with tempfile.TemporaryDirectory() as folder:
        one = _seconds(Path(folder), recipe, given.until, 1)
        two = _seconds(Path(folder), recipe, given.until, 2)
    print(f"{'stage':40} {'1 worker':>9} {'2 workers':>9} {'speed-up':>8}")
    for stage, seconds in one.items():
        print(f"{stage:40} {seconds:8.1f}s {two[stage]:8.1f}s {seconds / two[stage]:8.2f}")


if __name__ == "__main__":
    main()
