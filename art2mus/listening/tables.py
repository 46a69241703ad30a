"""The tables of a listening test: table 9, the paper's rows apart, and what is behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from art2mus.listening.aggregate import Mean, Ratings
from art2mus.listening.collect import Collected
from art2mus.listening.documents import Key
from art2mus.listening.questions import PAPER, QUESTIONS
from artsound.atomic import write_atomically
from artsound.table import Cell, Table, write_tables

_NAMES: Final = tuple(question.name for question in QUESTIONS)
_OURS: Final = "ours"
_ANCHOR: Final = "hidden anchor"


def tables(key: Key, collected: Collected, ratings: Ratings, dropped: Sequence[str]) -> list[Table]:
    """Return all tables of a test.

    Args:
        key: the test's.
        collected: what was read.
        ratings: of the raters that count.
        dropped: the flagged raters that do not.

    Raises:
        MissingDependency: the package that computes the agreement is not installed.
    """
    return [
        _table_9(key, collected, ratings, dropped),
        _intervals(ratings),
        _differences(ratings),
        _preferences(ratings),
        _agreement(ratings),
        _raters(collected, ratings, dropped),
    ]


def write(made: Sequence[Table], out: Path) -> None:
    """Write tables as CSV, Markdown and LaTeX."""
    write_tables(made, out)
    for table in made:
        write_atomically(out / f"{table.name}.tex", table.latex().encode())


def write_rejected(collected: Collected, out: Path) -> Path:
    """Write what is not counted, and why, as `rejected.csv`; returns the file."""
    table = Table(
        "rejected",
        "Answers that are not counted",
        ("source", "rater", "reason"),
        tuple((one.source, one.rater, one.reason) for one in collected.rejected),
    )
    path = out / f"{table.name}.csv"
    write_atomically(path, table.csv().encode())
    return path


def _table_9(key: Key, collected: Collected, ratings: Ratings, dropped: Sequence[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for place, (name, means) in enumerate(zip(ratings.models, ratings.means(), strict=True)):
        whose = _ANCHOR if place == ratings.anchor else _OURS
        rows.append((name, whose, *(mean.value for mean in means)))
    rows += [(name, "paper", *values) for name, values in PAPER]
    backgrounds = Counter(
        one.background or "not said" for one in collected.answers if one.rater in ratings.raters
    )
    people = ", ".join(f"{count} {name}" for name, count in sorted(backgrounds.items()))
    count = len(ratings.raters)
    notes = [
        f"Ours: {count} rater{'s' * (count != 1)} of {key.raters} planned ({people}),"
        f" {len(key.items)} artworks of the split {key.split} of {key.release}, clips of"
        f" {key.seconds:.2f} s at {key.lufs:.1f} LUFS; each rater's mean, averaged over raters.",
        "Paper: table 9, 15 raters, other artworks and other people: not comparable with ours"
        " beyond the protocol.",
    ]
    if flagged := len(ratings.flagged()):
        notes.append(
            f"{flagged} of {count} raters {'rate' if flagged > 1 else 'rates'} the"
            " audio quality of the ground truth below the models', on average. The table `raters`"
            " names them, `--drop-flagged` leaves them out."
        )
    if dropped:
        notes.append(
            f"Left out by `--drop-flagged`: {len(dropped)}, for rating the audio quality of the"
            " ground truth below the models', on average. That favours the ground truth. The table"
            " `raters` names them."
        )
    return Table(
        "table_9",
        "Table 9: subjective evaluation, mean scores from 1 to 5, higher is better",
        ("model", "whose", *_NAMES),
        tuple(rows),
        tuple(notes),
    )


def _bounds(mean: Mean) -> tuple[Cell, Cell, Cell]:
    low, high = mean.interval or (None, None)
    return mean.value, low, high


def _intervals(ratings: Ratings) -> Table:
    rows = [
        (name, question, *_bounds(mean))
        for name, means in zip(ratings.models, ratings.means(), strict=True)
        for question, mean in zip(_NAMES, means, strict=True)
    ]
    return Table(
        "table_9_intervals",
        "Mean scores with 95 % intervals over raters",
        ("model", "question", "mean", "from", "to"),
        tuple(rows),
        (_method(ratings),),
    )


def _differences(ratings: Ratings) -> Table:
    rows = [
        (f"{one} - {other}", question, *_bounds(mean), _told(mean))
        for one, other, means in ratings.differences()
        for question, mean in zip(_NAMES, means, strict=True)
    ]
    return Table(
        "differences",
        "Differences of models, paired by rater",
        ("models", "question", "mean", "from", "to", "more than noise"),
        tuple(rows),
        (
            _method(ratings),
            "More than noise: the 95 % interval leaves out 0. Nothing is corrected for several"
            " comparisons.",
        ),
    )


def _told(mean: Mean) -> str:
    if mean.interval is None:
        return ""
    low, high = mean.interval
    return "yes" if low > 0 or high < 0 else "no"


def _preferences(ratings: Ratings) -> Table:
    rows = [
        (name, int((ratings.preferred == place).sum()), *_bounds(share))
        for place, (name, share) in enumerate(zip(ratings.models, ratings.shares(), strict=True))
    ]
    return Table(
        "preferences",
        "Preferred tracks",
        ("model", "times", "share", "from", "to"),
        tuple(rows),
        (_method(ratings),),
    )


def _method(ratings: Ratings) -> str:
    raters = len(ratings.raters)
    if raters < 2:
        return "One rater gives no interval."
    return (
        f"Intervals: Student's t over {raters} raters, within the scale; the artworks are taken as"
        " they are. None where all raters have the same mean, which leaves no spread to go by."
    )


def _agreement(ratings: Ratings) -> Table:
    models = ratings.agreement(with_anchor=False)
    rows: list[tuple[Cell, ...]]
    if ratings.anchor is None:
        columns: tuple[str, ...] = ("question", "alpha")
        rows = [(name, one) for name, one in zip(_NAMES, models, strict=True)]
        rows.append(("preferred track", ratings.preference_agreement()))
    else:
        columns = ("question", "alpha, models", "alpha, with the anchor")
        both = zip(_NAMES, models, ratings.agreement(with_anchor=True), strict=True)
        rows = list(both)
        rows.append(("preferred track", None, ratings.preference_agreement()))
    return Table(
        "agreement",
        "Agreement of the raters: Krippendorff's alpha",
        columns,
        tuple(rows),
        (
            "Ordinal for the questions, a track being a unit; nominal for the preferred track, an"
            " artwork being a unit. 1 is agreement, 0 chance; empty where it is not defined (one"
            " rater, or the same answer everywhere).",
        ),
    )


def _raters(collected: Collected, ratings: Ratings, dropped: Sequence[str]) -> Table:
    flagged = set(ratings.flagged())
    backgrounds = {one.rater: one.background for one in collected.answers}
    rows: list[tuple[Cell, ...]] = []
    for rater, means in zip(ratings.raters, ratings.person_means, strict=True):
        check = "" if ratings.anchor is None else "low" if rater in flagged else "ok"
        for name, values in zip(ratings.models, means, strict=True):
            numbers = (float(value) for value in values)
            rows.append((rater, backgrounds[rater], check, name, *numbers))
    rows += [(rater, backgrounds[rater], "low, left out", "", *[None] * 4) for rater in dropped]
    return Table(
        "raters",
        "Each rater's means over the artworks",
        ("rater", "background", "anchor", "model", *_NAMES),
        tuple(rows),
    )
