"""Tables by key, as the page's scripts want them: rows of a chunk as lists, words as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from artsound.report.page.script import rounded

# In the order of the lists that the page reads; `assets/store.js` has the same order.
ARTWORK: Final = ("title", "artist", "year", "style", "genre", "license", "source_url")
TRACK: Final = ("title", "artist", "album", "genre_top", "genres", "license_spdx", "source_url")
IMAGE_CAPTION: Final = (
    "caption",
    "clip_score",
    "pac_score",
    "ic_score",
    "attempts",
    "accepted",
    "model",
)
AUDIO_CAPTION: Final = (
    "caption",
    "rouge1",
    "bert_score",
    "ac_score",
    "attempts",
    "accepted",
    "model",
)
_WORDS: Final = ("style", "genre", "genre_top", "genres", "license", "license_spdx", "model")


class Words:
    """Words that many rows share, each written once; a row has their numbers."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, word: str | None) -> int | None:
        """Return a word's number, a new one for a new word; None of None and of the empty word."""
        if not word:
            return None
        if word not in self._numbers:
            self._numbers[word] = len(self.list)
            self.list.append(word)
        return self._numbers[word]


class Rows:
    """Some columns of a table, by its first column.

    Args:
        table: with one row a key; None if there is none, and every row is then empty.
        columns: of `ARTWORK`, `TRACK`, `IMAGE_CAPTION` or `AUDIO_CAPTION`.
        words: where shared words go.
    """

    def __init__(self, table: pa.Table | None, columns: Sequence[str], words: Words) -> None:
        self._columns = columns
        self._words = words
        self._table = None
        self._at: dict[Any, int] = {}
        if table is not None:
            self._at = {key: at for at, key in enumerate(table.column(0).to_pylist())}
            self._table = table.select([name for name in columns if name in table.column_names])

    def take(self, keys: Sequence[Any]) -> list[list[Any]]:
        """Return a list of the columns' values for each key; nulls for a key that is not there."""
        empty: list[Any] = [None] * len(self._columns)
        if self._table is None:
            return [list(empty) for _ in keys]
        there = [self._at[key] for key in keys if key in self._at]
        found = self._table.take(pa.array(there, pa.int64())).to_pylist()
        rows = iter([self._shown(row) for row in found])
        return [next(rows) if key in self._at else list(empty) for key in keys]

    def _shown(self, row: dict[str, Any]) -> list[Any]:
        return [self._value(name, row.get(name)) for name in self._columns]

    def _value(self, name: str, value: Any) -> Any:
        if name in _WORDS:
            if isinstance(value, list):
                return [self._words.number(word) for word in value if word]
            return self._words.number(value)
        if isinstance(value, bool):
            return int(value)
        return rounded(value) if isinstance(value, float) else value
