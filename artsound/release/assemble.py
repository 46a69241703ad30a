"""`artsound release`: from a workspace's tables to a folder that `load_dataset` opens."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from artsound import __version__
from artsound.errors import ArtsoundError, UsageError
from artsound.models import registry
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.release.card import write_card
from artsound.release.features import CAPTION_ATTEMPTS, pair_features, released_schema
from artsound.release.manifest import write_manifest
from artsound.release.splits import SPLITS, assign_splits
from artsound.release.writer import ShardWriter
from artsound.schema import Status
from artsound.sources.archive import cached_source
from artsound.sources.items import image_bytes, read_bytes
from artsound.stage import Build
from artsound.workspace import Workspace

DEFAULT: Final = "default"

_ARTWORK: Final = {
    "artwork_id": "artwork_id",
    "artwork_title": "title",
    "artist": "artist",
    "year": "year",
    "style": "style",
    "artwork_genre": "genre",
    "artwork_license": "license",
    "artwork_source_url": "source_url",
}
_TRACK: Final = {
    "track_id": "track_id",
    "track_title": "title",
    "track_artist": "artist",
    "album": "album",
    "music_genre": "genre_top",
    "music_genres": "genres",
    "track_license": "license_spdx",
    "track_source_url": "source_url",
}
_IMAGE_SCORES: Final = ("clip_score", "pac_score", "ic_score")
_AUDIO_SCORES: Final = ("rouge1", "bert_score", "ac_score")


@dataclass(frozen=True)
class Written:
    """What was written of one configuration's split."""

    config: str
    split: str
    rows: int
    bytes: int
    files: tuple[str, ...]


def release(
    workspace: Workspace, out: Path, *, artworks: Path | None = None, tracks: Path | None = None
) -> list[Written]:
    """Write the release of a finished build.

    The release appears whole or not at all: it is written beside `out` and renamed at the end.

    Args:
        workspace: a build that has come as far as its pairs.
        out: the release's folder; it must not exist or be empty.
        artworks: the artworks' source, if it is not where the build found it.
        tracks: the tracks' source, likewise.

    Returns:
        What was written, a configuration and split at a time.

    Raises:
        UsageError: `out` is in the way, or the workspace is none.
        ArtsoundError: the build is not finished, or a source is not the one it was built from.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: choose another --out, or delete it")
    begun = workspace.description()
    recipe = Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json")
    build = Build(
        recipe,
        workspace,
        _source(begun, "artworks", artworks),
        _source(begun, "tracks", tracks),
    )
    pairs = pair_rows(workspace, recipe)
    staging = out.with_name(f".{out.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    written = _write_pairs(build, staging, pairs)
    for name, rows in _tables(workspace, recipe):
        written.append(_write_table(staging, recipe, name, rows))
    facts = _facts(begun, recipe, written)
    write_card(staging, build, pairs, written, facts)
    write_manifest(staging, facts)
    if out.exists():
        out.rmdir()
    staging.rename(out)
    return written


def _source(begun: Mapping[str, Any], which: str, given: Path | None) -> Path:
    """Return where a source is, having checked that it is the one the build read."""
    path = given or Path(begun["where"][which])
    if not path.exists():
        raise UsageError(f"the {which} source {path} is not there: say --{which} PATH")
    if cached_source(path).fingerprint() != begun["sources"][which]:
        raise UsageError(f"{path} is not the {which} source of this build: say --{which} PATH")
    return path


def pair_id(track_id: int, artwork_id: str) -> str:
    """Return a pair's id: safe as a file name, and different for every track and artwork."""
    digest = hashlib.sha256(artwork_id.encode()).hexdigest()[:8]
    return f"{track_id:06d}-{digest}"


def pair_rows(workspace: Workspace, recipe: Recipe) -> list[dict[str, Any]]:
    """Return the rows of the default configuration, media aside, by track id.

    Beside the released columns each row has its `split` and, under `_artwork` and `_track`, the
    rows of the source tables that its media come from.
    """
    table = workspace.read(f"pairs/{recipe.pairing.released}")
    pairs = [row for row in table.to_pylist() if row["status"] == Status.OK]
    artworks = _by(workspace, "artworks", "artwork_id", _usable)
    tracks = _by(workspace, "tracks", "track_id", _usable)
    image_captions = _by(workspace, "image_captions", "artwork_id")
    audio_captions = _by(workspace, "audio_captions", "track_id")
    rows = []
    for pair in sorted(pairs, key=lambda row: row["track_id"]):
        artwork, track = artworks[pair["artwork_id"]], tracks[pair["track_id"]]
        seen = image_captions.get(pair["artwork_id"], {})
        heard = audio_captions.get(pair["track_id"], {})
        rows.append(
            {
                "pair_id": pair_id(pair["track_id"], pair["artwork_id"]),
                "artwork_caption": seen.get("caption"),
                "music_caption": heard.get("caption"),
                "similarity": pair["similarity"],
                **{name: seen.get(name) for name in _IMAGE_SCORES},
                **{name: heard.get(name) for name in _AUDIO_SCORES},
                **{column: artwork[name] for column, name in _ARTWORK.items()},
                **{column: track[name] for column, name in _TRACK.items()},
                "artwork_caption_model": seen.get("model"),
                "music_caption_model": heard.get("model"),
                "embedder": pair["embedder"],
                "_artwork": artwork,
                "_track": track,
            }
        )
    splits = assign_splits(
        [row["pair_id"] for row in rows],
        [row["style"] for row in rows],
        held_out=recipe.release.held_out,
        max_validation=recipe.release.max_validation,
        seed=recipe.seed,
    )
    for row, split in zip(rows, splits, strict=True):
        row["split"] = split
    return rows


