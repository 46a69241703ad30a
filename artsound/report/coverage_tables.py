"""What the dataset consists of: licences, styles and genres by split, and what was left out."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from artsound.release.pairs import UNSAID
from artsound.release.splits import SPLITS
from artsound.release.terms import terms
from artsound.report.columns import beside, counted, percent, usable
from artsound.report.data import Data
from artsound.schema import Status
from artsound.table import Cell, Table

_CAPTIONS: Final = ("image_captions", "audio_captions")


def coverage_tables(data: Data) -> list[Table]:
    """Return the tables of licences, coverage and rejections, as far as there are rows."""
    tables = []
    pairs = data.pairs.get(data.released)
    if pairs is not None and len(made := usable(pairs)):
        if data.artworks is not None and data.tracks is not None:
            tables.append(_licences(data.artworks, data.tracks, made))
        splits = pa.array([data.splits.get(name) for name in made["artwork_id"].to_pylist()])
        if data.artworks is not None:
            styles = beside(made["artwork_id"], data.artworks, "style")
            tables.append(_coverage(data, "styles", "style of the artwork", styles, splits))
        if data.tracks is not None:
            top = beside(made["track_id"], data.tracks, "genre_top")
            tables.append(_coverage(data, "genres", "top-level genre", top, splits))
            genres = beside(made["track_id"], data.tracks, "genres").combine_chunks()
            each = splits.take(pc.list_parent_indices(genres))
            every = pc.list_flatten(genres)
            if len(every):
                tables.append(_coverage(data, "subgenres", "genre", every, each))
    rejected = _rejected(data)
    return [*tables, rejected] if rejected.rows else tables


def _licences(artworks: pa.Table, tracks: pa.Table, pairs: pa.Table) -> Table:
    theirs = beside(pairs["artwork_id"], artworks, "license").to_pylist()
    ours = beside(pairs["track_id"], tracks, "license_spdx").to_pylist()
    both = Counter(zip(theirs, ours, strict=True))
    of_artworks, of_tracks = Counter(theirs), Counter(ours)
    names = sorted(
        {*of_artworks, *of_tracks},
        key=lambda name: (-of_artworks[name] - of_tracks[name], str(name)),
    )
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        allowed = terms(name)
        rows.append(
            (
                name or UNSAID,
                of_artworks[name],
                of_tracks[name],
                *(
                    _yes(term)
                    for term in (allowed.redistribute, allowed.change, allowed.commercial)
                ),
            )
        )
    total = len(pairs)
    change = sum(n for two, n in both.items() if all(terms(one).change for one in two))
    money = sum(
        n
        for two, n in both.items()
        if all(terms(one).change and terms(one).commercial for one in two)
    )
    return Table(
        "licences",
        "Licences of the released pairs",
        ("licence", "artworks", "tracks", "copies", "changes", "commercial"),
        tuple(rows),
        (
            f"Of {total:,} pairs, {change:,} ({percent(change, total):.1f} %) may be redistributed"
            f" with changes by both licences, {money:,} of them commercially. As far as SPDX ids"
            " tell; no legal advice.",
        ),
    )


def _yes(allowed: bool) -> str:
    return "yes" if allowed else "no"


def _coverage(data: Data, name: str, what: str, values: Any, splits: pa.Array) -> Table:
    by_split = {split: dict(counted(_of(values, splits, split), UNSAID)) for split in SPLITS}
    rows: list[tuple[Cell, ...]] = []
    for value, count in counted(values, UNSAID):
        held = count - by_split["train"].get(value, 0)
        found = [by_split[split].get(value, 0) for split in SPLITS]
        rows.append((value, count, *found, percent(held, count)))
    lacking = sum(1 for row in rows if row[2] == row[1])
    whose = "has" if data.kind == "release" else "would have"
    return Table(
        f"coverage_{name}",
        f"Coverage of {name} in each split",
        (what, "pairs", *SPLITS, "% held out"),
        tuple(rows),
        (
            f"As the release {whose} them; {100 * data.recipe.release.held_out:g} % are meant to"
            f" be held out. {lacking} of {len(rows)} are in train only."
            + (" A track counts once for each of its genres." if name == "subgenres" else ""),
        ),
    )


def _of(values: Any, splits: pa.Array, split: str) -> Any:
    return values.filter(pc.fill_null(pc.equal(splits, split), False))


def _rejected(data: Data) -> Table:
    tables = {
        "artworks": data.artworks,
        "tracks": data.tracks,
        **data.statuses,
        **{name: getattr(data, name) for name in _CAPTIONS},
        **{f"pairs/{strategy}": table for strategy, table in data.pairs.items()},
    }
    rows: list[tuple[Cell, ...]] = []
    for name, table in tables.items():
        if table is None:
            continue
        total = len(table)
        rows.append(
            (name, Status.OK.value, "", len(usable(table)), percent(len(usable(table)), total))
        )
        others = table.filter(pc.not_equal(table["status"], Status.OK.value))
        for status, _ in counted(others["status"], UNSAID):
            some = others.filter(pc.equal(others["status"], status))
            # The reason proper is before the colon, its detail behind it.
            reasons = pc.list_element(
                pc.split_pattern(pc.fill_null(some["reason"], UNSAID), ":"), 0
            )
            rows += [
                (name, status, reason, count, percent(count, total))
                for reason, count in counted(reasons, UNSAID)
            ]
    return Table(
        "rejected",
        "What was left out, and why",
        ("table", "status", "reason", "rows", "%"),
        tuple(rows),
        (
            "Rejected: the source's file is unusable. Failed: a model gave up. Unpaired: no artwork"
            " was left for the track."
            + (
                ""
                if data.kind == "workspace"
                else " A release does not have the segments' captions and the embeddings."
            ),
        ),
    )
