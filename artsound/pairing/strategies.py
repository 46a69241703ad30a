"""The stage that pairs tracks with artworks: pairs/<strategy>.

A strategy says which embeddings are compared (paper, table 5). Adding one is one line in
`STRATEGIES` and its name in the recipe's `Strategy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import pyarrow as pa

from artsound import schema
from artsound.embeddings import read_vectors
from artsound.errors import ArtsoundError
from artsound.pairing.greedy import match
from artsound.recipe import Recipe
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
    """Pairs every embedded track with an artwork, the most similar pair first (eq. 3, 4).

    Where there are fewer artworks than tracks, the tracks left over are rows without an artwork,
    with status `unpaired`.

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
        """Return the method and the embedder."""
        return {"method": recipe.pairing.method, "embedder": self.embedder}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Pair all tracks."""
        artworks, images = read_vectors(build, self.reads[0])
        tracks, audio = read_vectors(build, self.reads[1])
        if not artworks or not tracks:
            empty = self.reads[0] if not artworks else self.reads[1]
            raise ArtsoundError(
                f"nothing to pair: {empty} has no usable row; `artsound status` says what was"
                " rejected and why"
            )
        method = build.recipe.pairing.method
        matching = match(audio, images, method=method)
        rows = []
        for track, image, similarity, order in zip(
            tracks, matching.image, matching.similarity, matching.order, strict=True
        ):
            paired = image >= 0
            rows.append(
                {
                    "track_id": track,
                    "artwork_id": artworks[image] if paired else None,
                    "similarity": float(similarity) if paired else None,
                    "order": int(order) if paired else None,
                    "method": method,
                    "embedder": self.embedder,
                    "status": Status.OK if paired else Status.UNPAIRED,
                    "reason": None if paired else Reason.NO_ARTWORK_LEFT,
                }
            )
        return {self.table: pa.Table.from_pylist(rows, schema.PAIRS)}


def pairing_stages(recipe: Recipe) -> list[PairsStage]:
    """Return a stage for each strategy of the recipe."""
    return [PairsStage(name, recipe.pairing.embedder) for name in recipe.pairing.strategies]
