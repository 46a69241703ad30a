"""What `artsound compare pairings` left in a workspace: its tables, read back from their CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from artsound.errors import ArtsoundError
from artsound.table import Cell, Table

if TYPE_CHECKING:
    from artsound.report.data import Data

_PAIRS: Final = "compare/table_12_pairs.csv"
_NOTE: Final = (
    "As `artsound compare pairings` found when it was last run, by the recipe of that time, which"
    " the file does not name: run it again after a rebuild."
)
# (file, title, what else is to be known)
_TABLES: Final = (
    (
        "table_12",
        "Table 12: similarity of greedy pairs by pictures of the music",
        "The paper's are by CLIP.",
    ),
    (
        "pairings_beyond",
        "Optimal against greedy, whole",
        "p1 and p5: the similarity that 1 and 5 % of the pairs do not reach.",
    ),
)


def compared_tables(data: Data) -> list[Table]:
    """Return the comparisons' tables that the workspace has; a release has none.

    Raises:
        ArtsoundError: a file is not what the comparison writes.
    """
    if data.kind != "workspace":
        return []
    found = []
    for name, title, note in _TABLES:
        rows = _read(data.path / "compare" / f"{name}.csv")
        if rows is not None:
            head, *cells = rows
            shown = tuple(tuple(_cell(text) for text in row) for row in cells)
            found.append(Table(name, title, tuple(head), shown, (f"{_NOTE} {note}",)))
    return found


def compared_missing(root: Path, artworks: pa.Table | None, tracks: pa.Table | None) -> list[str]:
    """Say what of the comparisons a workspace lacks, a sentence each.

    Args:
        root: the workspace.
        artworks: its artworks.
        tracks: its tracks.

    Raises:
        ArtsoundError: a file is not what the comparison writes.
    """
    found = []
    if not (root / "compare" / "table_12.csv").is_file():
        found.append("Table 12 is not made: run `artsound compare pairings` first.")
    every = _pairs(root)
    known = _known(every, artworks, tracks)
    if artworks is not None and tracks is not None and len(known) < len(every):
        found.append(
            f"{_PAIRS} has pairs of items that are not in the tables, so figure 8 is left out: run"
            " `artsound compare pairings` again."
        )
    return found


def compared_pairs(data: Data, strategy: str) -> list[tuple[int, str]]:
    """Return (track, artwork) of the pairs of table 12 by one strategy.

    There are none if it was not run, or on other items than the tables have, which
    `compared_missing` says.

    Raises:
        ArtsoundError: the file is not what the comparison writes.
    """
    every = _pairs(data.path) if data.kind == "workspace" else []
    if len(_known(every, data.artworks, data.tracks)) < len(every):
        return []
    return [(track, artwork) for name, track, artwork in every if name == strategy]


def _pairs(root: Path) -> list[tuple[str, int, str]]:
    """Return (strategy, track, artwork) of the pairs of table 12, if they were made."""
    path = root / _PAIRS
    rows = _read(path)
    if rows is None:
        return []
    head, *cells = rows
    try:
        name, track, artwork = (head.index(one) for one in ("strategy", "track_id", "artwork_id"))
        return [(row[name], int(row[track]), row[artwork]) for row in cells]
    except ValueError as error:
        raise _broken(path, error) from error


def _known(
    pairs: list[tuple[str, int, str]], artworks: pa.Table | None, tracks: pa.Table | None
) -> list[tuple[str, int, str]]:
    """Return the pairs whose items the tables have."""
    if not pairs or artworks is None or tracks is None:
        return []
    ids, numbers = set(artworks["artwork_id"].to_pylist()), set(tracks["track_id"].to_pylist())
    return [pair for pair in pairs if pair[1] in numbers and pair[2] in ids]


def _read(path: Path) -> list[list[str]] | None:
    """Return a CSV's rows, the head first; None where there is no file."""
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream, strict=True))
        if not rows or not rows[0]:
            raise ValueError("it is empty")
        for number, row in enumerate(rows, 1):
            if len(row) != len(rows[0]):
                raise ValueError(f"row {number} has {len(row)} of {len(rows[0])} cells")
    except (OSError, ValueError, csv.Error) as error:
        raise _broken(path, error) from error
    return rows


def _broken(path: Path, error: Exception) -> ArtsoundError:
    return ArtsoundError(
        f"{path} is not what `artsound compare pairings` writes ({error}): run it again or delete"
        " the file"
    )


def _cell(text: str) -> Cell:
    """Return a CSV's cell as the number that it was written from."""
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
