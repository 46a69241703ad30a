"""Tables 5 and 12, and hubness: how similar pairs are, and what the embeddings do to them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew

from artsound import paper
from artsound.compare.pairings import FIGURES, NEIGHBOURS, paper_figures
from artsound.compare.pairings import figures as similarity_figures
from artsound.pairing.neighbours import occurrences
from artsound.pairing.strategies import STRATEGIES
from artsound.report.columns import by_order, percent
from artsound.report.compared import compared_tables
from artsound.report.curves import Curve, curves_table
from artsound.report.data import Data
from artsound.report.progress import Say
from artsound.table import Cell, Table

# What a report takes seconds for: all tracks up to this many similarities, else some tracks.
_WHOLE: Final = 50_000_000
_QUERIES: Final = 1000


def pair_tables(data: Data, found: list[Curve], say: Say) -> list[Table]:
    """Return the tables on similarity, as far as there are pairs and comparisons of them."""
    tables = []
    if found:
        tables += [_table_5(data), curves_table(found, data.recipe.pairing.embedder)]
    hubs = _hubness(data, say)
    if hubs.rows:
        tables.append(hubs)
    return [*tables, *compared_tables(data)]


def _table_5(data: Data) -> Table:
    rows: list[tuple[Cell, ...]] = []
    embedders, methods = set(), set()
    for strategy in STRATEGIES:
        pairs = data.pairs.get(strategy)
        made = by_order(pairs) if pairs is not None else np.empty(0)
        if pairs is not None and len(made):
            name = "ours, released" if strategy == data.released else "ours"
            rows.append((strategy, name, *similarity_figures(made)))
            embedders.add(str(pairs["embedder"][0].as_py()))
            methods.add(str(pairs["method"][0].as_py()))
        else:
            rows.append((strategy, "ours: not built", *[None] * len(FIGURES)))
        rows.append((strategy, "paper", *paper_figures(paper.STRATEGIES[strategy])))
    return Table(
        "table_5",
        "Table 5: similarity of the pairs by strategy",
        ("strategy", "whose", *FIGURES),
        tuple(rows),
        (
            f"Ours are by {', '.join(sorted(embedders))}, paired {', '.join(sorted(methods))};"
            " the paper's are by ImageBind, paired greedy. sd is that of the pairs as a"
            " population.",
        ),
    )


def _hubness(data: Data, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    name = data.recipe.pairing.embedder
    for strategy in data.pairs:
        asked = _queries(data, strategy)
        found = data.vectors(name, STRATEGIES[strategy][0])
        if asked is None or found is None or len(found[0]) <= NEIGHBOURS:
            continue
        say(f"hubness of {strategy}")
        queries, images = asked, found[1]
        counts = occurrences(queries, images, NEIGHBOURS)
        share = NEIGHBOURS / len(images)
        spread = math.sqrt(len(queries) * share * (1 - share))
        rows.append(
            (
                strategy,
                len(queries),
                len(images),
                float(skew(counts)) if counts.std() else 0.0,
                (1 - 2 * share) / spread,
                int(counts.max()),
                percent(int((counts == 0).sum()), len(counts)),
                100 * (1 - share) ** len(queries),
            )
        )
    return Table(
        "hubness",
        f"Hubness: how often an artwork is among the {NEIGHBOURS} nearest of a track",
        (
            "strategy",
            "tracks",
            "artworks",
            f"skewness of N_{NEIGHBOURS}",
            "by chance",
            "most often",
            "% never",
            "% by chance",
        ),
        tuple(rows),
        (
            f"By {name}. N_{NEIGHBOURS} counts the tracks that have an artwork among their"
            f" {NEIGHBOURS} nearest (Radovanovic et al. 2010); its skewness is large where a few"
            " artworks are near to everything. By chance: if every track drew its neighbours by"
            f" lot. Above {_WHOLE:,} similarities {_QUERIES:,} tracks are asked, drawn with seed"
            " 0.",
        ),
    )


def _queries(data: Data, strategy: str) -> NDArray[np.float32] | None:
    """Return the vectors of the tracks that are asked for their neighbours."""
    found = data.vectors(data.recipe.pairing.embedder, STRATEGIES[strategy][1])
    if found is None:
        return None
    every, artworks = len(found[0]), 0 if data.artworks is None else len(data.artworks)
    if every * artworks <= _WHOLE or every <= _QUERIES:
        return found[1]
    random = np.random.default_rng(0)
    return found[1][np.sort(random.choice(every, _QUERIES, replace=False))]
