"""A figure of the report and how it is drawn: one look, files whose bytes do not change."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from artsound.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn
    from matplotlib.lines import Line2D

# Okabe and Ito's palette (2008), which stays distinct for every common kind of colour blindness;
# without its yellow, which is too light for lines on white. The last is for what is not named.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
REST: Final = "#BBBBBB"
INK: Final = "#222222"
_OURS: Final[dict[str, Any]] = {"color": INK, "linewidth": 1.4}
_PAPERS: Final[dict[str, Any]] = {"color": "#D55E00", "linewidth": 1.6, "linestyle": (0, (1, 1.2))}
# From light to dark in equal steps, readable in grey and without red or green (Nuñez et al. 2018).
SCALE: Final = "cividis"
_DPI: Final = 150
_STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": "#777777",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.titlesize": 12,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    # Else the ids in the SVG are drawn by lot.
    "svg.hashsalt": "artsound",
    "text.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@dataclass(frozen=True)
class Figure:
    """A figure that was drawn.

    Attributes:
        name: what its files are called: `figures/<name>.svg` and `.png`.
        title: one line.
        caption: what it shows and how to read it, in full sentences; also its text alternative.
    """

    name: str
    title: str
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's look, whatever the user's own settings of matplotlib are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", _STYLE))
        yield


def canvas(width: float, height: float) -> Drawn:
    """Return an empty figure of some inches that belongs to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(drawn: Drawn, figure: Figure, folder: Path) -> Figure:
    """Write a figure as SVG and PNG without dates or versions, and return it."""
    drawn.suptitle(figure.title, x=0.01, ha="left", fontweight="bold")
    without: tuple[dict[str, Any], ...] = ({"Date": None, "Creator": None}, {"Software": None})
    for path, metadata in zip(paths(figure, folder), without, strict=True):
        buffer = io.BytesIO()
        drawn.savefig(buffer, format=path.suffix[1:], dpi=_DPI, metadata=metadata)
        write_atomically(path, buffer.getvalue())
    return figure


def paths(figure: Figure, folder: Path) -> tuple[Path, Path]:
    """Return the files of a figure: SVG and PNG."""
    return folder / f"{figure.name}.svg", folder / f"{figure.name}.png"


def steps(low: float, high: float, count: int) -> NDArray[np.float64]:
    """Return the edges of a histogram's bars: more of them the more values there are, up to 60."""
    bars = int(np.clip(2 * np.sqrt(count), 8, 60))
    return np.linspace(low, high if high > low else low + 1e-3, bars + 1)


def mean_lines(axis: Axes, ours: float, papers: float) -> None:
    """Mark our mean, and the paper's where it lies within the axis."""
    low, high = axis.get_xlim()
    axis.axvline(ours, **_OURS)
    if low <= papers <= high:
        axis.axvline(papers, **_PAPERS)
    axis.set_xlim(low, high)


def mean_handles() -> list[Line2D]:
    """Return the legend of `mean_lines`."""
    from matplotlib.lines import Line2D

    off = "the paper's mean (none: off the axis)"
    return [Line2D([], [], **_OURS, label="our mean"), Line2D([], [], **_PAPERS, label=off)]


def whole_numbers(axis: Axes) -> None:
    """Write the counts on a vertical axis as `10,000`, and never half a pair."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
