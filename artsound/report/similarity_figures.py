"""Figure 2, the similarities' distributions and their fall by order of pairing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from artsound import paper
from artsound.report.curves import Curve, strategy_label
from artsound.report.figures import (
    COLOURS,
    INK,
    Figure,
    canvas,
    mean_handles,
    mean_lines,
    save,
    steps,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]
# The paper's ranges of figure 2: 0.25 and 0.6 themselves belong to the outer ones.
RANGES: Final[Sequence[tuple[str, Callable[[Numbers], Any]]]] = (
    ("low: 0.25 or less", lambda values: values <= 0.25),
    ("medium: between 0.25 and 0.6", lambda values: (values > 0.25) & (values < 0.6)),
    ("high: 0.6 or more", lambda values: values >= 0.6),
)
_FEW: Final = 5  # below it each value is drawn and no density is estimated
_POINTS: Final = 2000  # of a curve; more cannot be seen
# How a curve is drawn that was made for the report.
_DASHES: Final[Mapping[str, tuple[int, tuple[float, ...]]]] = {
    "optimal": (0, (4, 2)),
    "greedy": (0, (1, 1.2)),
}
_DENSITY: Final = 20_000  # values that a violin's density is estimated from


def similarity_figures(found: Sequence[Curve], folder: Path, embedder: str) -> list[Figure]:
    """Draw what is to be seen of the similarities; none where there are no pairs."""
    built = [curve for curve in found if curve.built]
    if not built:
        return []
    return [
        _violins(built, folder, embedder),
        _distributions(built, folder, embedder),
        _tails(found, folder, embedder),
    ]


def _violins(built: Sequence[Curve], folder: Path, embedder: str) -> Figure:
    from matplotlib.patches import Patch

    drawn = canvas(10, 4.6)
    axes = drawn.subplots(1, len(RANGES))
    for axis, (name, inside) in zip(axes, RANGES, strict=True):
        labels = []
        for at, curve in enumerate(built):
            values = curve.similarity[inside(curve.similarity)]
            share = 100 * len(values) / len(curve.similarity)
            labels.append(f"{len(values):,}\n{share:.1f} %")
            _violin(axis, at, values, COLOURS[at])
        axis.set_title(name)
        axis.set_xticks(range(len(built)), labels)
        axis.set_xlim(-0.6, len(built) - 0.4)
        axis.tick_params(axis="x", length=0)
        axis.locator_params(axis="y", nbins=6)
        if not any(inside(curve.similarity).any() for curve in built):
            axis.set_yticks([])
            axis.text(0.5, 0.5, "no pairs", transform=axis.transAxes, ha="center", color=INK)
    axes[0].set_ylabel("cosine similarity")
    handles = [
        Patch(color=colour, alpha=0.7, label=f"{_name(curve)}, n = {len(curve.similarity):,}")
        for curve, colour in zip(built, COLOURS, strict=False)
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=2)
    return save(
        drawn,
        Figure(
            "figure_2",
            "Figure 2: similarity of the pairs in three ranges",
            f"Cosine similarity by {embedder} of the pairs of each strategy that was built, in the"
            " paper's three ranges. The width is the density within a range, the white mark the"
            " median, the bar the middle half; below each violin stand its pairs and their share"
            " of the strategy's pairs. The ranges have scales of their own.",
        ),
        folder,
    )


def _violin(axis: Axes, at: int, values: Numbers, colour: str) -> None:
    if len(values) >= _FEW and np.ptp(values) > 0:
        # A density needs no more; evenly through the sorted values, so that nothing is by chance.
        step = max(1, len(values) // _DENSITY)
        parts: Any = axis.violinplot(np.sort(values)[::step], [at], widths=0.85, showextrema=False)
        for body in parts["bodies"]:
            body.set(facecolor=colour, edgecolor=colour, alpha=0.55)
        low, middle, high = np.percentile(values, [25, 50, 75])
        axis.vlines(at, low, high, color=colour, linewidth=5)
        axis.plot(at, middle, "o", color="white", markersize=3.5, markeredgecolor=INK)
    else:
        axis.plot(np.full(len(values), at), values, "o", color=colour, markersize=4)


def _distributions(built: Sequence[Curve], folder: Path, embedder: str) -> Figure:
    drawn = canvas(7.5, 1.2 + 1.8 * len(built))
    axes = drawn.subplots(len(built), 1, sharex=True, squeeze=False)[:, 0]
    known = [paper.STRATEGIES[curve.strategy] for curve in built]
    low = min(float(curve.similarity.min()) for curve in built)
    high = max(float(curve.similarity.max()) for curve in built)
    edges = steps(low, high, max(len(curve.similarity) for curve in built))
    for axis, curve, one, colour in zip(axes, built, known, COLOURS, strict=False):
        values = curve.similarity
        axis.hist(values, edges, color=colour, alpha=0.75)
        mean_lines(axis, float(values.mean()), one.mean)
        axis.set_title(
            f"{_name(curve)}, n = {len(values):,}: mean {values.mean():.3f}, sd {values.std():.3f}"
            f" (paper {one.mean:.3f}, {one.sd:.3f})"
        )
        axis.set_ylabel("pairs")
        whole_numbers(axis)
    axes[-1].set_xlabel("cosine similarity")
    drawn.legend(handles=mean_handles(), loc="outside lower center", ncols=2)
    return save(
        drawn,
        Figure(
            "similarity",
            "Similarity of the pairs by strategy",
            f"How many pairs have which cosine similarity by {embedder}, in equal steps. The"
            " line is our mean, the dotted line the paper's, which is by ImageBind.",
        ),
        folder,
    )


def _tails(found: Sequence[Curve], folder: Path, embedder: str) -> Figure:
    drawn = canvas(10, 4.6)
    whole, tail = drawn.subplots(1, 2)
    colours = dict(zip(dict.fromkeys(curve.strategy for curve in found), COLOURS, strict=False))
    for axis, begin, title in ((whole, 0.0, "all pairs"), (tail, 0.9, "the last tenth")):
        for curve in found:
            count = len(curve.similarity)
            first = int(begin * count)
            at = np.unique(np.linspace(first, count - 1, _POINTS).astype(np.int64))
            axis.plot(
                100 * (at + 1) / count,
                curve.similarity[at],
                color=colours[curve.strategy],
                linestyle="-" if curve.built else _DASHES[curve.method],
                linewidth=1.8 if curve.built else 1.3,
                label=f"{_name(curve)}, n = {count:,}",
            )
        axis.set_title(title)
        axis.set_xlabel("pairs made so far (%)")
    whole.set_ylabel("cosine similarity of the pair")
    handles, labels = whole.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=2)
    return save(
        drawn,
        Figure(
            "similarity_by_order",
            "Similarity by order of pairing",
            f"Cosine similarity by {embedder} of each pair, in the order in which the pairs are"
            " made; on the right the last tenth alone. Greedy pairing takes the best first, so its"
            " curve falls to what is left at the end. Dashed (optimal) and dotted (greedy): the"
            " same embeddings paired by another method, where their matrix is small enough to do"
            " that here.",
        ),
        folder,
    )


def _name(curve: Curve) -> str:
    return f"{strategy_label(curve.strategy)}, {curve.method}"
