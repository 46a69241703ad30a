"""What is in a release's folder: its configurations, their splits, their Parquet files.

Everything here is read from the files alone, in bounded memory: footers, or a few columns a batch
at a time. So a release that was filled by `hydrate` is described as one that was built whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

DEFAULT: Final = "default"
DATA: Final = "data"
_ORDER: Final = (DEFAULT, "artworks", "tracks", "pairs", "caption_attempts")
_SPLITS: Final = ("train", "test", "validation")
_BATCH: Final = 4096


@dataclass(frozen=True)
class Part:
    """One split of a configuration.

    Attributes:
        config: the configuration's name.
        split: the split's name.
        files: its Parquet files, in order.
        rows: how many rows they have.
        data_bytes: their size in bytes as Parquet's footers give it, before compression.
        file_bytes: their size in bytes on disk.
    """

    config: str
    split: str
    files: tuple[Path, ...]
    rows: int
    data_bytes: int
    file_bytes: int

    @property
    def folder(self) -> str:
        """The name of the folder that the files are in."""
        return self.files[0].parent.name

    @property
    def pattern(self) -> str:
        """The glob that finds the files from the release's folder."""
        return f"{self.folder}/{self.split}-*.parquet"

    @property
    def schema(self) -> pa.Schema:
        """The columns, with the metadata by which `datasets` knows its features."""
        return pq.read_schema(self.files[0])

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns, a few thousand rows at a time."""
        for path in self.files:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_BATCH, columns=list(columns))

    def rows_of(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows as dictionaries of some columns."""
        for batch in self.batches(columns):
            yield from batch.to_pylist()


def parts(folder: Path) -> list[Part]:
    """Return what a release holds: configurations in the card's order, splits in theirs."""
    found = []
    for path in folder.iterdir():
        splits: dict[str, list[Path]] = {}
        for file in sorted(path.glob("*.parquet")) if path.is_dir() else ():
            splits.setdefault(file.name.partition("-")[0], []).append(file)
        config = DEFAULT if path.name == DATA else path.name
        found += [_part(config, split, files) for split, files in splits.items()]
    return sorted(found, key=lambda part: (_rank(part.config), part.config, _split(part.split)))


def by_config(found: Sequence[Part]) -> dict[str, list[Part]]:
    """Return the parts by configuration."""
    configs: dict[str, list[Part]] = {}
    for part in found:
        configs.setdefault(part.config, []).append(part)
    return configs


def _part(config: str, split: str, files: Sequence[Path]) -> Part:
    footers = [pq.read_metadata(path) for path in files]
    groups = [footer.row_group(n) for footer in footers for n in range(footer.num_row_groups)]
    return Part(
        config,
        split,
        tuple(files),
        rows=sum(footer.num_rows for footer in footers),
        data_bytes=sum(group.total_byte_size for group in groups),
        file_bytes=sum(path.stat().st_size for path in files),
    )


def _rank(config: str) -> int:
    kind = "pairs" if config.startswith("pairs_") else config
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _split(split: str) -> tuple[int, str]:
    return (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS)), split
