"""What every released column is: its type, read from the files, and its meaning.

The meanings of the default configuration's columns are `features.PAIR_COLUMNS`; here are those of
the further configurations, by the name of the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from artsound.release.features import PAIR_COLUMNS
from artsound.release.tables import DEFAULT


@dataclass(frozen=True)
class Column:
    """A released column.

    Attributes:
        name: its name.
        kind: its type as `datasets` calls it: `string`, `float64`, `image`, `list of string`.
        meaning: what it holds, for people.
    """

    name: str
    kind: str
    meaning: str


_ANY: Final[Mapping[str, str]] = {
    "artgraph_index": "ArtGraph's own number of the artwork",
    "file_name": "the file's path in its archive",
    "title": "its title",
    "tags": "ArtGraph's tags",
    "media": "materials and techniques, from ArtGraph",
    "country": "where the artwork is or comes from, from ArtGraph",
    "width": "of the artwork's image, in pixels",
    "height": "of the artwork's image, in pixels",
    "sha256": "checksum of the source file",
    "license": "the licence as the source writes it",
    "license_spdx": "the licence as an SPDX id",
    "source_url": "where the item comes from",
    "repairs": "what had to be put right in the image before it could be used",
    "status": "`ok`, `rejected`, `failed` or `unpaired`",
    "reason": "why the status is not `ok`",
    "genre_top": "top-level genre, from the FMA dataset",
    "genres": "all genres of the track",
    "duration_s": "length of the clip in seconds",
    "sample_rate": "of the clip, in Hz",
    "channels": "of the clip",
    "rms_dbfs": "loudness of the clip: root mean square in dB of full scale",
    "caption": "the caption",
    "ic_score_of": "which scores `ic_score` is made of",
    "attempts": "how many captions were asked for until one was kept",
    "accepted": "whether the kept caption reached the threshold",
    "caption_model": "what wrote the caption",
    "caption_scorer": "what scored the caption",
    "caption_status": "`ok`, or `failed` if there is no usable caption",
    "caption_reason": "why there is none",
    "order": "position in the matching; 0 was matched first",
    "artwork_rank": "rank of the artwork among all as the track sees them; 1 is the nearest",
    "track_rank": "rank of the track among all as the artwork sees them; 1 is the nearest",
    "method": "how the pairs were matched",
    "gap": "how far the matching can at most be from the best one; null without a bound",
    "modality": "`image` or `audio`",
    "id": "the artwork's or the track's id",
    "attempt": "number of the attempt, from 1",
    "prompt": "what the model was asked",
    "issues": "what was found wrong with the caption",
    "kept": "whether this attempt is the released caption",
    "model": "what wrote the caption",
}
_OF: Final[Mapping[str, Mapping[str, str]]] = {
    "artworks": {"genre": "genre of the artwork, from ArtGraph"},
    "tracks": {"artist": "who made the music", "album": "the track's album"},
}


def columns(config: str, schema: pa.Schema) -> list[Column]:
    """Return the columns of a configuration, with an empty meaning for one that is not known."""
    from datasets import Features

    features = Features.from_arrow_schema(schema)
    return [
        Column(name, kind(feature), meaning(config, name)) for name, feature in features.items()
    ]


def meaning(config: str, name: str) -> str:
    """Return what a column of a configuration holds; empty if nobody has said."""
    paired = PAIR_COLUMNS.get(name, ("", ""))[1]
    if config == DEFAULT:
        return paired
    return _OF.get(config, {}).get(name) or _ANY.get(name) or paired


def kind(feature: Any) -> str:
    """Return a feature's type as the card names it."""
    name = type(feature).__name__
    if name in ("Image", "Audio"):
        return name.lower()
    inner = getattr(feature, "feature", None)
    return f"list of {kind(inner)}" if inner is not None else str(feature.dtype)
