"""`art2mus validate`: options in, one call."""

from __future__ import annotations

from typing import Annotated

import typer

from art2mus.benchmark.terminal import (
    Cache,
    FormatOption,
    Out,
    Quiet,
    ReleaseArgument,
    Revision,
    cache_of,
    format_of,
    show,
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Examples:\n\n"
        "[bold]art2mus validate ckpt artsound-lite[/]\n\n"
        "[bold]art2mus validate ckpt me/artsound --set validation.steps=50 --out row.csv[/]"
    )(validate)


def validate(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CKPT", help="What training wrote, or its repository.")
    ],
    release: ReleaseArgument,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override one of the checkpoint's own settings."
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Take another recipe's settings than the checkpoint's.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="AudioLDM 2, in place of the one that CKPT names.")
    ] = None,
    checkpoint_revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit of CKPT's repository.")
    ] = None,
    format_: FormatOption = None,
    out: Out = None,
    revision: Revision = None,
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Validate a checkpoint as its training does: the loss and, by its recipe, generated music."""
    kind = format_of(format_, out)
    from art2mus.data import open_release
    from art2mus.training.progress import TrainingProgress
    from art2mus.validate import validate as run
    from art2mus.validate import validation_table

    found = run(
        checkpoint,
        open_release(release, revision=revision),
        revision=checkpoint_revision,
        recipe=recipe,
        overrides=settings or (),
        backbone=backbone,
        cache=cache_of(cache),
        progress=TrainingProgress(quiet=quiet),
    )
    show([validation_table(found)], kind, out)
