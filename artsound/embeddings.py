"""The stage that embeds one modality with one embedder: embeddings/<embedder>/<modality>."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artsound import schema
from artsound.errors import ArtsoundError
from artsound.models import registry
from artsound.models.base import Embedder, FloatArray, Modality
from artsound.models.batching import in_batches
from artsound.recipe import Recipe
from artsound.schema import Reason, Status
from artsound.sources.items import read_audio, read_image
from artsound.stage import Build, Stage


@dataclass(frozen=True)
class Embedded:
    """What an embeddings table is made from.

    Attributes:
        table: the table with the items.
        key: its id column.
        source: the source that holds the items' media; None for captions.
        modality: what the embedder is given.
    """

    table: str
    key: str
    source: str | None
    modality: Modality


EMBEDDED: Final[Mapping[str, Embedded]] = {
    "image": Embedded("artworks", "artwork_id", "artworks", "image"),
    "audio": Embedded("tracks", "track_id", "tracks", "audio"),
    "image_caption": Embedded("image_captions", "artwork_id", None, "text"),
    "audio_caption": Embedded("audio_captions", "track_id", None, "text"),
}


class EmbeddingsStage(Stage):
    """Embeds the usable items of one part with one embedder.

    Args:
        embedder: the embedder's registry name.
        what: a key of `EMBEDDED`.
    """

    def __init__(self, embedder: str, what: str) -> None:
        self.embedder = embedder
        self.what = EMBEDDED[what]
        self.table = f"embeddings/{embedder}/{what}"
        self.reads = (self.what.table,)
        self.source = self.what.source  # type: ignore[misc]  # each instance has its own

    def models(self, recipe: Recipe) -> tuple[tuple[str, str], ...]:
        """Return the embedder."""
        return (("embedder", self.embedder),)

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the batch size, which can move the last bits, and the media limits."""
        return {"batch": recipe.embeddings.batch, "media": recipe.media.model_dump()}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Embed the items of one part."""
        embedder: Embedder = build.models.load("embedder", self.embedder)
        rows = [
            row
            for row in build.workspace.read(self.what.table, shard=shard).to_pylist()
            if row["status"] == Status.OK
        ]
        vectors = in_batches(rows, build.recipe.embeddings.batch, self._embed(build, embedder))
        return {self.table: self._table(rows, vectors, embedder.dimension)}

    def _embed(
        self, build: Build, embedder: Embedder
    ) -> Callable[[Sequence[Mapping[str, Any]]], FloatArray]:
        rate = embedder.sample_rate
        if self.what.modality == "image":
            return lambda rows: embedder.embed_images(
                [read_image(build, row["file_name"]) for row in rows]
            )
        if self.what.modality == "audio":
            return lambda rows: embedder.embed_audio(
                [read_audio(build, row["file_name"], rate) for row in rows], rate
            )
        return lambda rows: embedder.embed_text([row["caption"] for row in rows])

    def _table(
        self, rows: Sequence[Mapping[str, Any]], vectors: Sequence[Any], dimension: int
    ) -> pa.Table:
        key = schema.ARTWORKS.field("artwork_id")
        if self.what.key == "track_id":
            key = schema.TRACKS.field("track_id")
        failed = [isinstance(vector, Exception) for vector in vectors]
        return pa.Table.from_pydict(
            {
                self.what.key: [row[self.what.key] for row in rows],
                "vector": [
                    None if bad else np.asarray(vector, np.float32)
                    for vector, bad in zip(vectors, failed, strict=True)
                ],
                "model": [self.embedder] * len(rows),
                "status": [Status.FAILED if bad else Status.OK for bad in failed],
                "reason": [
                    f"{Reason.EMBEDDING_FAILED}: {type(vector).__name__}: {vector}" if bad else None
                    for vector, bad in zip(vectors, failed, strict=True)
                ],
            },
            schema=schema.embeddings(dimension, key),
        )


def embedding_stages(recipe: Recipe) -> list[EmbeddingsStage]:
    """Return a stage for each embedder of the recipe and each thing that it can embed."""
    stages = []
    for name in recipe.embeddings.embedders:
        modalities = registry.entry("embedder", name).modalities
        stages += [
            EmbeddingsStage(name, what)
            for what, embedded in EMBEDDED.items()
            if embedded.modality in modalities
        ]
    return stages


def read_vectors(build: Build, table: str, model: str) -> tuple[list[Any], FloatArray]:
    """Return the ids and vectors, shape (n, d), of the usable rows of an embeddings table.

    Raises:
        ArtsoundError: a row was made by another model than `model`.
    """
    rows = build.workspace.read(table)
    rows = rows.filter(pa.compute.equal(rows["status"], Status.OK))
    other = pa.compute.index(pa.compute.not_equal(rows["model"], model), True).as_py()
    if other >= 0:
        raise ArtsoundError(
            f"{table}, row {rows.column(0)[other].as_py()}: embedded by"
            f" {rows['model'][other].as_py()}, not by {model};"
            f" run the build with --redo-from {table}"
        )
    dimension = rows.schema.field("vector").type.list_size
    flat = rows["vector"].combine_chunks()
    vectors = flat.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return rows.column(0).to_pylist(), np.asarray(vectors, np.float32)
