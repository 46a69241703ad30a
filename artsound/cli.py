"""The command line: options in, one call each, errors as one line. No logic of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from artsound import __version__
from artsound.errors import ArtsoundError

app = typer.Typer(
    name="artsound",
    help="Build ArtSound: artwork-music pairs from source archives to a Hugging Face dataset.",
    epilog="First steps: [bold]artsound sample sources[/] and then [bold]artsound build --artworks"
    " sources/artgraph.zip --tracks sources/fma --out work[/].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_out = Console(highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"artsound {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_version
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Take the options that come before a command; `_run` looks for `--debug` itself."""


@app.command(epilog="Example: [bold]artsound sample sources[/]")
def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the archives.")],
) -> None:
    """Write the embedded sample's source archives, in the sources' own layouts."""
    from artsound.sources.sample import write_sample

    paths = write_sample(directory)
    for path in (paths.artworks, paths.metadata, paths.audio):
        _out.print(str(path), soft_wrap=True)


@app.command(
    epilog="Examples:\n\n"
    "[bold]artsound build --artworks sources/artgraph.zip --tracks sources/fma --out work[/]\n\n"
    "[bold]artsound build --artworks A --tracks T --out W --set image_captions.keep=last[/]\n\n"
    "[bold]artsound build --artworks A --tracks T --out W --until tracks[/]"
)
def build(
    artworks: Annotated[
        Path, typer.Option(help="ArtGraph: a zip, a tar, or a folder with it packed or unpacked.")
    ],
    tracks: Annotated[
        Path, typer.Option(help="Free Music Archive: a folder with its archives, or unpacked.")
    ],
    out: Annotated[Path, typer.Option(help="The workspace; run again with the same to continue.")],
    recipe: Annotated[str, typer.Option(help="lite, or a TOML file.")] = "lite",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Worker processes; 0: one a core.", min=0, show_default=False)
    ] = 0,
    until: Annotated[str | None, typer.Option(help="Stop after this stage.")] = None,
    redo_from: Annotated[
        str | None, typer.Option(help="Make this stage and all after it again.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Build the tables of a workspace, or continue a build that was stopped."""
    from artsound.builder import build as run
    from artsound.progress import Progress
    from artsound.recipe import Recipe

    read = Recipe.read(recipe, settings or ())
    run(
        read,
        artworks=artworks,
        tracks=tracks,
        out=out,
        workers=workers or len(os.sched_getaffinity(0)),
        until=until,
        redo_from=redo_from,
        progress=Progress(quiet=quiet),
    )
    _out.print(f"built {out}; next: artsound release {out} --out DIR", soft_wrap=True)


@app.command(epilog="Example: [bold]artsound status work[/]")
def status(
    workspace: Annotated[Path, typer.Argument(metavar="W", help="The workspace.")],
) -> None:
    """Say what is done, what was rejected and why, and what is left, stage by stage."""
    from artsound.status import status as of
    from artsound.workspace import Workspace

    table = Table(box=None, pad_edge=False)
    for name in ("stage", "state", "shards", "rows", "seconds"):
        table.add_column(name, no_wrap=True, justify="left" if name in "stage state" else "right")
    table.add_column("not ok")
    for row in of(Workspace(workspace)):
        noted = "; ".join(f"{count} {reason}" for reason, count in row.failures.items())
        shards = f"{row.done}/{'?' if row.shards is None else row.shards}"
        table.add_row(
            row.table, row.state, shards, str(row.rows), f"{row.seconds:.1f}", escape(noted)
        )
    _out.print(table)


@app.command(
    epilog="Example: [bold]artsound release work --out artsound-lite"
    " --artworks sources/artgraph.zip --tracks sources/fma[/]"
)
def release(
    workspace: Annotated[Path, typer.Argument(metavar="W", help="A finished workspace.")],
    out: Annotated[Path, typer.Option(help="The release's folder; it must not exist yet.")],
    artworks: Annotated[
        Path | None, typer.Option(help="The artworks' source, if it has moved since the build.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="The tracks' source, if it has moved since the build.")
    ] = None,
) -> None:
    """Write a release: a folder that `datasets.load_dataset` opens."""
    from artsound.release.assemble import release as write
    from artsound.workspace import Workspace

    written = write(Workspace(workspace), out, artworks=artworks, tracks=tracks)
    table = Table("configuration", "split", "rows", "bytes", "files", box=None, pad_edge=False)
    for part in written:
        table.add_row(
            part.config, part.split, str(part.rows), f"{part.bytes:,}", str(len(part.files))
        )
    _out.print(table)
    _out.print(f'open it: datasets.load_dataset("{out}")', soft_wrap=True)


@app.command(epilog="Example: [bold]artsound verify artsound-lite[/]")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="R", help="A release's folder.")],
) -> None:
    """Check every file of a release against its manifest."""
    from artsound.release.manifest import read_manifest
    from artsound.release.manifest import verify as check

    problems = check(folder)
    for problem in problems:
        _out.print(problem, soft_wrap=True, markup=False)
    if problems:
        raise ArtsoundError(f"{folder}: {len(problems)} files differ from the manifest")
    _out.print(f"{folder}: all {len(read_manifest(folder)['files'])} files as the manifest says")


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 the command line is wrong."""
    sys.exit(_run(app))


def _run(command: typer.Typer) -> int:
    debug = "--debug" in sys.argv[1:]
    # The flag may stand anywhere, also behind the command that it is needed for.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        command(args=arguments)  # ends in SystemExit, with 2 for a wrong command line
    except (ArtsoundError, OSError) as error:
        if debug:
            raise
        if isinstance(error, ArtsoundError):
            return _fail(str(error), error.exit_code)
        return _fail(f"{error}: check the path, its permissions and the free space", 1)
    return 0


def _fail(message: str, code: int) -> int:
    Console(stderr=True, highlight=False).print(
        f"artsound: {message}", soft_wrap=True, markup=False, style="red"
    )
    return code


if __name__ == "__main__":
    main()
