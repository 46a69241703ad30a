"""The stage that pairs tracks with artworks: pairs/<strategy>.

A strategy says which embeddings are compared (paper, table 5). Adding one is one line in
`STRATEGIES` and its name in the recipe's `Strategy`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from artsound import schema
from artsound.embeddings import read_vectors
from artsound.errors import ArtsoundError
from artsound.models.base import FloatArray
from artsound.pairing import Matching, match
from artsound.pairing.matching import UNPAIRED, both_sides
from artsound.recipe import Pairing, Recipe
from artsound.schema import Reason, Status
from artsound.stage import Build, Stage

# Strategy: (what of the artwork, what of the track), names of embeddings tables.
STRATEGIES: Final[Mapping[str, tuple[str, str]]] = {
    "image_audio": ("image", "audio"),
    "image_audio_caption": ("image", "audio_caption"),
    "image_caption_audio": ("image_caption", "audio"),
    "image_caption_audio_caption": ("image_caption", "audio_caption"),
}


class PairsStage(Stage):
    """Pairs every embedded track with an artwork by the recipe's method; see `pairing.match`.

    Tracks that get none, because the artworks ran out or none is similar enough, are rows without
    an artwork, with status `unpaired`.

    Args:
        strategy: a key of `STRATEGIES`.
        embedder: whose vectors are compared.
    """

    whole: ClassVar[bool] = True

    def __init__(self, strategy: str, embedder: str) -> None:
        self.strategy = strategy
        self.embedder = embedder
        self.table = f"pairs/{strategy}"
        image, audio = STRATEGIES[strategy]
        self.reads = (f"embeddings/{embedder}/{image}", f"embeddings/{embedder}/{audio}")

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the embedder and what of the pairing can change a row."""
        return {
            "embedder": self.embedder,
            **recipe.pairing.model_dump(exclude={"strategies", "released", "embedder", "backend"}),
        }

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Pair all tracks."""
        artworks, images = self._vectors(build, self.reads[0])
        tracks, audio = self._vectors(build, self.reads[1])
        chosen = build.recipe.pairing
        matching = match(
            audio,
            images,
            chosen.method,
            objective=chosen.objective,
            gap=chosen.gap,
            csls=chosen.csls,
            max_per_artwork=chosen.max_per_artwork,
            min_similarity=chosen.min_similarity,
            backend=chosen.backend,
            checkpoint=build.workspace.folder(self.table) / "checkpoint.npz",
            progress=lambda done, total: build.progress(done, 2 * total),
        )
        from artsound.pairing.ranks import neighbour_ranks  # imports torch

        # Ranking takes about as long as pairing: the second half of the work.
        ranks = neighbour_ranks(
            *both_sides(audio, images),
            matching.image,
            progress=lambda done, total: build.progress(total + done, 2 * total),
        )
        return {self.table: self._table(tracks, artworks, matching, ranks, chosen)}

    def _vectors(self, build: Build, table: str) -> tuple[list[Any], FloatArray]:
        """Read an embeddings table.

        Raises:
            ArtsoundError: it has no usable row, or a row by another model.
        """
        ids, vectors = read_vectors(build, table, self.embedder)
        if not ids:
            raise ArtsoundError(
                f"nothing to pair: {table} has no usable row; `artsound status` says what was"
                " rejected and why"
            )
        return ids, vectors

    def _table(
        self,
        tracks: Sequence[Any],
        artworks: Sequence[Any],
        matching: Matching,
        ranks: tuple[NDArray[np.int64], NDArray[np.int64]],
        chosen: Pairing,
    ) -> pa.Table:
        paired = matching.image != UNPAIRED
        missing = ~paired
        left_out = Reason.NO_ARTWORK_LEFT
        if chosen.min_similarity > -1.0:
            left_out = Reason.NOT_SIMILAR_ENOUGH
        columns = {
            "track_id": pa.array(tracks, pa.int64()),
            "artwork_id": pa.array(
                [artworks[image] if image != UNPAIRED else None for image in matching.image],
                pa.string(),
            ),
            "similarity": pa.array(matching.similarity, pa.float64(), mask=missing),
            "order": pa.array(matching.order, pa.int64(), mask=missing),
            "artwork_rank": pa.array(ranks[0], pa.int64(), mask=missing),
            "track_rank": pa.array(ranks[1], pa.int64(), mask=missing),
            "method": [chosen.method] * len(tracks),
            "gap": [None if math.isnan(matching.gap) else matching.gap] * len(tracks),
            "embedder": [self.embedder] * len(tracks),
            "status": [Status.OK if made else Status.UNPAIRED for made in paired],
            "reason": [None if made else left_out for made in paired],
        }
        return pa.table(columns, schema=schema.PAIRS)


def pairing_stages(recipe: Recipe) -> list[PairsStage]:
    """Return a stage for each strategy of the recipe."""
    return [PairsStage(name, recipe.pairing.embedder) for name in recipe.pairing.strategies]
