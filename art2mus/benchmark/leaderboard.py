"""`art2mus benchmark table`: results side by side, in the layout of the paper's table 7.

Only results that were made under the same conditions stand in one table; the paper's rows stand
apart, since what they were computed with is not known in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from art2mus.benchmark.results import Result, Results
from artsound.errors import UsageError
from artsound.table import Cell, Table

# The four metrics of table 7: the column, and what the names of ours for it begin with.
COLUMNS: Final = (
    ("FAD", "fad-"),
    ("KL-Div", "spectrum-kl"),
    ("IBSc Artw-GeMus", "score-artwork-"),
    ("IBSc GtMus-GeMus", "score-music-"),
)
_NOT: Final = ("fad-infinity-",)
_LOWER: Final = ("FAD", "KL-Div")


@dataclass(frozen=True)
class PaperRow:
    """A row of the paper's table 7.

    Attributes:
        model: its name.
        encoder: the image embedding model; empty where there is none.
        hours: of training music; None where the table has none.
        tokens: an image becomes; None where there are none.
        values: of `COLUMNS`.
    """

    model: str
    encoder: str
    hours: str | None
    tokens: int | None
    values: tuple[float, float, float, float]


PAPER: Final = (
    PaperRow("Art2Mus", "ImageBind", "2.6", 16, (13, 0.00296, 0.04671, 0.20368)),
    PaperRow("Art2Mus", "CLIP", "2.6", 6, (15, 0.00374, 0.04173, 0.16716)),
    PaperRow("AudioLDM 2", "", "1,150,000", None, (14, 0.00425, 0.09822, 0.17412)),
    PaperRow("AudioLDM 2-Music", "", "665,000", None, (15, 0.08449, 0.18683, 0.18683)),
    PaperRow("Mozart's Touch", "", "20,000", None, (19, 0.00238, 0.08348, 0.21629)),
)


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
        """Return the table as LaTeX, its arrows as commands."""
        return super().latex().replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$")


def conditions(results: Results) -> dict[str, str]:
    """Return, by name, all that must be equal for results to be compared, in words."""
    found = results.conditions()
    del found["partial"], found["dataset"]
    dataset = results.dataset
    revision = f"@{dataset.revision[:12]}" if dataset.revision else ""
    fingerprint = f"(content {dataset.fingerprint[:12]})"
    made = {
        "release": f"{dataset.name}{revision} {fingerprint}",
        "suite": results.suite,
        "seed of the metrics": str(results.seed),
        **found,
    }
    if results.partial:
        silent = ", with problems" if "problems" in results.model_details else ""
        made["pairs"] = f"{results.predictions.count} of {dataset.pairs}{silent}"
    for one in results.results:
        made[one.metric] = f"version {one.version}, {one.embedder} {one.checkpoint_hash[:12]}"
    return made


def check_comparable(named: Mapping[str, Results]) -> None:
    """Refuse results that were made under different conditions.

    The same release under another name, or on the Hub, is the same. Partial results may stand
    beside others of exactly the same pairs.

    Args:
        named: results by the name of their file.

    Raises:
        UsageError: conditions differ; names all of them, with both values.
    """
    (first, one), *others = named.items()
    for name, other in others:
        mine, theirs = _keys(one), _keys(other)
        shown, too = conditions(one), conditions(other)
        differing = [
            f"{key} ({shown.get(key, 'none')}, {too.get(key, 'none')})"
            for key in dict.fromkeys([*mine, *theirs])
            if mine.get(key) != theirs.get(key)
        ]
        if differing:
            raise UsageError(
                f"{first} and {name} cannot be compared: they differ in {'; '.join(differing)}:"
                " score them alike, or make a table of each"
            )


def leaderboard(
    named: Mapping[str, Results], *, paper: bool = True, sort: str | None = None
) -> list[Table]:
    """Return table 7 with our rows and, apart, the paper's; and all metrics with intervals.

    Args:
        named: results by the name of their file.
        paper: whether the paper's rows are shown.
        sort: the metric to order ours by, best first; in the order given if None.

    Raises:
        UsageError: results differ in their conditions, or have no such metric.
    """
    check_comparable(named)
    ours = list(named.values())
    if sort is not None:
        ours = _sorted(ours, sort)
    notes = _notes(ours, paper=paper)
    return [_table7(ours, notes, paper=paper), _all_metrics(ours)]


def flat(named: Mapping[str, Results], *, paper: bool = True, sort: str | None = None) -> Table:
    """Return everything as one table of full precision, for CSV: a row a model and metric."""
    check_comparable(named)
    ours = _sorted(list(named.values()), sort) if sort else list(named.values())
    rows: list[tuple[Cell, ...]] = []
    for results in ours:
        for one in results.results:
            low, high = one.interval or (None, None)
            direction = "higher" if one.higher_is_better else "lower"
            about = results.model_details
            rows.append(
                (
                    "ours",
                    _label(results),
                    _text(about.get("encoder")),
                    about.get("tokens"),
                    one.metric,
                    one.version,
                    direction,
                    one.value,
                    low,
                    high,
                    one.n,
                )
            )
    for row in PAPER if paper else ():
        for (column, _), value in zip(COLUMNS, row.values, strict=True):
            direction = "lower" if column in _LOWER else "higher"
            known: tuple[Cell, ...] = ("paper", row.model, row.encoder, row.tokens, column, "")
            rows.append((*known, direction, value, None, None, None))
    columns = "by,model,encoder,tokens,metric,version,better,value,low,high,n"
    return Table("table7", "All results", tuple(columns.split(",")), tuple(rows))


def _table7(ours: Sequence[Results], notes: Sequence[str], *, paper: bool) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for results in ours:
        about = results.model_details
        tokens, hours = about.get("tokens"), about.get("training_hours")
        found = [_find(results, prefix) for _, prefix in COLUMNS]
        rows.append(
            (
                "ours",
                _label(results),
                _text(about.get("encoder")) or "-",
                f"{hours:,}" if isinstance(hours, (int, float)) else "",
                "-" if tokens is None else str(tokens),
                *("" if one is None else number(one.value) for one in found),
            )
        )
    for row in PAPER if paper else ():
        hours = row.hours or ""
        tokens = "-" if row.tokens is None else str(row.tokens)
        rows.append(
            (
                "paper",
                row.model,
                row.encoder or "-",
                hours,
                tokens,
                *(f"{value:g}" for value in row.values),
            )
        )
    arrows = [f"{name} {'↓' if name in _LOWER else '↑'}" for name, _ in COLUMNS]
    return NumberTable(
        "table7",
        "Table 7: objective evaluation",
        ("By", "Model", "Emb. model", "Train size (hrs)", "Tok/Img", *arrows),
        tuple(rows),
        tuple(notes),
        words=3,
    )


def _all_metrics(ours: Sequence[Results]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    reasons: dict[str, list[str]] = {}
    for one in ours[0].results:
        arrow = "↑" if one.higher_is_better else "↓"
        cells = []
        for results in ours:
            found = results.result(one.metric)
            cells.append("" if found is None else with_interval(found))
            if found is not None and found.value is None:
                why = f"{one.metric}: {found.details['undefined']}"
                reasons.setdefault(why, []).append(_label(results))
        rows.append((f"{one.metric} {arrow}", *cells))
    undefined = [f"Undefined for {', '.join(who)}: {why}." for why, who in reasons.items()]
    return NumberTable(
        "metrics",
        "All metrics, with 95 % bootstrap intervals over pairs",
        ("Metric", *(_label(results) for results in ours)),
        tuple(rows),
        tuple(undefined),
    )


def _notes(ours: Sequence[Results], *, paper: bool) -> list[str]:
    one = ours[0]
    clip = "whole clips" if one.clip_s is None else f"the first {one.clip_s:g} s of each clip"
    known = conditions(one)
    pairs = f"{one.predictions.count} pairs of split {one.dataset.split}"
    used = [
        f"{column}: {found.metric}"
        for column, prefix in COLUMNS
        if (found := _find(one, prefix)) is not None
    ]
    notes = [
        f"Ours: {known['release']}, {pairs}, {clip}, suite {one.suite}; {', '.join(used)}.",
    ]
    others = {
        found.embedder
        for column, prefix in COLUMNS
        if column.startswith("IBSc") and (found := _find(one, prefix)) is not None
    } - {"imagebind"}
    if others:
        notes.append(
            f"Our columns IBSc are cosines of {', '.join(sorted(others))}, not of ImageBind:"
            " compare them with one another only."
        )
    if any(results.partial for results in ours):
        notes.append(
            f"Partial: {one.predictions.count} of {one.dataset.pairs} pairs, or with problems; not"
            " comparable with whole results."
        )
    if any(results.model_details.get("toy_prior") for results in ours):
        notes.append("Models with a toy prior in place of AudioLDM 2 are marked so.")
    if paper:
        notes.append(
            "Paper: as printed in its table 7, on its own test split; which embedding, sample rate"
            " and features its FAD and KL rest on is not stated. Not comparable with ours unless"
            " the release, the split and the checkpoints are the paper's."
        )
    return notes


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


def _find(results: Results, prefix: str) -> Result | None:
    return next(
        (
            one
            for one in results.results
            if one.metric.startswith(prefix) and not one.metric.startswith(_NOT)
        ),
        None,
    )


def _keys(results: Results) -> dict[str, Any]:
    """Return what is compared: the conditions, names left out and pairs told exactly."""
    exact = results.conditions() | {"release": results.dataset.fingerprint}
    del exact["dataset"]
    partial = exact.pop("partial")
    exact["pairs"] += f" {partial} {results.predictions.missing}"
    if results.partial and "problems" in results.model_details:
        # What is wrong with a folder is wrong with that folder alone.
        exact["pairs"] += f" {results.model_details['problems']}"
    return {
        "release": exact.pop("release"),
        "suite": results.suite,
        "seed of the metrics": str(results.seed),
        **exact,
    }


def _label(results: Results) -> str:
    name = results.model
    if results.model_details.get("toy_prior"):
        name += " (toy prior)"
    return f"{name} (partial)" if results.partial else name


def _sorted(ours: Sequence[Results], metric: str) -> list[Results]:
    known = [one.metric for one in ours[0].results]
    if metric not in known:
        raise UsageError(f"--sort {metric}: the results have {', '.join(known)}")

    def place(results: Results) -> tuple[bool, float]:
        found = results.result(metric)
        if found is None or found.value is None:
            return True, 0.0
        return False, -found.value if found.higher_is_better else found.value

    return sorted(ours, key=place)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
