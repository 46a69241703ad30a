"""The large tables of the Free Music Archive dataset, streamed.

`tracks.csv` has a quarter of a gigabyte, most of it biographies and descriptions in HTML with line
breaks inside quotes. Only the columns that are used are kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.csv

# Of the columns, those that are used, as `group.name`.
COLUMNS: Final = (
    "album.title", "artist.name", "set.subset", "track.genre_top", "track.genres",
    "track.genres_all", "track.license", "track.title",
)  # fmt: skip
# One row may hold a long biography; a block must hold a row.
_BLOCK: Final = 32 << 20


def tracks_table(stream: io.BufferedReader) -> pa.Table:
    """Read the columns that are used, a block at a time; memory holds those and one block."""
    groups = _header(stream.readline())
    names = _header(stream.readline())
    stream.readline()  # the third header row names the index
    columns = ["track_id"]
    columns += [f"{group}.{name}" for group, name in zip(groups[1:], names[1:], strict=True)]
    wanted = ["track_id", *COLUMNS]
    missing = sorted(set(wanted) - set(columns))
    if missing:
        raise ValueError(f"no column {missing[0].replace('.', ', ')}")
    return _stream_csv(stream, wanted, columns)


def pages_table(stream: io.BufferedReader) -> pa.Table:
    """Read the pages of the tracks; the table has one header row."""
    return _stream_csv(stream, ["track_id", "track_url"], None)


def _stream_csv(
    stream: io.BufferedReader, wanted: Sequence[str], columns: Sequence[str] | None
) -> pa.Table:
    types = dict.fromkeys(wanted, pa.string()) | {"track_id": pa.int64()}
    reader = pa.csv.open_csv(
        pa.PythonFile(stream, "r"),
        read_options=pa.csv.ReadOptions(column_names=columns, block_size=_BLOCK, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            include_columns=wanted, column_types=types, strings_can_be_null=True, null_values=[""]
        ),
    )
    return reader.read_all()


def _header(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8")]))