def _usable(row: Mapping[str, Any]) -> bool:
    return bool(row["status"] == Status.OK)


def _by(
    workspace: Workspace, table: str, key: str, wanted: Callable[[dict[str, Any]], bool] = bool
) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in workspace.read(table).to_pylist() if wanted(row)}


def _write_pairs(build: Build, staging: Path, pairs: Sequence[dict[str, Any]]) -> list[Written]:
    schema = released_schema(pair_features())
    written = []
    for split in SPLITS:
        rows = [row for row in pairs if row["split"] == split]
        writer = ShardWriter(
            staging / "data",
            split,
            schema,
            build.recipe.release.shard_bytes,
            build.recipe.release.row_group_bytes,
        )
        files = writer.write(_with_media(build, rows, schema.names))
        written.append(_written(staging, DEFAULT, split, writer, files))
    return written


def _with_media(
    build: Build, rows: Sequence[dict[str, Any]], names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the released columns of each row, its media read as it is needed."""
    for row in rows:
        artwork, track = row["_artwork"], row["_track"]
        image, suffix = image_bytes(build, artwork)
        audio = read_bytes(build, "tracks", track["file_name"])
        _check(audio, track["sha256"], track["file_name"])
        whole = row | {
            "image": {"bytes": image, "path": f"{artwork['artwork_id']}{suffix}"},
            "audio": {"bytes": audio, "path": Path(track["file_name"]).name},
        }
        yield {name: whole[name] for name in names}


def _check(data: bytes, sha256: str, name: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtsoundError(
            f"{name} is not the file that the build checked: give the sources it was built from"
        )


def _tables(workspace: Workspace, recipe: Recipe) -> Iterator[tuple[str, pa.Table]]:
    """Yield the further configurations: the source tables with captions, pairs, attempts."""
    yield "artworks", _with_captions(workspace, "artworks", "image_captions", "artwork_id")
    yield "tracks", _with_captions(workspace, "tracks", "audio_captions", "track_id")
    for strategy in recipe.pairing.strategies:
        yield f"pairs_{strategy}", workspace.read(f"pairs/{strategy}")
    yield "caption_attempts", _attempts(workspace)


def _with_captions(workspace: Workspace, table: str, captions: str, key: str) -> pa.Table:
    """Return a source table with each row's caption beside it, null where it has none."""
    rows, found = workspace.read(table), _by(workspace, captions, key)
    fields = [field for field in workspace.read(captions).schema if field.name != key]
    # Where both tables have a column of one name, the caption's says whose it is.
    names = {
        field.name: f"caption_{field.name}" if field.name in rows.column_names else field.name
        for field in fields
    } | {"model": "caption_model", "scorer": "caption_scorer"}
    for field in fields:
        values = [found.get(item, {}).get(field.name) for item in rows[key].to_pylist()]
        rows = rows.append_column(field.with_name(names[field.name]), pa.array(values, field.type))
    return rows


def _attempts(workspace: Workspace) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for modality, key in (("image", "artwork_id"), ("audio", "track_id")):
        for row in workspace.read(f"{modality}_caption_attempts").to_pylist():
            rows.append({"modality": modality, "id": str(row.pop(key)), **row})
    return pa.Table.from_pylist(rows, CAPTION_ATTEMPTS)


def _write_table(staging: Path, recipe: Recipe, name: str, rows: pa.Table) -> Written:
    from datasets import Features

    schema = released_schema(Features.from_arrow_schema(rows.schema))
    limits = recipe.release
    writer = ShardWriter(
        staging / name, "train", schema, limits.shard_bytes, limits.row_group_bytes
    )
    batches = rows.to_batches(max_chunksize=1000)
    files = writer.write(row for batch in batches for row in batch.to_pylist())
    return _written(staging, name, "train", writer, files)


def _written(
    staging: Path, config: str, split: str, writer: ShardWriter, files: Sequence[Path]
) -> Written:
    names = tuple(path.relative_to(staging).as_posix() for path in files)
    return Written(config, split, writer.rows, writer.bytes, names)


def _facts(begun: Mapping[str, Any], recipe: Recipe, written: Sequence[Written]) -> dict[str, Any]:
    models = []
    for stage in stages(recipe):
        for role, name in stage.models(recipe):
            entry = registry.entry(role, name)
            fact = {
                "role": role,
                "name": name,
                "weights": entry.source,
                "license": entry.license,
                "summary": entry.summary,
            }
            if fact not in models:
                models.append(fact)
    rows: dict[str, dict[str, int]] = {}
    for part in written:
        rows.setdefault(part.config, {})[part.split] = part.rows
    return {
        "artsound": __version__,
        "recipe": begun["recipe"],
        "sources": begun["sources"],
        "models": models,
        "rows": rows,
    }
