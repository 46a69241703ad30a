"""Joins out of a mapped file, and reading ahead in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.release.ahead import ahead
from artsound.release.lookup import Lookup, read_tables

KEYS = [f"key-{number}" for number in range(2500)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Lookup:
    pieces = [
        pa.table({"key": KEYS[at : at + 900], "value": range(at, min(at + 900, 2500))})
        for at in range(0, 2500, 900)
    ]
    again = pa.table({"key": ["key-3"], "value": [-1]})
    return Lookup([*pieces, again], "key", tmp_path_factory.mktemp("lookup") / "a.arrow")


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_rows_come_in_the_order_of_the_keys(found: Lookup, numbers: list[int]) -> None:
    taken = found.take([f"key-{number}" for number in numbers], ["value"])
    assert taken["value"].to_pylist() == [n if n < 2500 else None for n in numbers]
    assert ("key-0" in found, "key-2500" in found) == (True, False)


def test_a_table_without_rows_still_has_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": pa.array([], pa.string()), "b": []}), tmp_path / "a.parquet")
    empty = Lookup(read_tables([tmp_path / "a.parquet"]), "key", tmp_path / "b.arrow")
    assert empty.take(["x"]).to_pylist() == [{"key": None, "b": None}]


def test_reading_ahead_keeps_the_order_and_the_error() -> None:
    def items() -> Iterator[int]:
        yield from range(50)
        raise ValueError("the 51st")

    got: list[int] = []
    with pytest.raises(ValueError, match="the 51st"):
        got.extend(ahead(items()))
    assert got == list(range(50))


def test_reading_ahead_ends_with_its_reader() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    reader = ahead(items())
    assert next(reader) == 0
    reader.close()  # type: ignore[attr-defined]
    assert len(made) < 10
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
