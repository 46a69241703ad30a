"""Figures 5 and 8: the share of artwork styles in each music genre.

Figure 8 is of the hundred pairs of appendix B, by images generated from the music's captions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from artsound.compare.pictures import GENERATED
from artsound.release.pairs import UNSAID
from artsound.report.columns import beside, counted, usable
from artsound.report.compared import compared_pairs
from artsound.report.data import Data
from artsound.report.figures import COLOURS, REST, SCALE, Figure, canvas, save
from artsound.table import Cell, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

_NAMED: Final = 6  # styles with a colour of their own
_SCREEN: Final = 40  # genres that one sees at a time
_LOG: Final = 100  # pairs of the largest genre, from which on bars need a log scale
_LONG: Final = 30  # letters of a name that fit
_ONCE: Final = "a track counts once, in its top-level genre."


@dataclass(frozen=True)
class Shares:
    """How many pairs of each genre have an artwork of each style.

    Attributes:
        genres: the genres' names, sorted: by top-level genre, and each group by its pairs.
        groups: the top-level genre of each.
        styles: the styles' names, the most frequent first.
        counts: int64, shape (genres, styles).
    """

    genres: list[str]
    groups: list[str]
    styles: list[str]
    counts: NDArray[np.int64]

    @property
    def pairs(self) -> NDArray[np.int64]:
        """Return the pairs of each genre, shape (genres,)."""
        return np.asarray(self.counts.sum(axis=1), np.int64)

    @property
    def percent(self) -> NDArray[np.float64]:
        """Return the share of each style in each genre in per cent, shape (genres, styles)."""
        return np.asarray(100 * self.counts / self.pairs[:, None], np.float64)


def genre_figures(data: Data, folder: Path) -> tuple[list[Figure], list[Table]]:
    """Draw the shares of styles by top-level genre and by genre, with their numbers as tables."""
    pairs = data.pairs.get(data.released)
    if pairs is None or data.artworks is None or data.tracks is None or not len(usable(pairs)):
        return [], []
    made = usable(pairs)
    styles = pc.fill_null(beside(made["artwork_id"], data.artworks, "style"), UNSAID)
    top = pc.fill_null(beside(made["track_id"], data.tracks, "genre_top"), UNSAID)
    genres = beside(made["track_id"], data.tracks, "genres").combine_chunks()
    each, parents = pc.list_flatten(genres), pc.list_parent_indices(genres)
    coarse = shares(top, top, styles)
    title = f"Figure 5: artwork styles in each top-level music genre (n = {len(made):,} pairs)"
    figures = [_top(coarse, folder, "figure_5_top", title, "the released pairs")]
    tables = [
        _table(
            "figure_5_top",
            "Figure 5: share of styles in each top-level genre (%)",
            coarse,
            f"Of the released pairs; {_ONCE}",
        )
    ]
    if len(each):
        fine = shares(each, top.take(parents), styles.take(parents))
        figures.append(_every(fine, folder, len(made)))
        note = "Of the released pairs; a track counts in each of its genres."
        tables.append(_table("figure_5", "Figure 5: share of styles in each genre (%)", fine, note))
    if generated := _generated(data):
        title = (
            "Figure 8: artwork styles in each top-level music genre, paired by generated images"
            f" (n = {int(generated.pairs.sum()):,} pairs)"
        )
        which = "the pairs of `artsound compare pairings` by images generated from captions"
        figures.append(_top(generated, folder, "figure_8", title, which))
        title = "Figure 8: share of styles in each top-level genre, by generated images (%)"
        tables.append(_table("figure_8", title, generated, f"Of {which}; {_ONCE}"))
    return figures, tables


def _generated(data: Data) -> Shares | None:
    """Return the shares of appendix B's pairs by generated images, if they were compared."""
    rows = compared_pairs(data, GENERATED)
    if not rows or data.artworks is None or data.tracks is None:
        return None
    tracks = pa.chunked_array([pa.array([track for track, _ in rows], pa.int64())])
    artworks = pa.chunked_array([pa.array([artwork for _, artwork in rows], pa.string())])
    top = pc.fill_null(beside(tracks, data.tracks, "genre_top"), UNSAID)
    return shares(top, top, pc.fill_null(beside(artworks, data.artworks, "style"), UNSAID))


def shares(genres: Any, tops: Any, styles: Any) -> Shares:
    """Count styles by genre.

    Args:
        genres: the genre of each row; no nulls.
        tops: its track's top-level genre. A genre belongs to the one that most of its rows have.
        styles: its artwork's style.
    """
    rows = pa.table({"genre": genres, "top": tops, "style": styles})
    named = [name for name, _ in counted(rows["style"], UNSAID)]
    found = rows.group_by(["genre", "top", "style"]).aggregate([([], "count_all")]).to_pylist()
    cells: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    by_top: dict[str, Counter[str]] = {}
    group_totals: Counter[str] = Counter()
    for row in found:
        count = row["count_all"]
        cells[row["genre"], row["style"]] += count
        totals[row["genre"]] += count
        by_top.setdefault(row["genre"], Counter())[row["top"]] += count
    group = {
        genre: min(tops.items(), key=lambda one: (-one[1], one[0]))[0]
        for genre, tops in by_top.items()
    }
    for genre, count in totals.items():
        group_totals[group[genre]] += count
    ordered = sorted(
        totals,
        key=lambda name: (-group_totals[group[name]], group[name], -totals[name], name),
    )
    counts = np.array([[cells[genre, style] for style in named] for genre in ordered], np.int64)
    return Shares(ordered, [group[name] for name in ordered], named, counts)


