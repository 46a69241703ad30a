"""`artsound compare`: options in, one call each."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import TaskID

    from artsound.compare.captions import Captioned
    from artsound.stage import Build
    from artsound.table import Table

    Bar = Callable[[str, int, int], None]

app = typer.Typer(
    help="Print the paper's comparisons for a workspace, the paper's rows beside ours.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _compare() -> None:
    """Print the paper's comparisons for a workspace, the paper's rows beside ours."""


Workspace_ = Annotated[Path, typer.Argument(metavar="W", help="A built workspace.")]
Out = Annotated[
    Path | None, typer.Option(help="Where to write CSV and Markdown; W/compare if not given.")
]
Sample = Annotated[int, typer.Option(help="How many items are captioned.", min=1)]
Seed = Annotated[int, typer.Option(help="Seed of the sample.", min=0)]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model to compare, repeatable; the recipe's own if not given."),
]
Artworks = Annotated[
    Path | None, typer.Option(help="The artworks' source, if it has moved since the build.")
]
Tracks = Annotated[
    Path | None, typer.Option(help="The tracks' source, if it has moved since the build.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of a model, as in a build."),
]


@app.command(
    epilog="Examples:\n\n[bold]artsound compare captioners work[/]\n\n"
    "[bold]artsound compare captioners work --model qwen2.5-vl-7b --model blip --set"
    " models.qwen2.5-vl-7b.endpoint=http://localhost:8000/v1[/]"
)
def captioners(
    workspace: Workspace_,
    model: Models = None,
    segments: Annotated[
        bool, typer.Option("--segments", help="Compare captioners of music, not of artworks.")
    ] = False,
    out: Out = None,
    sample: Sample = 100,
    seed: Seed = 0,
    settings: Settings = None,
    artworks: Artworks = None,
    tracks: Tracks = None,
) -> None:
    """Print captioners side by side on a sample of artworks, or of music (tables 10, 11)."""
    from artsound.compare.captions import (
        caption_sample_artworks,
        caption_sample_segments,
        captioners_tables,
        chosen,
        examples_table,
    )
    from artsound.compare.pictures import draw_sample
    from artsound.models.catalogue import CATALOGUE

    build = _opened(workspace, settings, artworks, tracks)
    drawn = draw_sample(build, sample, seed)
    role = "segment_captioner" if segments else "artwork_captioner"
    own = (
        build.recipe.segment_captions.captioner
        if segments
        else build.recipe.image_captions.captioner
    )
    names = chosen(model or (), own, CATALOGUE[role], role)
    what = "segments" if segments else "artworks"
    title = f"Tables 10 and 11: captioners of {'music' if segments else 'artworks'}"
    call = caption_sample_segments if segments else caption_sample_artworks
    found = _each(build, role, names, lambda ready, name, bar: call(ready, drawn, name, bar))
    name = f"captioners_{what}"
    _show([*captioners_tables(name, title, found), examples_table(name, found)], out, workspace)


@app.command(
    epilog="Examples:\n\n[bold]artsound compare fusers work[/]\n\n"
    "[bold]artsound compare fusers work --model qwen3-14b --model qwen3-8b[/]"
)
def fusers(
    workspace: Workspace_,
    model: Models = None,
    out: Out = None,
    sample: Sample = 100,
    seed: Seed = 0,
    settings: Settings = None,
    artworks: Artworks = None,
    tracks: Tracks = None,
) -> None:
    """Print fusers of segment captions side by side on a sample of the tracks (table 4)."""
    from artsound.compare.captions import (
        chosen,
        examples_table,
        fuse_sample_captions,
        fusers_table,
    )
    from artsound.compare.pictures import draw_sample
    from artsound.models.catalogue import CATALOGUE

    build = _opened(workspace, settings, artworks, tracks)
    drawn = draw_sample(build, sample, seed)
    recipe = build.recipe.audio_captions
    names = chosen(model or (), recipe.fuser, CATALOGUE["fuser"], "fuser")
    found = _each(
        build,
        "fuser",
        names,
        lambda ready, name, bar: fuse_sample_captions(ready, drawn, name, bar),
    )
    _show([fusers_table(found, recipe.threshold), examples_table("fusers", found)], out, workspace)


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
    artworks: Artworks = None,
    tracks: Tracks = None,
) -> None:
    """Print tables 5 and 12: how similar the pairs of each strategy are."""
    from artsound.compare.pairings import (
        beyond_table,
        overlap_table,
        pair_strategies,
        strategies_table,
    )
    from artsound.compare.pictures import draw_sample, pictures_tables
    from artsound.models.registry import text_to_image as model
    from artsound.reopen import reopen
    from artsound.table import write_tables
    from artsound.workspace import Workspace

    build = reopen(Workspace(workspace), artworks=artworks, tracks=tracks)
    folder = out or workspace / "compare"
    drawn = draw_sample(build, sample, seed)
    draws = model(text_to_image, build.models) if text_to_image else None
    with _progress() as bar:
        found = pair_strategies(build, bar)
        pictures, matched = pictures_tables(build, drawn, draws, folder / "generated", bar)
    tables = [
        strategies_table(build, found),
        beyond_table(build, found),
        overlap_table(found),
        pictures,
    ]
    write_tables([matched], folder)  # too long to print
    _show(tables, out, workspace)


def _opened(
    workspace: Path, settings: list[str] | None, artworks: Path | None, tracks: Path | None
) -> Build:
    """Return a finished build, with the command line's settings of models over its own.

    What chat models are asked here is not kept, so that it is timed for what it takes.
    """
    from artsound.reopen import reopen
    from artsound.workspace import Workspace

    build = reopen(Workspace(workspace), artworks=artworks, tracks=tracks, settings=settings or ())
    return dataclasses.replace(build, models=dataclasses.replace(build.models, requests=None))


def _each(
    build: Build,
    role: str,
    names: Sequence[str],
    call: Callable[[Build, str, Bar], Captioned],
) -> list[Captioned]:
    """Run each model in turn; a chat model is served meanwhile."""
    from artsound.models.registry import forget
    from artsound.models.served import served
    from artsound.prepare import prepare

    console = Console(stderr=True, highlight=False)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    found = []
    with _progress(console) as bar:
        for name in names:
            prepare(build.models, [(role, name)], say)
            logs = build.workspace.root / "logs" / "compare"
            with served(build.models, [(role, name)], logs, say) as models:
                models.load(role, name)  # which is not what is timed
                found.append(call(dataclasses.replace(build, models=models), name, bar))
            forget()
    return found


@contextlib.contextmanager
def _progress(console: Console | None = None) -> Iterator[Bar]:
    """Give a function to be called with (what, done, total)."""
    from rich.progress import Progress

    with Progress(transient=True, console=console or Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def bar(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield bar


def _show(tables: Sequence[Table], out: Path | None, workspace: Path) -> None:
    from artsound.table import show_tables, write_tables

    folder = out or workspace / "compare"
    write_tables(tables, folder)
    show_tables(tables)
    console = Console(highlight=False)
    console.print(f"written as CSV and Markdown to {folder}", soft_wrap=True, markup=False)
