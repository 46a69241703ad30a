"""A release's tables as the workspace had them: the way back from its configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from artsound.errors import ArtsoundError
from artsound.release.tables import Part

_WITHOUT: Final = "prompt"
_CAPTION: Final = "caption_"


def read_part(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file without prompts.

    Args:
        path: the file.
        columns: which it is to have, as far as it has them; all if None.

    Raises:
        ArtsoundError: it is damaged.
    """
    try:
        names = pq.read_schema(path).names
        wanted = [name for name in columns or names if name in names and name != _WITHOUT]
        return pq.read_table(path, columns=wanted)
    except (OSError, pa.ArrowException) as error:
        first = str(error).partition("\n")[0]
        raise ArtsoundError(f"{path} cannot be read ({first}): restore or make it again") from error


def read_config(found: Sequence[Part] | None) -> pa.Table | None:
    """Return a configuration, all its splits; None if the release has none of it."""
    if not found:
        return None
    tables = [read_part(path) for part in found for path in part.files]
    return pa.concat_tables(tables, promote_options="default")


def halves(
    table: pa.Table | None, items: pa.Schema, captions: pa.Schema
) -> tuple[pa.Table | None, pa.Table | None]:
    """Part a released table into the items and their captions, as the workspace had them."""
    if table is None:
        return None, None
    key = items.field(0).name
    given = [name for name in items.names if name in table.column_names]
    # The release calls by `caption_` what both tables have, and what wrote and scored.
    names = {
        name: f"{_CAPTION}{name}" if f"{_CAPTION}{name}" in table.column_names else name
        for name in captions.names
    }
    seen = {name: table[at] for name, at in names.items() if at in table.column_names}
    beside = pa.table({key: table[key], **seen})
    # An item that was never captioned (it was rejected) has no row of its own there.
    asked = pc.is_valid(beside["status"]) if "status" in seen else pc.is_valid(beside["caption"])
    return table.select(given), beside.filter(asked)


def attempts_of(table: pa.Table | None, modality: str, wanted: pa.Schema) -> pa.Table | None:
    """Return the attempts of one modality (`image`, `audio`) with its own id and scores."""
    if table is None:
        return None
    rows = table.filter(pc.equal(table["modality"], modality))
    key = wanted.field(0)
    columns = {key.name: rows["id"].cast(key.type)}
    columns |= {name: rows[name] for name in wanted.names if name in rows.column_names}
    return pa.table(columns)
