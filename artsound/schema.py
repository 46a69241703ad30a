"""Every table's columns, in one place.

A table is a folder of Parquet parts in a workspace; its columns here are the contract that stages,
the release and the report share. Columns may be added; none may be renamed.

Three columns mean the same in every table that has them:

* `status`: `ok`, `rejected` (the source item is unusable), `failed` (a model or scorer gave up on
  the row) or `unpaired` (pairing had no artwork left, or none similar enough).
* `reason`: null when the status is `ok`, else one of `REASONS`, optionally followed by `: detail`.
* `model`: the registry name of what made the row. Names that begin with `lite-` are the small
  embedded models, never the paper's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import pyarrow as pa


class Status(StrEnum):
    """What became of a row."""

    OK = "ok"
    REJECTED = "rejected"
    FAILED = "failed"
    UNPAIRED = "unpaired"


class Reason(StrEnum):
    """Why a row is not `ok`: the documented vocabulary."""

    IMAGE_MISSING = "image file missing"
    IMAGE_EMPTY = "image file empty"
    IMAGE_NOT_DECODABLE = "image not decodable"
    IMAGE_TRUNCATED = "image truncated"
    IMAGE_TOO_LARGE = "image too large"
    IMAGE_TOO_SMALL = "image too small"
    AUDIO_MISSING = "audio file missing"
    AUDIO_EMPTY = "audio file empty"
    AUDIO_NOT_DECODABLE = "audio not decodable"
    AUDIO_TRUNCATED = "audio truncated"
    AUDIO_SILENT = "audio silent"
    AUDIO_TOO_SHORT = "audio too short"
    AUDIO_TOO_LARGE = "audio too large"
    DUPLICATE_ID = "duplicate id"
    UNSAFE_PATH = "unsafe path"
    CAPTION_FAILED = "caption failed"
    SCORE_FAILED = "score failed"
    EMBEDDING_FAILED = "embedding failed"
    NO_ARTWORK_LEFT = "no artwork left"
    NOT_SIMILAR_ENOUGH = "no artwork left that is similar enough"


REASONS: Final = tuple(reason.value for reason in Reason)

_STRINGS = pa.list_(pa.string())


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields])


ARTWORKS: Final = _schema(
    ("artwork_id", pa.string()),
    ("artgraph_index", pa.int64()),
    ("file_name", pa.string()),
    ("title", pa.string()),
    ("artist", pa.string()),
    ("year", pa.int32()),
    ("style", pa.string()),
    ("genre", pa.string()),
    ("tags", _STRINGS),
    ("media", _STRINGS),
    ("country", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("sha256", pa.string()),
    ("license", pa.string()),
    ("source_url", pa.string()),
    ("repairs", _STRINGS),
    ("status", pa.string()),
    ("reason", pa.string()),
)

TRACKS: Final = _schema(
    ("track_id", pa.int64()),
    ("file_name", pa.string()),
    ("title", pa.string()),
    ("artist", pa.string()),
    ("album", pa.string()),
    ("genre_top", pa.string()),
    ("genres", _STRINGS),
    ("license", pa.string()),
    ("license_spdx", pa.string()),
    ("source_url", pa.string()),
    ("duration_s", pa.float64()),
    ("sample_rate", pa.int32()),
    ("channels", pa.int32()),
    ("rms_dbfs", pa.float64()),
    ("sha256", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
)

IMAGE_CAPTIONS: Final = _schema(
    ("artwork_id", pa.string()),
    ("caption", pa.string()),
    ("clip_score", pa.float64()),
    ("pac_score", pa.float64()),
    ("ic_score", pa.float64()),
    ("ic_score_of", pa.string()),
    ("attempts", pa.int32()),
    ("accepted", pa.bool_()),
    ("model", pa.string()),
    ("scorer", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
)

IMAGE_CAPTION_ATTEMPTS: Final = _schema(
    ("artwork_id", pa.string()),
    ("attempt", pa.int32()),
    ("prompt", pa.string()),
    ("caption", pa.string()),
    ("clip_score", pa.float64()),
    ("pac_score", pa.float64()),
    ("ic_score", pa.float64()),
    ("issues", _STRINGS),
    ("kept", pa.bool_()),
    ("model", pa.string()),
)

SEGMENT_CAPTIONS: Final = _schema(
    ("track_id", pa.int64()),
    ("segment", pa.int32()),
    ("start_s", pa.float64()),
    ("end_s", pa.float64()),
    ("caption", pa.string()),
    ("model", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
)

AUDIO_CAPTIONS: Final = _schema(
    ("track_id", pa.int64()),
    ("caption", pa.string()),
    ("rouge1", pa.float64()),
    ("bert_score", pa.float64()),
    ("ac_score", pa.float64()),
    ("attempts", pa.int32()),
    ("accepted", pa.bool_()),
    ("model", pa.string()),
    ("scorer", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
)

AUDIO_CAPTION_ATTEMPTS: Final = _schema(
    ("track_id", pa.int64()),
    ("attempt", pa.int32()),
    ("prompt", pa.string()),
    ("caption", pa.string()),
    ("rouge1", pa.float64()),
    ("bert_score", pa.float64()),
    ("ac_score", pa.float64()),
    ("issues", _STRINGS),
    ("kept", pa.bool_()),
    ("model", pa.string()),
)

PAIRS: Final = _schema(
    ("track_id", pa.int64()),
    ("artwork_id", pa.string()),
    ("similarity", pa.float64()),
    ("order", pa.int64()),
    # Of the artwork among all as the track sees them, and the other way round; 1 is the nearest.
    ("artwork_rank", pa.int64()),
    ("track_rank", pa.int64()),
    ("method", pa.string()),
    # How far the mean of the objective is below its optimum at the most; null without a bound.
    ("gap", pa.float64()),
    ("embedder", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
)


def embeddings(dimension: int, key: pa.Field) -> pa.Schema:
    """Return the columns of `embeddings/E/M`: the item's key and its unit vector.

    Args:
        dimension: the length d of the vectors.
        key: the id column of the embedded table (`artwork_id` or `track_id`).
    """
    vector = pa.list_(pa.float32(), dimension)
    return pa.schema(
        [
            key,
            pa.field("vector", vector),
            pa.field("model", pa.string()),
            pa.field("status", pa.string()),
            pa.field("reason", pa.string()),
        ]
    )
