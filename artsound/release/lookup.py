"""A table on disk, looked up by key: joins in little memory, however long the table is."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

_BATCH: Final = 1000


class Lookup:
    """Rows by key. Memory holds the keys; the rows are in a file that is mapped, not read.

    Args:
        batches: the table, in pieces; there must be one, for its columns.
        key: the column with the key. Of equal keys the first counts.
        path: where to put the file; whoever gives it deletes it.
    """

    def __init__(self, batches: Iterable[pa.Table], key: str, path: Path) -> None:
        self.index: dict[Any, int] = {}
        writer: pa.ipc.RecordBatchFileWriter | None = None
        count = 0
        begins: list[int] = []
        with pa.OSFile(str(path), "wb") as sink:
            for table in batches:
                writer = writer or pa.ipc.new_file(sink, table.schema)
                for batch in table.combine_chunks().to_batches(max_chunksize=_BATCH):
                    writer.write_batch(batch)
                    begins.append(count)
                    for row, value in enumerate(batch.column(key).to_pylist(), count):
                        self.index.setdefault(value, row)
                    count += len(batch)
            if writer is None:
                raise ValueError(f"{path.name}: a table without pieces has no columns")
            writer.close()
        self._begins = np.array(begins, np.int64)
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self.schema: pa.Schema = reader.schema
        self._batches = [reader.get_batch(n) for n in range(reader.num_record_batches)]

    def __contains__(self, key: object) -> bool:
        return key in self.index

    def take(self, keys: Sequence[Any], columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of keys, in order; a row of nulls where there is no such key."""
        names = list(columns or self.schema.names)
        schema = pa.schema([self.schema.field(name) for name in names])
        rows = np.array([self.index.get(key, -1) for key in keys], np.int64)
        numbers = np.searchsorted(self._begins, rows, side="right") - 1
        # Batch by batch, and then into the order of the keys.
        order = np.argsort(numbers, kind="stable")
        order = order[rows[order] >= 0]
        pieces = []
        for number, places in _runs(numbers[order]):
            local = rows[order[places]] - self._begins[number]
            pieces.append(self._batches[number].select(names).take(pa.array(local)))
        found = pa.Table.from_batches(pieces, schema).combine_chunks()
        back = np.empty(len(rows), np.int64)
        back[order] = np.arange(len(order))
        return found.take(pa.array(back, mask=rows < 0))


def _runs(numbers: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Yield the runs of equal numbers."""
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for begin, end in itertools.pairwise(edges):
        if end > begin:
            yield int(numbers[begin]), slice(begin, end)


def read_tables(paths: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of Parquet files, a few thousand at a time; each file at least once."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            names = None if columns is None else list(columns)
            wanted = file.schema_arrow if names is None else _part(file.schema_arrow, names)
            empty = True
            for batch in file.iter_batches(_BATCH, columns=names):
                empty = False
                yield pa.Table.from_batches([batch]).select(wanted.names)
            if empty:
                yield wanted.empty_table()


def _part(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])
