"""A finished workspace with made-up rows and archives of made-up files, of any size, in no time."""

from __future__ import annotations

import hashlib
import json
import math
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from artsound import schema
from artsound.engine import shard_inputs
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.release.finished import recorded
from artsound.sources.archive import cached_source
from artsound.workspace import Workspace

STYLES = ("realism", "impressionism", "baroque", "ukiyo-e", "rococo")
FREE = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-SA-3.0")
SHARD = 1000

Content = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Synthetic:
    """A workspace and its sources."""

    workspace: Workspace
    artworks: Path
    tracks: Path


def noise(number: int, size: int) -> bytes:
    """Return bytes that do not compress, different for every number."""
    return random.Random(number).randbytes(size)


def write_synthetic(
    folder: Path,
    numbers: Sequence[int],
    *,
    image_bytes: int = 100,
    audio_bytes: int = 100,
    caption: str = "A {what} of number {number}. ",
    licenses: Sequence[str] = FREE,
    settings: Sequence[str] = (),
    caption_repeats: int = 3,
) -> Synthetic:
    """Write a workspace whose pairs are artwork n with track n.

    Args:
        folder: where to.
        numbers: of the pairs; rows of one number are the same in every workspace.
        image_bytes: the size of an artwork's file.
        audio_bytes: the size of a track's file.
        caption: what captions are made of.
        licenses: that artworks and tracks have in turn.
        settings: of the recipe, as `--set` takes them.
        caption_repeats: how often a caption repeats its sentence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    artworks, tracks = folder / "artworks.zip", folder / "tracks.zip"
    recipe = Recipe.read("lite", [f"shard_rows={SHARD}", *settings])
    workspace = Workspace(folder / "work")
    shards = max(1, math.ceil(len(numbers) / SHARD))
    with zipfile.ZipFile(artworks, "w") as images, zipfile.ZipFile(tracks, "w") as clips:
        for shard in range(shards):
            some = numbers[shard * SHARD : (shard + 1) * SHARD]
            tables = _tables(
                some, images, clips, image_bytes, audio_bytes, licenses, caption * caption_repeats
            )
            for name, (kind, rows) in tables.items():
                table = pa.Table.from_pylist(rows, kind)
                workspace.commit(name, shard, table, inputs="made up")
            for stage in stages(recipe):
                if stage.table not in tables and not stage.whole:
                    empty = pa.table({"id": pa.array([], pa.string())})
                    workspace.commit(stage.table, shard, empty, inputs="made up")
    workspace.commit("pairs/image_audio", 0, _pairs(numbers), inputs="made up")
    sources = {"artworks": artworks, "tracks": tracks}
    workspace.describe(
        {
            "artsound": "0",
            "recipe": recipe.model_dump(mode="json"),
            "sources": {name: cached_source(path).fingerprint() for name, path in sources.items()},
            "where": {name: str(path) for name, path in sources.items()},
            "shards": {"artworks": shards, "tracks": shards},
        }
    )
    settle(workspace)
    return Synthetic(workspace, artworks, tracks)


def settle(workspace: Workspace) -> None:
    """Say of every part that it was made from what is there, as a build would."""
    build, sources = recorded(workspace), workspace.description()["sources"]
    for stage in stages(build.recipe):
        for table in (stage.table, *stage.side_tables):
            for shard in workspace.shards(table):
                path = workspace.part(table, shard).with_suffix(".json")
                inputs = shard_inputs(build, stage, shard, sources)
                path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": inputs}))


def artwork_id(number: int) -> str:
    """Return the id of an artwork."""
    return f"somebody_work-{number}"


def _tables(
    numbers: Sequence[int],
    images: zipfile.ZipFile,
    clips: zipfile.ZipFile,
    image_bytes: int,
    audio_bytes: int,
    licenses: Sequence[str],
    caption: str,
) -> dict[str, tuple[pa.Schema, list[dict[str, Any]]]]:
    artworks, tracks, seen, heard, image_attempts, audio_attempts = ([] for _ in range(6))
    for number in numbers:
        image, clip = noise(2 * number, image_bytes), noise(2 * number + 1, audio_bytes)
        image_name = f"imagesf2/{artwork_id(number)}.jpg"
        clip_name = f"fma_large/{number // 1000:03d}/{number:06d}.mp3"
        images.writestr(image_name, image)
        clips.writestr(clip_name, clip)
        ok = {"status": "ok"}
        artworks.append(
            {
                "artwork_id": artwork_id(number),
                "artgraph_index": number,
                "file_name": f"{artwork_id(number)}.jpg",
                "title": f"Work {number}",
                "artist": f"Artist {number % 100}",
                "year": 1800 + number % 100,
                "style": STYLES[number % len(STYLES)],
                "genre": "portrait",
                "sha256": hashlib.sha256(image).hexdigest(),
                "license": licenses[number % len(licenses)],
                "source_url": f"https://example.org/{number}",
                "repairs": [],
                **ok,
            }
        )
        tracks.append(
            {
                "track_id": number,
                "file_name": clip_name,
                "title": f"Track {number}",
                "artist": f"Band {number % 50}",
                "album": "Album",
                "genre_top": "Rock",
                "genres": ["Rock", "Punk"],
                "license_spdx": licenses[(number // 2) % len(licenses)],
                "source_url": f"https://example.com/{number}",
                "duration_s": 30.0,
                "sha256": hashlib.sha256(clip).hexdigest(),
                **ok,
            }
        )
        score = (number % 97) / 97
        text = caption.format(what="picture", number=number)
        one = {"artwork_id": artwork_id(number), "caption": text, "clip_score": score}
        seen.append({**one, "ic_score": score, "attempts": 1, "accepted": True, "model": "m", **ok})
        image_attempts.append({**one, "attempt": 1, "prompt": "Say.", "issues": [], "kept": True})
        text = caption.format(what="tune", number=number)
        one = {"track_id": number, "caption": text, "rouge1": score, "bert_score": score}
        heard.append(
            {**one, "ac_score": score, "attempts": 1, "accepted": True, "model": "m", **ok}
        )
        audio_attempts.append({**one, "attempt": 1, "prompt": "Say.", "issues": [], "kept": True})
    return {
        "artworks": (schema.ARTWORKS, artworks),
        "tracks": (schema.TRACKS, tracks),
        "image_captions": (schema.IMAGE_CAPTIONS, seen),
        "audio_captions": (schema.AUDIO_CAPTIONS, heard),
        "image_caption_attempts": (schema.IMAGE_CAPTION_ATTEMPTS, image_attempts),
        "audio_caption_attempts": (schema.AUDIO_CAPTION_ATTEMPTS, audio_attempts),
    }


def _pairs(numbers: Sequence[int]) -> pa.Table:
    rows = [
        {
            "track_id": number,
            "artwork_id": artwork_id(number),
            "similarity": 1 - order / (len(numbers) + 1),
            "order": order,
            "method": "greedy",
            "embedder": "lite-conse",
            "status": "ok",
        }
        for order, number in enumerate(numbers)
    ]
    return pa.Table.from_pylist(rows, schema.PAIRS)
