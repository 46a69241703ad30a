"""`art2mus benchmark table`: results side by side, in the layout of the paper's table 7.

Only results that were made under the same conditions stand in one table; the paper's rows stand
apart, since what they were computed with is not known in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from art2mus.benchmark.comparable import check_comparable, conditions
from art2mus.benchmark.layout import COLUMNS, PAPER, PAPER_NOTE
from art2mus.benchmark.results import Result, Results
from art2mus.benchmark.table_notes import DAGGER, metric_notes, table7_notes
from artsound.errors import UsageError
from artsound.table import Cell, Table

_ARROWS: Final = {True: " ↑", False: " ↓", None: ""}
_BETTER: Final = {True: "higher", False: "lower", None: ""}


@dataclass(frozen=True)
class NumberTable(Table):
    """A table some of whose columns are numbers that were put into words.

    Attributes:
        words: how many columns at the left are words; the others align as numbers.
    """

    words: int = 1

    @property
    def texts(self) -> list[bool]:
        """Say of each column whether it holds words."""
        return [place < self.words for place in range(len(self.columns))]

    def latex(self) -> str:
        """Return the table as LaTeX, its arrows and daggers as commands."""
        made = super().latex().replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$")
        return made.replace(DAGGER, r"\textdagger{}")


@dataclass(frozen=True)
class Entry:
    """One of our rows.

    Attributes:
        file: where its results are.
        label: what tables call it; no two are called the same.
        results: they.
    """

    file: str
    label: str
    results: Results


def leaderboard(
    named: Mapping[str, Results],
    *,
    paper: bool = True,
    sort: str | None = None,
    any_length: bool = False,
) -> list[Table]:
    """Return table 7 with our rows and, apart, the paper's; and all metrics with intervals.

    Args:
        named: results by the name of their file.
        paper: whether the paper's rows are shown.
        sort: the metric to order ours by, best first; in the order given if None.
        any_length: take clips of other lengths side by side, too, marked.

    Raises:
        UsageError: results differ in their conditions, or have no such metric.
    """
    ours = _entries(named, sort, any_length)
    return [_table7(ours, paper=paper), _all_metrics(ours)]


def csv_tables(
    named: Mapping[str, Results],
    *,
    paper: bool = True,
    sort: str | None = None,
    any_length: bool = False,
) -> list[Table]:
    """Return the same two tables for programs: numbers in full, conditions and notes in columns.

    The first has the layout of table 7, the second a row a model and metric. The arguments and
    errors are those of `leaderboard`.
    """
    ours = _entries(named, sort, any_length)
    return [_table7_in_full(ours, paper=paper), _metrics_in_full(ours)]


def number(value: float | None) -> str:
    """Return a value to four significant digits, and never in powers of ten; a dash for None."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def with_interval(result: Result) -> str:
    """Return a value with its interval."""
    if result.interval is None:
        return number(result.value)
    low, high = result.interval
    return f"{number(result.value)} [{number(low)}, {number(high)}]"


def label(results: Results) -> str:
    """Return what a table calls a model, with what sets its row apart."""
    marks = {
        "toy prior": bool(results.model_details.get("toy_prior")),
        "partial": results.partial,
        "short clips": results.predictions.short > 0,
    }
    said = [mark for mark, holds in marks.items() if holds]
    return f"{results.model} ({', '.join(said)})" if said else results.model


def _entries(named: Mapping[str, Results], sort: str | None, any_length: bool) -> list[Entry]:
    """Return our rows in their order, each under a name of its own."""
    check_comparable(named, any_length=any_length)
    times = Counter(label(results) for results in named.values())
    taken = {name for name, often in times.items() if often == 1}
    made = []
    for file, results in named.items():
        name = label(results)
        if times[name] > 1:
            numbered = (f"{name} #{number}" for number in count(1))
            name = next(one for one in numbered if one not in taken)
            taken.add(name)
        made.append(Entry(file, name, results))
    return made if sort is None else _sorted(made, sort)


