"""Scoring on the command line: its progress, what is wrong, the table, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from art2mus.benchmark.leaderboard import leaderboard
from art2mus.benchmark.predictions import PredictionsError
from art2mus.benchmark.score import FILE, ScoreSettings, score
from art2mus.benchmark.terminal import OUT, warn
from art2mus.training.progress import TrainingProgress
from artsound.table import show_tables

if TYPE_CHECKING:
    from art2mus.data import Release


def score_and_show(
    folder: Path,
    release: Release,
    how: ScoreSettings,
    *,
    out: Path | None,
    cache: Path,
    name: str | None,
    only: Sequence[str] | None,
    quiet: bool,
) -> None:
    """Score a folder of predictions and print its table, or what is wrong with it.

    Args:
        folder: `{pair_id}.wav` or `.flac`.
        release: what they were generated for.
        how: the settings.
        out: the results; results.json in the folder if None.
        cache: where this package keeps what it may make again.
        name: of the model; by default that of the records, or the folder's.
        only: the pairs that were to be generated; all of the split if None.
        quiet: show no progress.

    Raises:
        ArtsoundError: see `score`.
    """
    try:
        with TrainingProgress(quiet=quiet) as shown:
            results, problems = score(
                folder,
                release,
                how,
                out=out,
                cache=cache / "benchmark",
                name=name,
                only=only,
                progress=lambda done, total: shown("hearing", done, total),
            )
    except PredictionsError as error:
        warn(error.problems)
        raise
    warn(problems)
    written = out or folder / FILE
    show_tables(leaderboard({str(written): results}, paper=False)[1:])
    whole = "partial results, which compare with nothing else" if results.partial else "results"
    table = shlex.join(["art2mus", "benchmark", "table", str(written)])
    OUT.print(f"wrote {whole} to {written}; next: {table}", soft_wrap=True, markup=False)


def score_command(folder: Path, release: str, how: ScoreSettings, **options: object) -> str:
    """Return the command that scores a folder in this way.

    Args:
        folder: the predictions.
        release: as it was given.
        how: the settings.
        options: further ones by name; None is left out.
    """
    usual = ScoreSettings()
    made = ["--split", how.split]
    if not isinstance(how.suite, str):
        made += [part for name in how.suite for part in ("--metric", name)]
    elif how.suite != usual.suite:
        made += ["--suite", how.suite]
    for name, path in (how.checkpoints or {}).items():
        made += ["--weights", f"{name}={path}"]
    if how.clip_s != usual.clip_s:
        made += ["--clip", f"{how.clip_s or 0:g}"]
    if how.partial:
        made.append("--partial")
    for name, value in options.items():
        if value is not None:
            made += [f"--{name}", str(value)]
    return shlex.join(["art2mus", "benchmark", "score", str(folder), release, *made])
