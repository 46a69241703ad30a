"""`artsound compare`: options in, one call each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Print the paper's comparisons for a workspace, the paper's rows beside ours.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _compare() -> None:
    """Print the paper's comparisons for a workspace, the paper's rows beside ours."""


@app.command(
    epilog="Examples:\n\n[bold]artsound compare pairings work[/]\n\n"
    "[bold]artsound compare pairings work --text-to-image stable-diffusion-3.5-medium[/]"
)
def pairings(
    workspace: Annotated[Path, typer.Argument(metavar="W", help="A built workspace.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write CSV and Markdown; W/compare if not given.")
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Artworks and tracks in the sample of table 12.", min=1)
    ] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the sample and of the images.", min=0)] = 0,
    text_to_image: Annotated[
        str | None,
        typer.Option(help="A model's name, or a folder with a diffusers pipeline."),
    ] = None,
    artworks: Annotated[
        Path | None, typer.Option(help="The artworks' source, if it has moved since the build.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="The tracks' source, if it has moved since the build.")
    ] = None,
) -> None:
    """Print tables 5 and 12: how similar the pairs of each strategy are."""
    from rich.console import Console
    from rich.progress import Progress

    from artsound.compare.pairings import (
        beyond_table,
        overlap_table,
        pair_strategies,
        strategies_table,
    )
    from artsound.compare.pictures import draw_sample, pictures_table
    from artsound.compare.table import write_tables
    from artsound.models.registry import text_to_image as model
    from artsound.reopen import reopen
    from artsound.workspace import Workspace

    build = reopen(Workspace(workspace), artworks=artworks, tracks=tracks)
    folder = out or workspace / "compare"
    drawn = draw_sample(build, sample, seed)
    draws = model(text_to_image) if text_to_image else None
    with Progress(transient=True, console=Console(stderr=True)) as bar:
        tasks = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        found = pair_strategies(build, progress)
        pictures = pictures_table(build, drawn, draws, folder / "generated", progress)
    tables = [
        strategies_table(build, found),
        beyond_table(build, found),
        overlap_table(found),
        pictures,
    ]
    console = Console(highlight=False)
    for table in tables:
        console.print(table.rich())
        for note in table.notes:
            console.print(note, markup=False)
        console.print()
    write_tables(tables, folder)
    console.print(f"written as CSV and Markdown to {folder}", soft_wrap=True, markup=False)
