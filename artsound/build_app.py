"""`artsound build`: its options, and what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from artsound.errors import UsageError
from artsound.executors import Executor

EPILOG: Final = (
    "Examples:\n\n"
    "[bold]artsound build --artworks sources/artgraph.zip --tracks sources/fma --out work[/]\n\n"
    "[bold]artsound build --artworks A --tracks T --out W --set image_captions.keep=last[/]\n\n"
    "[bold]artsound build --artworks A --tracks T --out W --until tracks[/]\n\n"
    "[bold]artsound build --artworks A --tracks T --out W --set pairing.method=optimal"
    " --max-per-artwork 2[/]\n\n"
    "[bold]artsound build --artworks A --tracks T --out W --executor slurm"
    " --set executor.slurm.partition=gpu[/]"
)
_out = Console(highlight=False)


def build(
    artworks: Annotated[
        Path, typer.Option(help="ArtGraph: a zip, a tar, or a folder with it packed or unpacked.")
    ],
    tracks: Annotated[
        Path, typer.Option(help="Free Music Archive: a folder with its archives, or unpacked.")
    ],
    out: Annotated[Path, typer.Option(help="The workspace; run again with the same to continue.")],
    recipe: Annotated[str, typer.Option(help="lite, paper, modern, or a TOML file.")] = "lite",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting.")
    ] = None,
    max_per_artwork: Annotated[
        int | None, typer.Option(help="How many tracks may share an artwork.", min=1)
    ] = None,
    min_similarity: Annotated[
        float | None, typer.Option(help="Make no pair less similar than this.", min=-1, max=1)
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="Worker processes, or shards made at a time; 0: one a core, or no limit.",
            min=0,
            show_default=False,
        ),
    ] = 0,
    executor: Annotated[
        Executor, typer.Option(help="Where shards are made; the recipe has its settings.")
    ] = "local",
    wait: Annotated[
        bool, typer.Option("--wait", help="With slurm: stay until the jobs have ended.")
    ] = False,
    until: Annotated[str | None, typer.Option(help="Stop after this stage.")] = None,
    redo_from: Annotated[
        str | None, typer.Option(help="Make this stage and all after it again.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Build the tables of a workspace, or continue a build that was stopped."""
    from artsound.builder import build as run
    from artsound.executors.follow import follow
    from artsound.executors.jobs import remembered
    from artsound.progress import Progress
    from artsound.recipe import Recipe

    if wait and executor != "slurm":
        raise UsageError(f"--wait is for --executor slurm; {executor} ends with the build")
    shortcuts = {
        "pairing.max_per_artwork": max_per_artwork,
        "pairing.min_similarity": min_similarity,
    }
    given = [f"{key}={value}" for key, value in shortcuts.items() if value is not None]
    read = Recipe.read(recipe, [*(settings or ()), *given])
    progress = Progress(quiet=quiet)
    workspace = run(
        read,
        artworks=artworks,
        tracks=tracks,
        out=out,
        workers=workers or (len(os.sched_getaffinity(0)) if executor == "local" else None),
        executor=executor,
        until=until,
        redo_from=redo_from,
        progress=progress,
    )
    if executor == "slurm" and remembered(workspace):
        if not wait:
            _out.print(f"submitted {out}; next: artsound status {out}", soft_wrap=True)
            return
        follow(workspace, progress.say)
    after = f"built {out} until {until}" if until else f"built {out}"
    then = "the same without --until" if until else f"artsound release {out} --out DIR"
    _out.print(f"{after}; next: {then}", soft_wrap=True)
