"""The released dataset's columns, as `datasets.Features`, with what each one means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from artsound import schema

if TYPE_CHECKING:
    from datasets import Features

# Column of the default configuration: (type, meaning). The order is the order of the columns.
PAIR_COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "pair_id": ("string", "track id and a digest of the artwork id; names files of the benchmark"),
    "image": ("image", "the artwork, RGB"),
    "audio": ("audio", "the music clip, as the source has it"),
    "artwork_caption": ("string", "what the artwork shows, generated"),
    "music_caption": ("string", "what the music sounds like, generated and fused from segments"),
    "similarity": ("float64", "cosine similarity of the two embeddings that the pairing compared"),
    "ic_score": ("float64", "ICScore of the artwork caption (eq. 1 of the paper)"),
    "clip_score": ("float64", "CLIP-Score of the artwork caption, in [0, 1]"),
    "pac_score": ("float64", "PAC-Score of the artwork caption, in [0, 1]; null without a model"),
    "ac_score": ("float64", "ACScore of the music caption (eq. 2 of the paper)"),
    "rouge1": ("float64", "ROUGE-1 F1 of the music caption against the segment captions"),
    "bert_score": ("float64", "BERT-Score F1 of the music caption against the segment captions"),
    "artwork_id": ("string", "ArtGraph's file stem"),
    "artwork_title": ("string", "the artwork's title"),
    "artist": ("string", "who made the artwork"),
    "year": ("int32", "year of the artwork, where its file name has one"),
    "style": ("string", "artistic style, from ArtGraph"),
    "artwork_genre": ("string", "genre of the artwork, from ArtGraph"),
    "track_id": ("int64", "the Free Music Archive's track id"),
    "track_title": ("string", "the track's title"),
    "track_artist": ("string", "who made the music"),
    "album": ("string", "the track's album"),
    "music_genre": ("string", "top-level genre, from the FMA dataset"),
    "music_genres": ("strings", "all genres of the track"),
    "artwork_license": ("string", "SPDX licence of the artwork's file"),
    "track_license": ("string", "SPDX licence of the track"),
    "artwork_source_url": ("string", "where the artwork comes from"),
    "track_source_url": ("string", "where the track comes from"),
    "artwork_caption_model": (
        "string",
        "what wrote the artwork caption; `lite-`: a small stand-in",
    ),
    "music_caption_model": ("string", "what fused the music caption; `lite-`: a small stand-in"),
    "embedder": ("string", "whose embeddings the pairing compared; `lite-`: a small stand-in"),
}

CAPTION_ATTEMPTS: Final = pa.schema(
    [
        pa.field("modality", pa.string()),
        pa.field("id", pa.string()),
        *(
            schema.IMAGE_CAPTION_ATTEMPTS.field(name)
            for name in ("attempt", "prompt", "caption", "clip_score", "pac_score", "ic_score")
        ),
        *(
            schema.AUDIO_CAPTION_ATTEMPTS.field(name)
            for name in ("rouge1", "bert_score", "ac_score")
        ),
        *(schema.IMAGE_CAPTION_ATTEMPTS.field(name) for name in ("issues", "kept", "model")),
    ]
)


def pair_features(*, media: bool = True) -> Features:
    """Return the features of the default configuration, with or without its media."""
    from datasets import Audio, Features, Image, List, Value

    kinds = {"image": Image(), "audio": Audio(), "strings": List(Value("string"))}
    return Features(
        {
            name: kinds.get(kind) or Value(kind)
            for name, (kind, _) in PAIR_COLUMNS.items()
            if media or kind not in ("image", "audio")
        }
    )


def released_schema(features: Features) -> pa.Schema:
    """Return the Arrow schema of features, with the metadata by which `datasets` knows them."""
    found: pa.Schema = features.arrow_schema
    return found
