"""Near-duplicate captions and images: what a count of rows hides."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artsound.report.caption_tables import captions_of
from artsound.report.columns import percent, usable
from artsound.report.data import Data
from artsound.report.near_duplicates import (
    PERMUTATIONS,
    WORDS,
    alike_texts,
    alike_vectors,
    group_sizes,
    normalised,
)
from artsound.report.progress import Say
from artsound.table import Cell, Table

JACCARD: Final = 0.8
COSINE: Final = 0.98


def duplicate_tables(data: Data, say: Say) -> list[Table]:
    """Return the tables of near-duplicates, as far as there are items."""
    found = [_captions(data, say), _images(data, say)]
    return [table for table in found if table.rows]


def _captions(data: Data, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in captions_of(data):
        kept = usable(one.table)
        if not len(kept):
            continue
        say(f"near-duplicate captions of {one.what}")
        counts = pc.value_counts(normalised(kept["caption"]))
        texts, times = counts.field("values"), counts.field("counts").to_numpy()
        rows.append(_row(f"{one.what}: the same text", len(kept), times))
        groups = alike_texts(pa.chunked_array([texts]), JACCARD)
        sizes = group_sizes(groups, times)
        rows.append(_row(f"{one.what}: Jaccard {JACCARD} or more", len(kept), sizes))
    return Table(
        "near_duplicate_captions",
        "Near-duplicate captions",
        ("captions", "n", "groups", "in a group", "%", "largest group"),
        tuple(rows),
        (
            "A group is two captions or more. The same text: but for case, punctuation and spaces."
            f" Jaccard: of the sets of {WORDS} words in a row, estimated by MinHash with"
            f" {PERMUTATIONS} permutations (standard deviation 0.05), so a few more or fewer are"
            " possible; groups are joined by neighbours, and the same texts count.",
        ),
    )


def _images(data: Data, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    notes = "A group is two artworks or more. The same file: equal SHA-256 of the source's file."
    if data.artworks is not None and len(images := usable(data.artworks)):
        times = pc.value_counts(images["sha256"].drop_null()).field("counts").to_numpy()
        rows.append(_row("the same file", len(images), times))
    name = data.recipe.pairing.embedder
    found = data.vectors(name, "image")
    if found is not None:
        say("near-duplicate images")
        sizes = group_sizes(alike_vectors(found[1], COSINE))
        rows.append(_row(f"cosine {COSINE} or more", len(found[0]), sizes))
        notes += (
            f" Cosine: of the embeddings by {name}, found by hashing. On made-up embeddings that"
            " missed no pair at the threshold where they were spread evenly, and up to one in"
            " twenty where they were in tight clusters. Groups are joined by neighbours."
        )
    elif rows:
        notes += " Embeddings, which find copies of another size, are not here."
    return Table(
        "near_duplicate_images",
        "Near-duplicate images",
        ("artworks", "n", "groups", "in a group", "%", "largest group"),
        tuple(rows),
        (notes,),
    )


def _row(
    name: str, total: int, sizes: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[Cell, ...]:
    several = sizes[sizes > 1]
    inside = int(several.sum())
    largest = int(sizes.max()) if len(sizes) else 0
    return name, total, len(several), inside, percent(inside, total), largest
