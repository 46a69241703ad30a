"""One Parquet file of a release, read a little at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from artsound.errors import ArtsoundError

_BUFFER: Final = 1 << 22  # bytes of a column that are read ahead


class Opened:
    """An open Parquet file.

    Args:
        source: what pyarrow opens.
        name: what errors call it.
    """

    def __init__(self, source: Any, name: str) -> None:
        self._name = name
        with self._reading():
            self._file = pq.ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close(force=True)

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self._file.schema_arrow.names)

    @property
    def groups(self) -> list[int]:
        """How many rows each of its row groups has."""
        footer = self._file.metadata
        return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]

    def texts(self, columns: Sequence[str]) -> pa.Table:
        """Return those of some columns that it has, whole."""
        with self._reading():
            return self._file.read(columns=self._known(columns)).replace_schema_metadata()

    def batches(self, group: int, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a row group, a few at a time, those of some columns that it has."""
        with self._reading():
            yield from self._file.iter_batches(
                rows, row_groups=[group], columns=self._known(columns)
            )

    def first_without(self, column: str) -> str | None:
        """Return the pair_id of the first row that has no media in a column; None: all have.

        Row groups whose footer counts no nulls are not read.
        """
        for group in range(len(self.groups)):
            if self._nulls(group, f"{column}.bytes") == 0:
                continue
            for batch in self.batches(group, ("pair_id", column), 8):
                for row in batch.to_pylist():
                    if not (row[column] and row[column]["bytes"]):
                        return str(row["pair_id"])
        return None

    def _nulls(self, group: int, leaf: str) -> int | None:
        found = self._file.metadata.row_group(group)
        for number in range(found.num_columns):
            column = found.column(number)
            if column.path_in_schema == leaf:
                known = column.statistics
                return known.null_count if known and known.has_null_count else None
        return None

    def _known(self, columns: Sequence[str]) -> list[str]:
        return [name for name in columns if name in self.columns]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtsoundError(
                f"{self._name} is missing or damaged ({reason}): check the release with artsound"
                " verify"
            ) from error
