"""Shards: within their limits, the same however the rows come in, and read back unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artsound.release.features import pair_features, released_schema
from artsound.release.writer import ShardWriter, row_bytes
from artsound.workspace import file_sha256
from tests.release.synthetic import noise

SCHEMA = released_schema(pair_features())


def _rows(sizes: list[int]) -> pa.Table:
    rows = [
        {
            "pair_id": f"{number:06d}",
            "image": {"bytes": noise(number, size), "path": f"{number}.jpg"},
            "audio": None,
            "artwork_caption": "words " * 50,
            "music_genres": ["Rock", "Punk"][: number % 3],
        }
        for number, size in enumerate(sizes)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


@pytest.mark.parametrize("sizes", [[3000] * 300, [1, 90_000, 5, 400_000, 10] * 10])
def test_files_and_row_groups_keep_their_limits(tmp_path: Path, sizes: list[int]) -> None:
    table = _rows(sizes)
    writer = ShardWriter(tmp_path, "train", SCHEMA, 500_000, 100_000)
    shards = writer.write([table])
    assert len(shards) > 1
    assert writer.rows == len(sizes)
    largest = max(sizes)
    for number, shard in enumerate(shards):
        assert shard.path.name == f"train-{number:05d}-of-{len(shards):05d}.parquet"
        assert shard.bytes == shard.path.stat().st_size <= 500_000
        assert shard.sha256 == file_sha256(shard.path)
        footer = pq.read_metadata(shard.path)
        assert json.loads(footer.metadata[b"content_defined_chunking"])["norm_level"] == 0
        for at in range(footer.num_row_groups):
            group = footer.row_group(at)
            assert group.total_byte_size <= 110_000 or group.num_rows == 1
            assert group.total_byte_size < largest + 110_000
    assert pa.concat_tables(pq.read_table(shard.path) for shard in shards) == table


@settings(max_examples=15)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_the_cut_of_what_comes_in_does_not_show(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    table = _rows([700 * (number % 7) for number in range(120)])
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(table.slice(at, cut))
        at += cut
    pieces.append(table.slice(at))
    one = ShardWriter(folder / "one", "a", SCHEMA, 200_000, 50_000).write([table])
    many = ShardWriter(folder / "many", "a", SCHEMA, 200_000, 50_000).write(pieces)
    assert [shard.sha256 for shard in one] == [shard.sha256 for shard in many]


def test_a_split_without_rows_is_a_file_with_the_columns(tmp_path: Path) -> None:
    (shard,) = ShardWriter(tmp_path, "test", SCHEMA, 1000, 1000).write([])
    assert pq.read_table(shard.path).schema == SCHEMA
    assert shard.path.name == "test-00000-of-00001.parquet"


def test_media_are_stored_as_they_are(tmp_path: Path) -> None:
    (shard,) = ShardWriter(tmp_path, "a", SCHEMA, 10**7, 10**7).write([_rows([1000])])
    group = pq.read_metadata(shard.path).row_group(0)
    kinds = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert kinds["image.bytes"].compression == "UNCOMPRESSED"
    assert kinds["image.bytes"].statistics is None
    assert kinds["artwork_caption"].compression == "ZSTD"
    assert "music_genres.list.element" in kinds


def test_row_bytes_counts_every_kind_of_value() -> None:
    table = pa.table(
        {
            "number": pa.array([1, None]),
            "text": pa.array(["abc", None]),
            "texts": pa.array([["ab", "c"], None]),
            "media": pa.array([{"bytes": b"12345", "path": "p"}, None]),
        },
    )
    table = table.cast(
        pa.schema(
            [
                ("number", pa.int32()),
                ("text", pa.string()),
                ("texts", pa.list_(pa.string())),
                ("media", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ]
        )
    )
    numbers, texts, lists, media = 8, 7, (6 + 5) + 4, 9 + 5
    assert row_bytes(table).tolist() == [numbers + texts + lists + media, 8 + 4 + 4 + 8]
    assert row_bytes(table.slice(1)).tolist() == [24]
