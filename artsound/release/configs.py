"""A release's configurations: the rows of each, and how they are written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from artsound.recipe import Recipe
from artsound.release.ahead import ahead
from artsound.release.features import CAPTION_ATTEMPTS, pair_features, released_schema
from artsound.release.lookup import read_tables
from artsound.release.media import Media
from artsound.release.pairs import lookup, shards
from artsound.release.tables import DATA, DEFAULT
from artsound.release.writer import Shard, ShardWriter
from artsound.workspace import Workspace


@dataclass(frozen=True)
class Written:
    """What was written of one configuration's split."""

    config: str
    split: str
    rows: int
    shards: tuple[Shard, ...]

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(shard.bytes for shard in self.shards)


def write_pairs(
    folder: Path, recipe: Recipe, split: str, rows: Iterable[pa.Table], media: Media | None
) -> Written:
    """Write one split of the default configuration.

    Args:
        folder: the release.
        recipe: of the build, for the sizes of files.
        split: which.
        rows: its rows without media.
        media: what fills in the media; without it the rows have no such columns.
    """
    schema = released_schema(pair_features(media=media is not None))
    filled = ahead(media.fill(rows, schema)) if media else (row.cast(schema) for row in rows)
    return _write(folder / DATA, DEFAULT, split, schema, recipe, filled)


def write_table(folder: Path, recipe: Recipe, name: str, tables: Iterator[pa.Table]) -> Written:
    """Write a configuration that has a single split; its columns are those of the first piece."""
    from datasets import Features

    first = next(tables)
    schema = released_schema(Features.from_arrow_schema(first.schema.remove_metadata()))
    rows = (table.cast(schema) for table in itertools.chain((first,), tables))
    return _write(folder / name, name, "train", schema, recipe, rows)


def further(
    workspace: Workspace, recipe: Recipe, scratch: Path
) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Yield the further configurations: the source tables with captions, pairs, attempts."""
    yield "artworks", _with_captions(workspace, "artworks", "image_captions", "artwork_id", scratch)
    yield "tracks", _with_captions(workspace, "tracks", "audio_captions", "track_id", scratch)
    for strategy in recipe.pairing.strategies:
        yield f"pairs_{strategy}", _parts(workspace, f"pairs/{strategy}")
    yield "caption_attempts", _attempts(workspace)


def _parts(workspace: Workspace, table: str) -> Iterator[pa.Table]:
    """Yield a table of a workspace in pieces, of which there is at least one."""
    yield from read_tables([workspace.part(table, shard) for shard in shards(workspace, table)])


def _with_captions(
    workspace: Workspace, table: str, captions: str, key: str, scratch: Path
) -> Iterator[pa.Table]:
    """Yield a source table with each row's caption beside it, null where it has none."""
    place = scratch / "captions"
    place.mkdir(exist_ok=True)
    found = lookup(workspace, captions, key, place)
    names = [name for name in found.schema.names if name != key]
    for rows in _parts(workspace, table):
        # Where both tables have a column of one name, the caption's says whose it is.
        renamed = {
            name: f"caption_{name}" if name in rows.column_names else name for name in names
        } | {"model": "caption_model", "scorer": "caption_scorer"}
        beside = found.take(rows[key].to_pylist(), names)
        for name in names:
            rows = rows.append_column(renamed[name], beside[name])
        yield rows


def _attempts(workspace: Workspace) -> Iterator[pa.Table]:
    for modality, key in (("image", "artwork_id"), ("audio", "track_id")):
        for table in _parts(workspace, f"{modality}_caption_attempts"):
            columns = {
                "modality": pa.array([modality] * len(table), pa.string()),
                "id": table[key].cast(pa.string()),
            }
            columns |= {name: table[name] for name in table.column_names if name != key}
            nulls = pa.nulls(len(table))
            wanted = [columns.get(field.name, nulls).cast(field.type) for field in CAPTION_ATTEMPTS]
            yield pa.table(wanted, CAPTION_ATTEMPTS)


def _write(
    place: Path,
    config: str,
    split: str,
    schema: pa.Schema,
    recipe: Recipe,
    tables: Iterable[pa.Table],
) -> Written:
    limits = recipe.release
    writer = ShardWriter(place, split, schema, limits.shard_bytes, limits.row_group_bytes)
    done = writer.write(tables)
    return Written(config, split, writer.rows, tuple(done))
