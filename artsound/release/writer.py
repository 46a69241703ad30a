"""Writes one split's rows as Parquet shards that the Hub and `load_dataset` like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

_MAX_GROUP_ROWS: Final = 1000
# Kept free in a shard for what is not data: page headers, the page index and the footer.
_OVERHEAD: Final = 0.02
_MEDIA: Final = ("image", "audio")
# The defaults of pyarrow and `datasets`, written out so that they stay; `datasets` notes them too.
_CHUNKING: Final = {"min_chunk_size": 256 << 10, "max_chunk_size": 1 << 20, "norm_level": 0}


@dataclass(frozen=True)
class Shard:
    """A finished file.

    Attributes:
        path: where it is.
        bytes: its size.
        sha256: its checksum, in hexadecimal.
    """

    path: Path
    bytes: int
    sha256: str


class ShardWriter:
    """Collects rows into row groups and files of bounded size.

    Memory is bounded by one row group. The same rows give the same files, however they are cut into
    the tables that come in. A row that is larger than a row group may be is one of its own.

    Content-defined chunking puts the borders of pages where the content says, so that a later
    upload sends only what changed. Media are compressed already and are stored as they are.

    Args:
        folder: where the files go.
        stem: what their names begin with (`train`).
        schema: columns, with the metadata that makes `datasets` see images and audio.
        shard_bytes: most bytes a file.
        row_group_bytes: most bytes of data a row group.
    """

    def __init__(
        self, folder: Path, stem: str, schema: pa.Schema, shard_bytes: int, row_group_bytes: int
    ) -> None:
        self.folder = folder
        self.stem = stem
        self.schema = schema
        self.room = int(shard_bytes * (1 - _OVERHEAD))
        self.row_group_bytes = min(row_group_bytes, self.room)
        self.rows = 0
        self._done: list[Shard] = []
        self._sink: _HashingFile | None = None
        self._writer: pq.ParquetWriter | None = None

    def write(self, tables: Iterable[pa.Table]) -> list[Shard]:
        """Write all rows and return the finished files, of which there is at least one."""
        try:
            for group, size in self._groups(tables):
                self._write(group, size)
            if not self.rows:  # an empty split is a file without rows: loaders then find the split
                self._open()
            self._close()
        finally:
            if self._sink:
                self._sink.close()
        return self._renamed()

    def _groups(self, tables: Iterable[pa.Table]) -> Iterator[tuple[pa.Table, int]]:
        """Yield the rows again, cut into row groups, with the size of each."""
        held: list[pa.Table] = []
        rows = size = 0
        for table in tables:
            begin = 0
            for at, row in enumerate(row_bytes(table).tolist()):
                if rows and (size + row > self.row_group_bytes or rows == _MAX_GROUP_ROWS):
                    yield pa.concat_tables([*held, table.slice(begin, at - begin)]), size
                    held, begin, rows, size = [], at, 0, 0
                rows, size = rows + 1, size + row
            held.append(table.slice(begin))
        if rows:
            yield pa.concat_tables(held), size

    def _write(self, group: pa.Table, size: int) -> None:
        if self._sink and self._sink.size + size > self.room:
            self._close()
        writer = self._writer or self._open()
        # In one piece, because the borders of pieces would show in the file.
        writer.write_table(group.combine_chunks(), row_group_size=len(group))
        self.rows += len(group)

    def _open(self) -> pq.ParquetWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sink = _HashingFile(self.folder / f"{self.stem}-{len(self._done):05d}.parquet")
        leaves = list(_leaves(self.schema))
        plain = [leaf for leaf in leaves if leaf.partition(".")[0] not in _MEDIA]
        self._writer = pq.ParquetWriter(
            self._sink,
            self.schema,
            compression={leaf: "zstd" if leaf in plain else "none" for leaf in leaves},
            use_dictionary=plain,
            write_statistics=plain,
            write_page_index=True,
            use_content_defined_chunking=_CHUNKING,
        )
        noted = {"content_defined_chunking": json.dumps(_CHUNKING)}
        self._writer.add_key_value_metadata(noted)
        return self._writer

    def _close(self) -> None:
        if self._writer and self._sink:
            self._writer.close()
            self._sink.close()
            self._done.append(self._sink.shard())
        self._writer = self._sink = None

    def _renamed(self) -> list[Shard]:
        """Rename the files, for their names say how many they are."""
        finished = []
        for number, shard in enumerate(self._done):
            name = f"{self.stem}-{number:05d}-of-{len(self._done):05d}.parquet"
            path = shard.path.rename(shard.path.with_name(name))
            finished.append(Shard(path, shard.bytes, shard.sha256))
        return finished


class _HashingFile:
    """A new file that knows its checksum when it is closed, so that nobody reads it again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file: BinaryIO = path.open("wb")
        self._sha256 = hashlib.sha256()

    @property
    def closed(self) -> bool:
        return self._file.closed

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        self._file.write(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def shard(self) -> Shard:
        return Shard(self.path, self.size, self._sha256.hexdigest())


def row_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Return how many bytes of data each row of a table has, shape (rows,)."""
    total = np.zeros(len(table), np.int64)
    for column in table.columns:
        whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        total += _item_bytes(whole)
    return total


def _item_bytes(array: Any) -> NDArray[np.int64]:
    kind = array.type
    if pa.types.is_struct(kind):
        total = np.zeros(len(array), np.int64)
        for field in array.flatten():
            total += _item_bytes(field)
        return total
    if pa.types.is_list(kind):
        ends = np.concatenate([[0], np.cumsum(_item_bytes(array.values))])
        offsets = array.offsets.to_numpy()
        return np.asarray(ends[offsets[1:]] - ends[offsets[:-1]] + 4, np.int64)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        lengths = pc.fill_null(pc.binary_length(array), 0)
        return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64) + 4
    return np.full(len(array), 8, np.int64)


def _leaves(schema: pa.Schema) -> Iterator[str]:
    """Yield the columns as Parquet names them: `image.bytes`, `music_genres.list.element`."""
    for field in schema:
        yield from _paths(field.name, field.type)


def _paths(name: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _paths(f"{name}.{field.name}", field.type)
    elif pa.types.is_list(kind):
        yield from _paths(f"{name}.list.element", kind.value_type)
    else:
        yield name
