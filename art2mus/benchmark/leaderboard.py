"""`art2mus benchmark table`: results side by side, in the layout of the paper's table 7.

Only results that were made under the same conditions stand in one table; the paper's rows stand
apart, since what they were computed with is not known in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from rich.table import Table as RichTable

from art2mus.benchmark.comparable import check_comparable
from art2mus.benchmark.layout import COLUMNS, PAPER
from art2mus.benchmark.results import Result, Results
from art2mus.benchmark.table_notes import DAGGER, metric_notes, table7_notes
from artsound.errors import UsageError
from artsound.table import Cell, Table

_ARROWS: Final = {True: " ↑", False: " ↓", None: ""}


@dataclass(frozen=True)
class NumberTable(Table):
    """A table some of whose columns are numbers that were put into words.

    Attributes:
        words: how many columns at the left are words; the others align as numbers.
        apart: how many rows at the end stand apart from the others: below a rule in LaTeX, and
            elsewhere below an empty row.
    """

    words: int = 1
    apart: int = 0

    @property
    def texts(self) -> list[bool]:
        """Say of each column whether it holds words."""
        return [place < self.words for place in range(len(self.columns))]

    def latex(self) -> str:
        """Return the table as LaTeX, its arrows and daggers as commands."""
        made = super().latex().replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$")
        lines = made.replace(DAGGER, r"\textdagger{}").splitlines(keepends=True)
        if self._parted:
            first = lines.index("\\midrule\n") + 1
            lines.insert(first + len(self.rows) - self.apart, "\\midrule\n")
        return "".join(lines)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        return Table.markdown(self._spaced())

    def rich(self) -> RichTable:
        """Return the table for the terminal."""
        return Table.rich(self._spaced())

    @property
    def _parted(self) -> bool:
        return 0 < self.apart < len(self.rows)

    def _spaced(self) -> NumberTable:
        """Return the table with an empty row above those that stand apart."""
        if not self._parted:
            return self
        at = len(self.rows) - self.apart
        empty = ("",) * len(self.columns)
        return replace(self, rows=(*self.rows[:at], empty, *self.rows[at:]), apart=0)


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
    ours = entries(named, sort, any_length)
    return [_table7(ours, paper=paper), _all_metrics(ours)]


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


def entries(named: Mapping[str, Results], sort: str | None, any_length: bool) -> list[Entry]:
    """Return our rows in their order, each under a name of its own.

    Arguments and errors are those of `leaderboard`.
    """
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
            cells.append("-" if found is None else f"{number(found.value)}{mark}")
        known = (text(about.get("encoder")) or "-", hours_of(about) or "-")
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
        apart=len(PAPER) if paper else 0,
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


def interval_of(result: Result) -> str:
    """Return what a result's interval resamples, in words; empty where it has none."""
    return "" if result.interval is None else text(result.details.get("interval_of"))


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


def hours_of(about: Mapping[str, Any]) -> str:
    """Return a model's hours of training; empty where it does not say them."""
    hours = about.get("training_hours")
    return f"{hours:,}" if isinstance(hours, int | float) else ""


def text(value: Any) -> str:
    """Return a value in words; empty for None."""
    return "" if value is None else str(value)
