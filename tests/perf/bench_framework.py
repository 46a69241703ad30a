"""Time a row costs outside the models and the media decoders, over a whole sample build.

Every stage runs in this process; calls into models, and into the functions that read and check
media, are timed and taken off. What is left is ours: reading tables, sharding, the refinement loop,
checksums, commits.

Usage: python -m tests.perf.bench_framework
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artsound import embeddings
from artsound.captions import artworks, segments
from artsound.engine import pending_shards, shard_inputs
from artsound.models import registry
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.sources import stages as source_stages
from artsound.sources.sample import write_sample
from artsound.stage import Build
from artsound.workspace import Workspace

_METHODS = (
    "caption", "fuse", "f1", "image_features", "text_features",
    "embed_images", "embed_audio", "embed_text",
)  # fmt: skip
_MEDIA = (
    (artworks, "read_image"), (segments, "read_audio"),
    (embeddings, "read_image"), (embeddings, "read_audio"),
    (source_stages, "artwork_rows"), (source_stages, "track_rows"),
)  # fmt: skip


class Meter:
    """Seconds spent in wrapped calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def main() -> None:
    meter = Meter()
    recipe = Recipe.read("lite")
    for stage in stages(recipe):
        for role, name in stage.models(recipe):
            model = registry.load(role, name)
            for method in _METHODS:
                if hasattr(model, method) and method not in vars(model):
                    setattr(model, method, meter.wrap(getattr(model, method)))
    for module, name in _MEDIA:
        setattr(module, name, meter.wrap(getattr(module, name)))
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder))
        workspace = Workspace(Path(folder) / "work")
        build = Build(recipe, workspace, Path(folder) / "artgraph.zip", Path(folder) / "fma")
        print(f"{'stage':44} {'rows':>5} {'total s':>8} {'ours s':>8} {'ours ms/row':>12}")
        for stage in stages(recipe):
            meter.seconds = 0.0
            began = time.perf_counter()
            for shard in pending_shards(build, stage):
                tables = stage.run(build, shard)
                inputs = shard_inputs(build, stage, shard)
                for table, rows in tables.items():
                    workspace.commit(table, shard, rows, inputs=inputs)
            total = time.perf_counter() - began
            rows = workspace.read(stage.table).num_rows
            ours = total - meter.seconds
            print(f"{stage.table:44} {rows:5} {total:8.2f} {ours:8.3f} {1000 * ours / rows:12.2f}")


if __name__ == "__main__":
    main()
