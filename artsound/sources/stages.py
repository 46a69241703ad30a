"""The stages that read the sources: every artwork and every track becomes a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from artsound import schema
from artsound.recipe import Recipe
from artsound.sources.artgraph import artwork_rows
from artsound.sources.fma import track_rows
from artsound.sources.items import artgraph, fma, media_limits
from artsound.stage import Build, Stage


class ArtworksStage(Stage):
    """Catalogues the artworks and checks their images: table `artworks`."""

    table = "artworks"
    source: ClassVar[str | None] = "artworks"

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the media limits and how many artworks make a part."""
        return {"media": recipe.media.model_dump(), "shard_rows": recipe.shard_rows}

    def shards(self, build: Build) -> int:
        """Return the number of parts that the catalogue fills."""
        return max(1, math.ceil(len(artgraph(build.artworks)) / build.recipe.shard_rows))

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Read and check one part's artworks."""
        start = shard * build.recipe.shard_rows
        stop = start + build.recipe.shard_rows
        rows = artwork_rows(artgraph(build.artworks), start, stop, media_limits(build.recipe))
        return {self.table: pa.Table.from_pylist(rows, schema.ARTWORKS)}


class TracksStage(Stage):
    """Catalogues the tracks and checks their audio: table `tracks`."""

    table = "tracks"
    source: ClassVar[str | None] = "tracks"

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the media limits and how many tracks make a part."""
        return {"media": recipe.media.model_dump(), "shard_rows": recipe.shard_rows}

    def shards(self, build: Build) -> int:
        """Return the number of parts that the catalogue fills."""
        return max(1, math.ceil(len(fma(build.tracks)) / build.recipe.shard_rows))

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Read and check one part's tracks."""
        start = shard * build.recipe.shard_rows
        stop = start + build.recipe.shard_rows
        rows = track_rows(fma(build.tracks), start, stop, media_limits(build.recipe))
        return {self.table: pa.Table.from_pylist(rows, schema.TRACKS)}
