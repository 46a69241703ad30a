"""The speed-up of two workers over one, for each sharded stage, on the embedded sample.

Each stage is a build of its own, `--until` that stage: the start of the worker processes and the
loading of their models count, as they do for a user. Run it on an idle machine of two cores.

Usage: python -m tests.perf.bench_workers [--recipe lite] [--until STAGE] [--out FILE]
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
from artsound.stage import Stage
from tests.endurance.ledger import Ledger


def sharded(recipe: Recipe, until: str | None) -> list[Stage]:
    """Return the stages that have shards, as far as one of them, or all."""
    plan = stages(recipe)
    last = len(plan) if until is None else stage_index(plan, until) + 1
    return [stage for stage in plan[:last] if not stage.whole]


def _measure(folder: Path, recipe: Recipe, until: str | None, workers: int, kept: Ledger) -> None:
    """Note how long each stage takes, worker processes and models included."""
    paths = write_sample(folder / "sources")
    for stage in sharded(recipe, until):
        began = time.perf_counter()
        build(
            recipe,
            artworks=paths.artworks,
            tracks=paths.metadata.parent,
            out=folder / f"work-{workers}",
            workers=workers,
            until=stage.table,
        )
        seconds = time.perf_counter() - began
        kept.append({"stage": stage.table, "workers": workers, "seconds": seconds})


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="lite")
    parser.add_argument("--until", help="the last stage; all that have shards if none")
    parser.add_argument("--out", type=Path, help="keep what is measured here; one that has it all")
    given = parser.parse_args()
    recipe = Recipe.read(given.recipe)
    kept = Ledger(given.out, {"script": "bench_workers", "recipe": given.recipe})
    wanted = {stage.table for stage in sharded(recipe, given.until)}
    for workers in (1, 2):
        # A count of workers is measured in one go, since later stages need the earlier ones' parts.
        if not wanted <= {row["stage"] for row in kept if row["workers"] == workers}:
            with tempfile.TemporaryDirectory() as folder:
                _measure(Path(folder), recipe, given.until, workers, kept)
    found = {(row["stage"], row["workers"]): row["seconds"] for row in kept}
    print(f"{'stage':40} {'1 worker':>9} {'2 workers':>9} {'speed-up':>8}")
    for stage in sharded(recipe, given.until):
        one, two = found[stage.table, 1], found[stage.table, 2]
        print(f"{stage.table:40} {one:8.1f}s {two:8.1f}s {one / two:8.2f}")


if __name__ == "__main__":
    main()
