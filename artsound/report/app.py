"""`artsound report`: tables, figures and the page, out of a workspace or a release."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from artsound.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from artsound.report.data import Data
    from artsound.report.figures import Figure
    from artsound.table import Table

# Called with (what, done, total).
Progress = Callable[[str, int, int], None]

EPILOG: Final = (
    "Examples:\n\n"
    "[bold]artsound report work[/]\n\n"
    "[bold]artsound report artsound-lite --out site --pairs 1000[/]\n\n"
    "[bold]artsound report work --out numbers --no-media[/]"
)
# What is printed: the paper's tables and those beyond it that fit a terminal.
_PRINTED: Final = (
    "table_1",
    "table_1_threshold",
    "table_5",
    "table_12",
    "similarity_by_order",
    "hubness",
    "near_duplicate_captions",
    "near_duplicate_images",
    "rejected",
)
_WRITTEN: Final = {"tables": (".csv", ".md", ".tex"), "figures": (".svg", ".png")}


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        page: the page to open.
        tables: in the order of the paper and then beyond it.
        figures: likewise.
        missing: what could not be told, a sentence each.
    """

    page: Path
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    missing: tuple[str, ...]


def _unheard(what: str, done: int, total: int) -> None:
    """Stand for a `Progress` where nobody looks."""


def write_report(
    data: Data,
    out: Path,
    *,
    pairs: int = 5000,
    seed: int = 0,
    media: bool = True,
    progress: Progress = _unheard,
) -> Report:
    """Write the report: `tables/`, `figures/` and `index.html` with what it needs.

    The same data give the same bytes. Tables and figures of an earlier report in the same folder
    that are not written again are removed; nothing else in it is touched.

    Args:
        data: a workspace or a release.
        out: the report's folder; made if it is not there.
        pairs: how many pairs the page shows with media; a stratified sample of more.
        seed: of that sample.
        media: whether the page has artworks and music at all.
        progress: called with (what, done, total).

    Raises:
        UsageError: `out` is a file, or lies in the release that is reported on.
        ArtsoundError: a file of the workspace is not what its stage wrote.
    """
    from artsound.report.page import write_page

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: choose another --out")
    if data.kind == "release" and out.resolve().is_relative_to(data.path.resolve()):
        raise UsageError(f"{out} is in the release {data.path}: choose an --out outside of it")
    tables, figures = write_numbers(data, out, progress)
    page = write_page(
        data,
        out,
        pairs=pairs,
        seed=seed,
        media=media,
        tables=tables,
        figures=figures,
        progress=progress,
    )
    return Report(page, tuple(tables), tuple(figures), data.missing)


def write_numbers(
    data: Data, out: Path, progress: Progress = _unheard
) -> tuple[list[Table], list[Figure]]:
    """Write the report's tables and figures; returns them in their order.

    Args:
        data: a workspace or a release.
        out: the report's folder.
        progress: called with (what, done, total).

    Raises:
        ArtsoundError: a file of the workspace is not what its stage wrote.
    """
    from artsound.report.caption_tables import captions_of
    from artsound.report.curves import curves
    from artsound.report.figures import style
    from artsound.report.genre_figures import genre_figures
    from artsound.report.score_figures import score_figures
    from artsound.report.similarity_figures import similarity_figures
    from artsound.report.statistics import report_tables
    from artsound.table import write_tables
    from artsound.workspace import write_atomically

    with _steps(progress) as say:
        found = curves(data, say)
        tables = report_tables(data, found, say)
        say("figures")
        folder = out / "figures"
        with style():
            figures = similarity_figures(found, folder, data.recipe.pairing.embedder)
            figures += score_figures(list(captions_of(data)), folder)
            shares, numbers = genre_figures(data, folder)
            figures += shares
        say("tables")
        # The numbers behind a figure are too wide for the page; they are files of their own.
        written = [*tables, *numbers]
        write_tables(written, out / "tables")
        for table in written:
            write_atomically(out / "tables" / f"{table.name}.tex", table.latex().encode())
        _sweep(out, {"tables": written, "figures": figures})
    return tables, figures


def _sweep(out: Path, written: dict[str, list[Table] | list[Figure]]) -> None:
    """Remove what an earlier report wrote and this one did not."""
    for folder, suffixes in _WRITTEN.items():
        names = {one.name for one in written[folder]}
        for path in (out / folder).glob("*"):
            if path.suffix in suffixes and path.stem not in names:
                path.unlink()


@contextlib.contextmanager
def _steps(progress: Progress) -> Iterator[Callable[[str], None]]:
    """Give a function that says what begins, which ends what began before."""
    begun: list[str] = []

    def end() -> None:
        if begun:
            progress(begun[-1], 1, 1)

    def say(what: str) -> None:
        end()
        begun.append(what)
        progress(what, 0, 1)

    yield say
    end()


def report(
    path: Annotated[
        Path, typer.Argument(metavar="W_OR_R", help="A workspace, finished or not, or a release.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The report's folder; W/report, or ./report for a release."),
    ] = None,
    pairs: Annotated[
        int, typer.Option(help="How many pairs the page shows with media.", min=1)
    ] = 5000,
    seed: Annotated[int, typer.Option(help="Seed of the sample of pairs.", min=0)] = 0,
    media: Annotated[
        bool, typer.Option("--media/--no-media", help="Show artworks and music on the page.")
    ] = True,
    artworks: Annotated[
        Path | None, typer.Option(help="The artworks' source, if it has moved since the build.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="The tracks' source, if it has moved since the build.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the page.")] = False,
) -> None:
    """Write the paper's tables and figures of a dataset, and a page to see and hear its pairs."""
    from artsound.report.data import open_data
    from artsound.table import show_tables

    data = open_data(path, artworks=artworks, tracks=tracks)
    folder = out or (path / "report" if data.kind == "workspace" else Path("report"))
    with _bar(quiet=quiet) as bar:
        done = write_report(data, folder, pairs=pairs, seed=seed, media=media, progress=bar)
    console = Console(highlight=False)
    if not quiet:
        show_tables([table for table in done.tables if table.name in _PRINTED])
        console.print(
            f"{len(done.tables)} tables and {len(done.figures)} figures are in {folder}",
            soft_wrap=True,
            markup=False,
        )
    for line in done.missing:
        console.print(f"missing: {line}", soft_wrap=True, markup=False)
    console.print(f"open {done.page}", soft_wrap=True, markup=False)


@contextlib.contextmanager
def _bar(*, quiet: bool) -> Iterator[Progress]:
    """Give a `Progress` that is shown on standard error."""
    from rich.progress import Progress as Bars

    with Bars(transient=True, console=Console(stderr=True), disable=quiet) as bars:
        tasks: dict[str, TaskID] = {}

        def bar(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield bar