def _table7(ours: Sequence[Entry], *, paper: bool) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for entry in ours:
        about = entry.results.model_details
        tokens = about.get("tokens")
        cells = []
        for column in COLUMNS:
            found = column.find(entry.results)
            mark = "" if found is None or column.is_papers(found) else f" {DAGGER}"
            cells.append("" if found is None else f"{number(found.value)}{mark}")
        known = (_text(about.get("encoder")) or "-", _hours(about))
        rows.append(("ours", entry.label, *known, "-" if tokens is None else str(tokens), *cells))
    for row in PAPER if paper else ():
        tokens = "-" if row.tokens is None else str(row.tokens)
        values = (f"{value:g}" for value in row.values)
        rows.append(("paper", row.model, row.encoder or "-", row.hours, tokens, *values))
    return NumberTable(
        "table7",
        "Table 7: objective evaluation",
        (
            *("By", "Model", "Emb. model", "Train size (hrs)", "Tok/Img"),
            *(column.head for column in COLUMNS),
        ),
        tuple(rows),
        tuple(table7_notes([(one.file, one.label, one.results) for one in ours], paper=paper)),
        words=3,
    )


def _all_metrics(ours: Sequence[Entry]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in ours[0].results.results:
        found = [entry.results.result(one.metric) for entry in ours]
        over = next((said for each in found if each and (said := interval_of(each))), "")
        cells = ("" if each is None else with_interval(each) for each in found)
        rows.append((f"{one.metric}{_ARROWS[one.higher_is_better]}", over, *cells))
    return NumberTable(
        "metrics",
        "All metrics, with 95 % bootstrap intervals",
        ("Metric", "Interval over", *(entry.label for entry in ours)),
        tuple(rows),
        tuple(metric_notes([(one.file, one.label, one.results) for one in ours])),
        words=2,
    )


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
                _text(about.get("encoder")),
                _hours(about).replace(",", ""),
                about.get("tokens"),
                *(None if one is None else _full(one.value) for one in found),
                *("" if one is None else one.metric for one in found),
                *_conditions(entry),
                " ".join(notes),
            )
        )
    for row in PAPER if paper else ():
        hours = row.hours.replace(",", "")
        known: tuple[Cell, ...] = ("paper", row.model, row.encoder, hours, row.tokens)
        values: tuple[Cell, ...] = tuple(_full(value) for value in row.values)
        unknown: tuple[Cell, ...] = ("",) * (len(names) + len(_CONDITIONS))
        rows.append((*known, *values, *unknown, PAPER_NOTE))
    return Table(
        "table7",
        "Table 7: objective evaluation",
        (
            *("By", "Model", "Emb. model", "Train size (hrs)", "Tok/Img"),
            *names,
            *(f"{name} metric" for name in names),
            *_CONDITIONS,
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
                    *_conditions(entry),
                    _text(one.details.get("undefined")),
                )
            )
    columns = (
        *("Model", "Metric", "Version", "Better", "Value", "Low", "High", "Interval over", "Items"),
        *("Checkpoint", "Checkpoint hash", *_CONDITIONS, "Undefined"),
    )
    return Table("metrics", "All metrics", columns, tuple(rows))


_CONDITIONS: Final = ("Release", "Split", "Pairs", "Clip length", "Heard (s)", "Suite", "File")


def _conditions(entry: Entry) -> tuple[Cell, ...]:
    known = conditions(entry.results)
    named = (known[key].shown for key in ("release", "split", "pairs", "clip length"))
    heard = f"{entry.results.predictions.heard_s:.4g}"
    return (*named, heard, entry.results.suite, entry.file)


def interval_of(result: Result) -> str:
    """Return what a result's interval resamples, in words; empty where it has none."""
    return "" if result.interval is None else _text(result.details.get("interval_of"))


def _sorted(ours: Sequence[Entry], metric: str) -> list[Entry]:
    known = {one.metric: one.higher_is_better for one in ours[0].results.results}
    if metric not in known:
        raise UsageError(f"--sort {metric}: the results have {', '.join(known)}")
    if known[metric] is None:
        raise UsageError(f"--sort {metric}: neither end of it is the better one; sort by another")

    def place(entry: Entry) -> tuple[bool, float]:
        found = entry.results.result(metric)
        if found is None or found.value is None:
            return True, 0.0
        return False, -found.value if found.higher_is_better else found.value

    return sorted(ours, key=place)


def _hours(about: Mapping[str, Any]) -> str:
    hours = about.get("training_hours")
    return f"{hours:,}" if isinstance(hours, int | float) else ""


def _full(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
