"""The benchmark's tables for programs: numbers in full, conditions and remarks in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from art2mus.benchmark.comparable import conditions
from art2mus.benchmark.compare import Comparison
from art2mus.benchmark.layout import COLUMNS, PAPER, PAPER_NOTE
from art2mus.benchmark.leaderboard import Entry, entries, hours_of, interval_of, text
from art2mus.benchmark.results import Results
from art2mus.benchmark.table_notes import table7_notes
from artsound.table import Cell, Table

_BETTER: Final = {True: "higher", False: "lower", None: ""}
_CONDITIONS: Final = ("Release", "Split", "Pairs", "Clip length", "Heard (s)", "Suite")


def csv_tables(
    named: Mapping[str, Results],
    *,
    paper: bool = True,
    sort: str | None = None,
    any_length: bool = False,
) -> list[Table]:
    """Return the two tables of `leaderboard` for programs.

    The first has the layout of table 7, the second a row a model and metric. The arguments and
    errors are those of `leaderboard`.
    """
    ours = entries(named, sort, any_length)
    return [_table7_in_full(ours, paper=paper), _metrics_in_full(ours)]


def comparison_in_full(
    found: Comparison, first: Results, second: Results, files: tuple[str, str]
) -> Table:
    """Return a comparison for programs, a row a metric.

    Args:
        found: what `compare` found of the two.
        first: the results of one.
        second: of the other.
        files: theirs.
    """
    shared = (*_conditions(first), _heard(second), *files)
    rows: list[tuple[Cell, ...]] = []
    for one in found.differences:
        numbers = (one.first, one.second, one.difference, *one.interval, one.p, one.p_holm)
        rows.append(
            (
                one.metric,
                found.first,
                found.second,
                *(_full(value) for value in numbers),
                "yes" if one.more_than_noise else "no",
                one.better,
                one.n,
                *shared,
            )
        )
    columns = (
        *("Metric", "First", "Second", "First value", "Second value", "Difference", "Low", "High"),
        *("p", "p (Holm)", "More than noise", "Better", "Items", *_CONDITIONS),
        *("Second heard (s)", "First file", "Second file"),
    )
    return Table("compare", f"{found.first} against {found.second}", columns, tuple(rows))


def _table7_in_full(ours: Sequence[Entry], *, paper: bool) -> Table:
    names = [column.name for column in COLUMNS]
    rows: list[tuple[Cell, ...]] = []
    for entry in ours:
        about = entry.results.model_details
        found = [column.find(entry.results) for column in COLUMNS]
        notes = table7_notes([(entry.file, entry.label, entry.results)], paper=False)[1:]
        rows.append(
            (
                "ours",
                entry.label,
                text(about.get("encoder")),
                hours_of(about).replace(",", ""),
                about.get("tokens"),
                *(None if one is None else _full(one.value) for one in found),
                *("" if one is None else one.metric for one in found),
                *_conditions(entry.results),
                entry.file,
                " ".join(notes),
            )
        )
    for row in PAPER if paper else ():
        hours = row.hours.replace(",", "")
        known: tuple[Cell, ...] = ("paper", row.model, row.encoder, hours, row.tokens)
        values: tuple[Cell, ...] = tuple(_full(value) for value in row.values)
        unknown: tuple[Cell, ...] = ("",) * (len(names) + len(_CONDITIONS) + 1)
        rows.append((*known, *values, *unknown, PAPER_NOTE))
    return Table(
        "table7",
        "Table 7: objective evaluation",
        (
            *("By", "Model", "Emb. model", "Train size (hrs)", "Tok/Img"),
            *names,
            *(f"{name} metric" for name in names),
            *_CONDITIONS,
            "File",
            "Notes",
        ),
        tuple(rows),
    )


def _metrics_in_full(ours: Sequence[Entry]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for entry in ours:
        for one in entry.results.results:
            low, high = one.interval or (None, None)
            direction = _BETTER[one.higher_is_better]
            rows.append(
                (
                    entry.label,
                    one.metric,
                    one.version,
                    direction,
                    *(_full(value) for value in (one.value, low, high)),
                    interval_of(one),
                    one.n,
                    one.checkpoint,
                    one.checkpoint_hash,
                    *_conditions(entry.results),
                    entry.file,
                    text(one.details.get("undefined")),
                    text(one.details.get("note")),
                )
            )
    columns = (
        *("Model", "Metric", "Version", "Better", "Value", "Low", "High", "Interval over", "Items"),
        *("Checkpoint", "Checkpoint hash", *_CONDITIONS, "File", "Undefined", "Note"),
    )
    return Table("metrics", "All metrics", columns, tuple(rows))


def _conditions(results: Results) -> tuple[Cell, ...]:
    known = conditions(results)
    named = (known[key].shown for key in ("release", "split", "pairs", "clip length"))
    return (*named, _heard(results), results.suite)


def _heard(results: Results) -> str:
    return f"{results.predictions.heard_s:.4g}"


def _full(value: float | None) -> str:
    return "" if value is None else repr(float(value))