def _top(found: Shares, folder: Path, name: str, title: str, which: str) -> Figure:
    height = 2.9 + 0.27 * len(found.genres)
    drawn = canvas(14, height)
    bars, heat = drawn.subplots(1, 2, width_ratios=(1, 1.5), sharey=True)
    at = np.arange(len(found.genres))
    left = np.zeros(len(found.genres))
    named = min(_NAMED, len(found.styles))
    for number in range(named):
        share = found.percent[:, number]
        bars.barh(at, share, left=left, color=COLOURS[number], label=_short(found.styles[number]))
        left += share
    if named < len(found.styles):
        rest = len(found.styles) - named
        bars.barh(at, 100 - left, left=left, color=REST, label=f"{rest} other styles")
    labels = [f"{_short(name)} ({n:,})" for name, n in zip(found.genres, found.pairs, strict=True)]
    bars.set_yticks(at, labels)
    bars.set_ylim(len(at) - 0.5, -0.5)
    bars.set_xlim(0, 100)
    bars.grid(False)
    bars.set_xlabel("share of the genre's pairs (%)")
    handles, names = bars.get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside lower left", ncols=4)
    _heat(drawn, heat, found, "right")
    heat.tick_params(axis="y", left=False, labelleft=False)
    return save(
        drawn,
        Figure(
            name,
            title,
            f"Share of artwork styles among {which} of each top-level genre, whose number of pairs"
            " stands behind its name. Left: the most frequent styles, the others together"
            " in grey. Right: every style, darker for a larger share, white for"
            " none.",
        ),
        folder,
    )


def _every(found: Shares, folder: Path, pairs: int) -> Figure:
    from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

    count = len(found.genres)
    drawn = canvas(14, 3.2 + 0.155 * count)
    heat, bars = drawn.subplots(1, 2, width_ratios=(4, 1), sharey=True)
    at = np.arange(count)
    _heat(drawn, heat, found, "top")
    # A reader at the top of a long figure does not see its end.
    heat.tick_params(axis="x", top=count > _SCREEN, labeltop=count > _SCREEN)
    heat.set_yticks(at, [_short(name) for name in found.genres], fontsize=7)
    bars.barh(at, found.pairs, color=COLOURS[0], height=0.8)
    if found.pairs.max() >= _LOG:
        bars.set_xscale("log")
        bars.set_xlim(left=0.7)
        bars.xaxis.set_minor_formatter(NullFormatter())
    else:
        bars.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    bars.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    bars.set_xlabel("pairs (log scale)" if bars.get_xscale() == "log" else "pairs")
    bars.tick_params(axis="y", left=False, labelleft=False)
    bars.grid(True, axis="x")
    bars.grid(False, axis="y")
    edges = [n for n in range(1, count) if found.groups[n] != found.groups[n - 1]]
    for edge in edges:
        for axis in (heat, bars):
            axis.axhline(edge - 0.5, color="#D55E00", linewidth=0.9)
    for begin, end in zip([0, *edges], [*edges, count], strict=True):
        bars.annotate(
            _short(found.groups[begin]),
            (1.02, (begin + end - 1) / 2),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            fontweight="bold",
            annotation_clip=False,
        )
    return save(
        drawn,
        Figure(
            "figure_5",
            f"Figure 5: artwork styles in each of {count} music genres (n = {pairs:,} pairs)",
            "Share of artwork styles among the released pairs of each genre; a track counts in each"
            " of its genres. Genres are grouped by the top-level genre that most of their tracks"
            " have (bold, on the right; lines part the groups), groups and genres by their number"
            " of pairs (bars). Darker for a larger share; white where a genre has none.",
        ),
        folder,
    )


def _heat(drawn: Drawn, axis: Axes, found: Shares, bar: Literal["right", "top"]) -> None:
    """Draw the shares as a heatmap: sequential, white where there is none."""
    from matplotlib.colors import PowerNorm

    values = np.ma.masked_equal(found.percent, 0)
    # A genre of a few pairs would take all of the scale; the rest is what is to be told apart. The
    # root does the same for the many small shares.
    top = max(float(np.percentile(found.percent, 99)), 1.0)
    rows, columns = values.shape
    image = axis.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        values,
        cmap=f"{SCALE}_r",
        norm=PowerNorm(0.5, 0, top),
    )
    axis.set_ylim(rows - 0.5, -0.5)
    axis.grid(False)
    names = [_short(name) for name in found.styles]
    axis.set_xticks(np.arange(columns), names, rotation=90, fontsize=7.5)
    label = "share of the genre's pairs (%, root scale)"
    extend = "max" if found.percent.max() > top else "neither"
    drawn.colorbar(
        image, ax=axis, location=bar, label=label, extend=extend, aspect=35, shrink=0.8, pad=0.01
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[: _LONG - 1]}…"


def _table(name: str, title: str, found: Shares, note: str) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (genre, group, int(pairs), *(float(value) for value in row))
        for genre, group, pairs, row in zip(
            found.genres, found.groups, found.pairs, found.percent, strict=True
        )
    ]
    return Table(
        name,
        title,
        ("genre", "top-level genre", "pairs", *found.styles),
        tuple(rows),
        (note,),
    )
