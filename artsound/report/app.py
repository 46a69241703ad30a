"""`artsound report`: tables, figures and the page, out of a workspace or a release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from artsound.report.progress import Progress, shown_progress, steps, unheard

if TYPE_CHECKING:
    from artsound.report.data import Data
    from artsound.report.figures import Figure
    from artsound.report.own import OwnFiles
    from artsound.table import Table

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


def write_report(
    data: Data,
    out: Path,
    *,
    pairs: int = 5000,
    seed: int = 0,
    media: bool = True,
    progress: Progress = unheard,
) -> Report:
    """Write the report: `tables/`, `figures/` and `index.html` with what it needs.

    The same data give the same bytes. What an earlier report wrote into the same folder and this
    one does not write again is removed; nothing else in it is touched (`own`).

    Args:
        data: a workspace or a release.
        out: the report's folder; made if it is not there.
        pairs: how many pairs the page shows with media; a stratified sample of more.
        seed: of that sample.
        media: whether the page has artworks and music at all.
        progress: called with (what, done, total).

    Raises:
        UsageError: `out` is a file, belongs to a workspace or a release, or has files in it that
            no report wrote.
        ArtsoundError: a file of the workspace is not what its stage wrote, or `out` cannot be
            written to.
    """
    from artsound.report.own import own_files
    from artsound.report.page import write_page

    with own_files(out) as own:
        tables, figures = _write_numbers(data, own, progress)
        page = write_page(
            data,
            own,
            pairs=pairs,
            seed=seed,
            media=media,
            tables=tables,
            figures=figures,
            progress=progress,
        )
    return Report(page, tuple(tables), tuple(figures), data.missing)


def write_numbers(
    data: Data, out: Path, progress: Progress = unheard
) -> tuple[list[Table], list[Figure]]:
    """Write the report's tables and figures and no page; returns them in their order.

    Args:
        data: a workspace or a release.
        out: the report's folder; an earlier report's page in it is removed.
        progress: called with (what, done, total).

    Raises:
        UsageError: as `write_report`.
        ArtsoundError: as `write_report`.
    """
    from artsound.report.own import own_files

    with own_files(out) as own:
        return _write_numbers(data, own, progress)


def _write_numbers(
    data: Data, own: OwnFiles, progress: Progress
) -> tuple[list[Table], list[Figure]]:
    from artsound.atomic import write_atomically
    from artsound.report.caption_tables import captions_of
    from artsound.report.curves import curves
    from artsound.report.figures import paths, style
    from artsound.report.genre_figures import genre_figures
    from artsound.report.score_figures import score_figures
    from artsound.report.similarity_figures import similarity_figures
    from artsound.report.statistics import report_tables
    from artsound.table import write_tables

    with steps(progress) as say:
        found = curves(data, say)
        tables = report_tables(data, found, say)
        say("figures")
        folder = own.root / "figures"
        with style():
            figures = similarity_figures(found, folder, data.recipe.pairing.embedder)
            figures += score_figures(list(captions_of(data)), folder)
            shares, numbers = genre_figures(data, folder)
            figures += shares
        for figure in figures:
            own.add(*paths(figure, folder))
        say("tables")
        # The numbers behind a figure are too wide for the page; they are files of their own.
        written = [*tables, *numbers]
        own.add(*write_tables(written, own.root / "tables"))
        for table in written:
            path = own.root / "tables" / f"{table.name}.tex"
            write_atomically(path, table.latex().encode())
            own.add(path)
    return tables, figures


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
    with shown_progress(quiet=quiet) as bar:
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
