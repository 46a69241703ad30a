"""The command line `art2mus`: composes the commands of the package. No logic of its own."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from art2mus import (
    __version__,
    benchmark_app,
    listen_app,
    lite_app,
    sample_app,
    train_app,
    validate_app,
)
from artsound.commands import run

app = typer.Typer(
    name="art2mus",
    help="Train, sample and benchmark image-to-music models on a released ArtSound.",
    epilog="First steps: [bold]art2mus toy artsound-lite --out toy[/], then [bold]art2mus train"
    " artsound-lite --recipe lite --backbone toy --out checkpoint[/], then [bold]art2mus sample"
    " checkpoint painting.jpg --out music[/].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _part in (train_app, validate_app, sample_app, benchmark_app, listen_app, lite_app):
    _part.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"art2mus {__version__}")
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
    """Take the options that come before a command; `commands.run` looks for `--debug` itself."""


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 the command line is wrong."""
    sys.exit(run(app, "art2mus"))


if __name__ == "__main__":
    main()
