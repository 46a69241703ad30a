"""Writes one split's rows as Parquet shards that the Hub and `load_dataset` like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

_MAX_GROUP_ROWS: Final = 1000


class ShardWriter:
    """Collects rows into row groups and files of bounded size.

    Memory is bounded by one row group. The number of files is part of their names, so they are
    renamed when the last row is in; content-defined chunking lets a later upload send only what
    changed.

    Args:
        folder: where the files go.
        stem: what their names begin with (`train`).
        schema: columns, with the metadata that makes `datasets` see images and audio.
        shard_bytes: most bytes of data a file.
        row_group_bytes: most bytes of data a row group.
    """

    def __init__(
        self, folder: Path, stem: str, schema: pa.Schema, shard_bytes: int, row_group_bytes: int
    ) -> None:
        self.folder = folder
        self.stem = stem
        self.schema = schema
        self.shard_bytes = shard_bytes
        self.row_group_bytes = min(row_group_bytes, shard_bytes)
        self.rows = 0
        self.bytes = 0
        self._files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._in_file = 0
        self._group: list[Mapping[str, Any]] = []
        self._in_group = 0

    def write(self, rows: Iterable[Mapping[str, Any]]) -> list[Path]:
        """Write all rows and return the finished files, of which there is at least one."""
        for row in rows:
            size = _size(row)
            full = self._in_group + size > self.row_group_bytes
            if self._group and (full or len(self._group) == _MAX_GROUP_ROWS):
                self._flush()
            self._group.append(row)
            self._in_group += size
        self._flush()
        if not self._files:  # an empty split is a file without rows: loaders then find the split
            self._open()
        self._close()
        return self._renamed()

    def _flush(self) -> None:
        if not self._group:
            return
        if self._writer and self._in_file + self._in_group > self.shard_bytes:
            self._close()
        if not self._writer:
            self._open()
        table = pa.Table.from_pylist(self._group, schema=self.schema)
        if self._writer:
            self._writer.write_table(table)
        self.rows += len(self._group)
        self.bytes += self._in_group
        self._in_file += self._in_group
        self._group, self._in_group = [], 0

    def _open(self) -> None:
        path = self.folder / f"{self.stem}-{len(self._files):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._files.append(path)
        self._in_file = 0
        self._writer = pq.ParquetWriter(
            path, self.schema, compression="zstd", use_content_defined_chunking=True
        )

    def _close(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer = None

    def _renamed(self) -> list[Path]:
        count = len(self._files)
        finished = []
        for number, path in enumerate(self._files):
            name = f"{self.stem}-{number:05d}-of-{count:05d}.parquet"
            finished.append(path.rename(path.with_name(name)))
        return finished


def _size(value: Any) -> int:
    """Return roughly how many bytes a row takes: its texts and media, and 8 for anything else."""
    if isinstance(value, Mapping):
        return sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return sum(_size(item) for item in value)
    return len(value) if isinstance(value, str | bytes) else 8
