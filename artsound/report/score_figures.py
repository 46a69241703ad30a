"""The distributions of the captions' lengths and scores, and the attempts that they took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artsound.report.caption_tables import LABELS, Captions
from artsound.report.columns import numbers, usable
from artsound.report.figures import (
    COLOURS,
    INK,
    REST,
    Figure,
    canvas,
    mean_handles,
    mean_lines,
    save,
    steps,
    whole_numbers,
)

_THRESHOLD: Final[dict[str, Any]] = {"color": INK, "linewidth": 1.2, "linestyle": "--"}


def score_figures(found: Sequence[Captions], folder: Path) -> list[Figure]:
    """Draw what is to be seen of the captions; none where there are none."""
    some = [one for one in found if len(usable(one.table))]
    return [_scores(one, folder) for one in some] + ([_attempts(some, folder)] if some else [])


def _scores(one: Captions, folder: Path) -> Figure:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    kept = usable(one.table)
    kept = kept.append_column("length", pc.utf8_length(kept["caption"]))
    names = [name for name in one.paper.figures if len(numbers(kept, name))]
    drawn = canvas(9.5, 2.7 * -(-len(names) // 2) + 0.6)
    axes = drawn.subplots(-(-len(names) // 2), 2, squeeze=False).reshape(-1)
    threshold = one.recipe.threshold
    for axis, name in zip(axes, names, strict=False):
        values, known = numbers(kept, name), one.paper.figures[name]
        low, high = float(values.min()), float(values.max())
        edges = steps(low, high, len(values))
        digits = 0 if name == "length" else 3
        said = f"mean {values.mean():,.{digits}f} (paper {known.mean:,.{digits}f})"
        if name == one.score:
            above = values >= threshold
            # A step at the threshold, so that no bar has both colours.
            edges = np.unique(np.append(edges, np.clip(threshold, low, high)))
            parts = [values[above], values[~above]]
            axis.hist(parts, edges, stacked=True, color=COLOURS[:2])
            axis.axvline(threshold, **_THRESHOLD)
            said += f", {above.sum():,} reach {threshold:g}"
        else:
            axis.hist(values, edges, color=REST)
        mean_lines(axis, float(values.mean()), known.mean)
        whole_numbers(axis)
        axis.set_title(f"{LABELS[name]}, n = {len(values):,}\n{said}", fontsize=9)
        axis.set_xlabel("characters" if name == "length" else "score")
        axis.set_ylabel("captions")
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    handles = [
        *mean_handles(),
        Line2D([], [], **_THRESHOLD, label="threshold"),
        Patch(color=COLOURS[0], label="reaches the threshold"),
        Patch(color=COLOURS[1], label="falls short"),
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=5)
    return save(
        drawn,
        Figure(
            f"scores_{one.what}",
            f"Captions of {one.what}: lengths and scores",
            f"How many captions of {one.what} have which length and which score. The line is our"
            " mean, the dotted line the paper's, which is by the paper's models. The composite"
            " score is coloured by whether it reaches the threshold (dashed).",
        ),
        folder,
    )


def _attempts(found: Sequence[Captions], folder: Path) -> Figure:
    drawn = canvas(4.2 * len(found) + 0.6, 3.4)
    axes = drawn.subplots(1, len(found), squeeze=False)[0]
    for axis, one in zip(axes, found, strict=True):
        kept = usable(one.table)
        used = range(1, one.recipe.max_regenerations + 2)
        above, below = (
            [_count(kept, attempts, accepted) for attempts in used] for accepted in (True, False)
        )
        axis.bar(used, above, color=COLOURS[0], label="reaches the threshold")
        axis.bar(used, below, bottom=above, color=COLOURS[1], label="falls short")
        for at, counts in zip(used, zip(above, below, strict=True), strict=True):
            axis.annotate(
                f"{sum(counts):,}",
                (at, sum(counts)),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        axis.set_xticks(list(used))
        axis.set_title(f"{one.what}, n = {len(kept):,}")
        axis.set_xlabel("attempts")
        tallest = max(map(sum, zip(above, below, strict=True)))
        axis.set_ylim(0, 1.14 * max(tallest, 1))
        whole_numbers(axis)
    axes[0].set_ylabel("captions")
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=2)
    return save(
        drawn,
        Figure(
            "attempts_used",
            "Attempts used until a caption was kept",
            "How many captions were kept after so many attempts, and whether the caption that was"
            " kept reaches the threshold. Those that never did used every attempt, so they are in"
            " the last bar, beside those that did at the last.",
        ),
        folder,
    )


def _count(kept: pa.Table, attempts: int, accepted: bool) -> int:
    wanted = pc.and_(pc.equal(kept["attempts"], attempts), pc.equal(kept["accepted"], accepted))
    return int(pc.sum(wanted).as_py() or 0)
