"""Table 1 and what belongs to it: caption lengths and scores, the threshold, the attempts used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from artsound import paper
from artsound.recipe import Refinement
from artsound.release.statistics import figures
from artsound.report.columns import counted, numbers, percent, usable
from artsound.report.data import Data
from artsound.table import Cell, Table

LABELS: Final[Mapping[str, str]] = {
    "length": "length (characters)",
    "clip_score": "CLIP-Score",
    "pac_score": "PAC-Score",
    "ic_score": "ICScore",
    "bert_score": "BERT-Score",
    "rouge1": "ROUGE-1",
    "ac_score": "ACScore",
}


@dataclass(frozen=True)
class Captions:
    """The captions of one modality.

    Attributes:
        what: whose they are, for people.
        table: every row of them.
        attempts: every attempt; None where that table is missing.
        recipe: what they were held against.
        score: the composite score's column.
        paper: the paper's half of table 1.
    """

    what: str
    table: pa.Table
    attempts: pa.Table | None
    recipe: Refinement
    score: str
    paper: paper.Captions


def captions_of(data: Data) -> Iterator[Captions]:
    """Yield the captions of each modality that was captioned."""
    recipe = data.recipe
    for what, table, attempts, settings, score, known in (
        (
            "artworks",
            data.image_captions,
            data.image_caption_attempts,
            recipe.image_captions,
            "ic_score",
            paper.IMAGE_CAPTIONS,
        ),
        (
            "music",
            data.audio_captions,
            data.audio_caption_attempts,
            recipe.audio_captions,
            "ac_score",
            paper.AUDIO_CAPTIONS,
        ),
    ):
        if table is not None and len(table):
            yield Captions(what, table, attempts, settings, score, known)


def caption_tables(data: Data) -> list[Table]:
    """Return table 1 and its companions, as far as there are captions."""
    found = list(captions_of(data))
    if not found:
        return []
    tables = [_table_1(data, found), _thresholds(data, found), _attempts(found)]
    issues = _issues(found)
    return [*tables, issues] if issues.rows else tables


def _table_1(data: Data, found: list[Captions]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        kept = usable(one.table)
        for name, known in one.paper.figures.items():
            if name == "length":
                lengths = pa.table({name: pc.utf8_length(kept["caption"])})
                ours = figures(numbers(lengths, name))
            else:
                ours = figures(numbers(kept, name))
            label = f"{one.what}: {LABELS[name]}"
            if ours is None:
                rows.append((label, "ours: no model", *[None] * 5))
            else:
                rows.append((label, "ours", ours.n, ours.minimum, ours.mean, ours.maximum, ours.sd))
            rows.append((label, "paper", known.n, known.minimum, known.mean, known.maximum, None))
    return Table(
        "table_1",
        "Table 1: lengths and scores of the captions",
        ("captions", "whose", "n", "min", "mean", "max", "sd"),
        tuple(rows),
        (
            f"Ours are of recipe {data.name}; scores by another scorer than the paper's have"
            " another scale. sd is that of the captions as a population; the paper gives none.",
        ),
    )


def _thresholds(data: Data, found: list[Captions]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        kept = usable(one.table)
        above = pc.sum(kept["accepted"]).as_py() or 0
        total, failed = len(kept), len(one.table) - len(kept)
        first = pc.and_(kept["accepted"], pc.equal(kept["attempts"], 1))
        rows.append(
            (
                one.what,
                "ours",
                one.recipe.threshold,
                above,
                total - above,
                percent(above, total),
                percent(pc.sum(first).as_py() or 0, total),
                failed,
            )
        )
        known = one.paper
        share = percent(known.above, known.above + known.below)
        rows.append(
            (one.what, "paper", known.threshold, known.above, known.below, share, None, None)
        )
    return Table(
        "table_1_threshold",
        "Table 1: captions above and below the threshold",
        (
            "captions",
            "whose",
            "threshold",
            "above",
            "below",
            "% above",
            "% above at once",
            "failed",
        ),
        tuple(rows),
        (
            f"Ours are of recipe {data.name}. Above: the score is not below the threshold. Those"
            " below were asked for again as often as the recipe says and kept although they fell"
            " short. Failed: no model gave or scored a caption.",
        ),
    )


def _attempts(found: list[Captions]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        kept = usable(one.table)
        for used in range(1, one.recipe.max_regenerations + 2):
            some = kept.filter(pc.equal(kept["attempts"], used))
            accepted = pc.sum(some["accepted"]).as_py() or 0
            mean = figures(numbers(some, one.score))
            rows.append(
                (
                    one.what,
                    used,
                    len(some),
                    percent(len(some), len(kept)),
                    accepted,
                    len(some) - accepted,
                    None if mean is None else mean.mean,
                )
            )
    return Table(
        "attempts_used",
        "Attempts used until a caption was kept",
        ("captions", "attempts", "kept", "% of all", "above", "below", "mean score"),
        tuple(rows),
        ("The score is ICScore for artworks and ACScore for music, of the caption that was kept.",),
    )


def _issues(found: list[Captions]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        if one.attempts is None:
            continue
        total = len(one.attempts)
        for issue, count in counted(pc.list_flatten(one.attempts["issues"]), "not stated"):
            rows.append((one.what, issue, count, percent(count, total)))
    return Table(
        "caption_issues",
        "What was found wrong with caption attempts",
        ("captions", "issue", "attempts", "% of attempts"),
        tuple(rows),
        ("An attempt can have several issues.",),
    )
