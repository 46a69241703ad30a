"""A workspace of the paper's size with made-up rows and no media, to see and to time the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from artsound import schema
from artsound.pairing.strategies import STRATEGIES
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.workspace import Workspace

_TOP = (
    "Rock Electronic Experimental Hip-Hop Folk Pop Instrumental International Classical Jazz"
    " Old-Time_/_Historic Spoken Country Soul-RnB Blues Easy_Listening"
)
_STYLES = (
    "impressionism realism romanticism expressionism post-impressionism surrealism baroque"
    " art-nouveau-modern symbolism abstract-expressionism neoclassicism naive-art-primitivism"
    " northern-renaissance rococo cubism minimalism color-field-painting early-renaissance"
    " abstract-art high-renaissance mannerism-late-renaissance pop-art ukiyo-e magic-realism"
    " art-informel op-art neo-romanticism concretism pointillism tachisme fauvism"
    " lyrical-abstraction"
)
STYLES = _STYLES.split()
LICENSES = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-ND-3.0", None)
_MEANS = {
    "image_audio": (0.186, 0.07),
    "image_audio_caption": (0.064, 0.097),
    "image_caption_audio": (0.066, 0.034),
    "image_caption_audio_caption": (0.55, 0.25),
}
_WORDS = (
    "the a of with soft bright quiet figure light shadow guitar drums voice river mountain cloth"
    " calm brush colour tone rhythm melody slow fast warm cold face hand tree house boat sky piano"
)


def write_report_workspace(
    folder: Path,
    *,
    pairs: int = 105_884,
    artworks: int = 116_475,
    genres: int = 161,
    dimension: int = 64,
    shard: int = 20_000,
    seed: int = 0,
) -> Workspace:
    """Write a finished workspace, deterministically, in about a minute at the paper's size."""
    random = np.random.default_rng(seed)
    settings = [
        f"shard_rows={shard}",
        f"pairing.strategies={list(STRATEGIES)}",
        "image_captions.threshold=0.8",
    ]
    recipe = Recipe.read("lite", settings)
    workspace = Workspace(folder)
    ids = [f"artist-{n % 3000}_work-{n}" for n in range(artworks)]
    tracks = np.arange(1, pairs + 1)
    sentences = _sentences(random)
    counts: dict[str, int] = {}

    def put(name: str, rows: pa.Table) -> None:
        size = len(rows) if name.startswith("pairs/") else shard
        begins = range(0, len(rows), size)
        for number, begin in enumerate(begins):
            workspace.commit(name, number, rows.slice(begin, size), inputs="made up")
        counts[name] = len(begins)

    put("artworks", _artworks(ids, random))
    put("tracks", _tracks(tracks, genres, random))
    keys: dict[str, tuple[str, list[Any]]] = {
        "image": ("artwork_id", ids),
        "audio": ("track_id", tracks.tolist()),
    }
    for modality, length in (("image", 12), ("audio", 6)):
        for name, rows in _captions(modality, *keys[modality], sentences, length, random).items():
            put(name, rows)
    for what in ("image", "audio", "image_caption", "audio_caption"):
        name, items = keys[what.removesuffix("_caption")]
        model = recipe.pairing.embedder
        put(f"embeddings/{model}/{what}", _vectors(name, items, dimension, model, random))
    for strategy in STRATEGIES:
        put(f"pairs/{strategy}", _pairs(strategy, ids, tracks, random))
    for stage in stages(recipe):
        if stage.table not in counts:
            for number in range(counts["tracks"]):
                empty = schema.SEGMENT_CAPTIONS.empty_table()
                workspace.commit(stage.table, number, empty, inputs="made up")
    workspace.describe(
        {
            "artsound": "0",
            "recipe": recipe.model_dump(mode="json"),
            "sources": {"artworks": "made up", "tracks": "made up"},
            "where": {"artworks": "no-artworks.zip", "tracks": "no-tracks.zip"},
            "shards": {name: counts[name] for name in ("artworks", "tracks")},
        }
    )
    return workspace


def _sentences(random: np.random.Generator) -> list[str]:
    words = np.array(_WORDS.split())
    drawn = words[random.integers(0, len(words), (5000, 12))]
    return [f"{' '.join(row).capitalize()}." for row in drawn]


def _some(values: Sequence[Any], count: int, random: np.random.Generator) -> list[Any]:
    """Draw values, the first of them most often, as styles, genres and licences go."""
    weights = 1 / np.arange(1, len(values) + 1)
    return [values[n] for n in random.choice(len(values), count, p=weights / weights.sum())]


def _table(kind: pa.Schema, columns: dict[str, Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    full = {field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in kind}
    return pa.table(full, schema=kind)


def _status(count: int, reasons: Sequence[str]) -> dict[str, list[str | None]]:
    reason = [reasons[n // 400 % len(reasons)] if n % 400 == 399 else None for n in range(count)]
    return {"status": ["rejected" if why else "ok" for why in reason], "reason": reason}


def _artworks(ids: list[str], random: np.random.Generator) -> pa.Table:
    numbers = range(len(ids))
    return _table(
        schema.ARTWORKS,
        {
            "artwork_id": ids,
            "file_name": [f"{name}.jpg" for name in ids],
            "title": [f"Work {n}" for n in numbers],
            "artist": [f"Artist {n % 3000}" for n in numbers],
            "style": _some(STYLES, len(ids), random),
            "genre": ["portrait"] * len(ids),
            "license": _some(LICENSES, len(ids), random),
            # One in 1,000 is the same file as the one before.
            "sha256": [f"{n - (n % 1000 == 1):064x}" for n in numbers],
            **_status(len(ids), ("image truncated", "image too small")),
        },
    )


def _tracks(tracks: Any, genres: int, random: np.random.Generator) -> pa.Table:
    top = [name.replace("_", " ") for name in _TOP.split()]
    # As in the paper's set, the top genres are among all; every other one belongs to one of them.
    others = [f"{top[n % len(top)].split()[0]} kind {n}" for n in range(genres - len(top))]
    of = _some(range(len(top)), len(tracks), random)
    under = [others[at :: len(top)] for at in range(len(top))]
    second = [_some(under[at], 1, random)[0] if under[at] else None for at in of]
    return _table(
        schema.TRACKS,
        {
            "track_id": tracks.tolist(),
            "file_name": [f"{n:06d}.mp3" for n in tracks],
            "title": [f"Track {n}" for n in tracks],
            "artist": [f"Band {n % 9000}" for n in tracks],
            "genre_top": [top[at] for at in of],
            "genres": [
                [top[at], other] if other else [top[at]]
                for at, other in zip(of, second, strict=True)
            ],
            "license_spdx": _some(LICENSES, len(tracks), random),
            "duration_s": [30.0] * len(tracks),
            "sha256": [f"{n:064x}" for n in tracks],
            **_status(len(tracks), ("audio silent", "audio not decodable")),
        },
    )


def _captions(
    modality: str,
    key: str,
    keys: list[Any],
    sentences: list[str],
    length: int,
    random: np.random.Generator,
) -> dict[str, pa.Table]:
    count = len(keys)
    chosen = random.integers(0, len(sentences), (count, length))
    captions = [" ".join([sentences[n] for n in row]) for row in chosen]
    for n in range(1, count, 500):  # some are near-duplicates of the one before, some the same
        captions[n] = captions[n - 1].upper() if n % 1000 == 1 else f"{captions[n - 1]} Indeed."
    if modality == "image":
        names, kinds = ("clip_score", "pac_score", "ic_score"), schema.IMAGE_CAPTIONS
        means, threshold, side = (0.78, 0.84, 0.82), 0.80, schema.IMAGE_CAPTION_ATTEMPTS
    else:
        names, kinds = ("rouge1", "bert_score", "ac_score"), schema.AUDIO_CAPTIONS
        means, threshold, side = (0.69, 0.93, 0.86), 0.80, schema.AUDIO_CAPTION_ATTEMPTS
    scores = {
        name: np.clip(random.normal(mean, 0.06, count), 0, 1)
        for name, mean in zip(names, means, strict=True)
    }
    accepted = scores[names[-1]] >= threshold
    attempts = np.where(accepted, random.choice(4, count, p=(0.7, 0.15, 0.1, 0.05)) + 1, 4)
    first = {key: keys, "caption": captions, "model": ["made-up"] * count}
    kept = {**first, **scores, "attempts": attempts, "accepted": accepted}
    kept |= {"status": ["ok"] * count, "scorer": ["made-up"] * count}
    row = np.repeat(np.arange(count), attempts)
    number = np.arange(len(row)) - np.repeat(np.cumsum(attempts) - attempts, attempts) + 1
    last = number == attempts[row]
    tried = {
        key: [keys[n] for n in row],
        "attempt": number,
        "prompt": [sentences[0] * 10] * len(row),
        "caption": [captions[n] for n in row],
        "kept": last,
        "issues": [[] if done else ["too_long"] for done in last],
        **{name: np.where(last, score[row], score[row] * 0.9) for name, score in scores.items()},
    }
    return {
        f"{modality}_captions": _table(kinds, kept),
        f"{modality}_caption_attempts": _table(side, tried),
    }


def _vectors(
    key: str, keys: list[Any], dimension: int, model: str, random: np.random.Generator
) -> pa.Table:
    vectors = random.standard_normal((len(keys), dimension), np.float32)
    vectors[2::700] = vectors[1:-1:700]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    field = (schema.ARTWORKS if key == "artwork_id" else schema.TRACKS).field(key)
    kind = schema.embeddings(dimension, field)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension)
    count = len(keys)
    columns = {key: keys, "vector": flat, "model": [model] * count, "status": ["ok"] * count}
    return _table(kind, columns)


def _pairs(strategy: str, ids: list[str], tracks: Any, random: np.random.Generator) -> pa.Table:
    count = len(tracks)
    mean, sd = _MEANS[strategy]
    similarity = np.clip(np.sort(random.normal(mean, sd, count))[::-1], -1, 1)
    order = random.permutation(count)
    artworks = random.permutation(len(ids))[:count]
    return _table(
        schema.PAIRS,
        {
            "track_id": tracks.tolist(),
            "artwork_id": [ids[n] for n in artworks],
            "similarity": similarity[order],
            "order": order,
            "artwork_rank": order + 1,
            "track_rank": order + 1,
            "method": ["greedy"] * count,
            "embedder": ["lite-conse"] * count,
            "status": ["ok"] * count,
        },
    )
