"""`art2mus toy`: a small backbone trained on a release's own music, where no hub can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

_EPILOG: Final = (
    "Examples:\n\n"
    "[bold]art2mus toy artsound-lite --out toy[/]\n\n"
    "[bold]art2mus toy artsound-lite --out toy --steps 2000 --seed 1[/]"
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=_EPILOG)(toy)


def toy(
    release: Annotated[
        str, typer.Argument(metavar="RELEASE", help="A release's folder, or its repository.")
    ],
    out: Annotated[Path, typer.Option(help="The backbone's folder; it must not exist yet.")],
    steps: Annotated[
        int, typer.Option(help="How long it trains; more sounds better.", min=1)
    ] = 1000,
    limit: Annotated[
        int | None,
        typer.Option(
            help="How many tracks it learns from: the train split's first. Their clips are in"
            " memory, 0.8 MB a track of 30 s.",
            min=1,
            show_default="300",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of its weights and the training.", min=0)] = 0,
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit of the repository.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Train a TOY backbone in AudioLDM 2's layout on a release's train split, in minutes.

    It lets everything run where AudioLDM 2 cannot be had; nothing measured with it says anything
    about AudioLDM 2. The same command again continues where it stopped.
    """
    from art2mus.data import open_release
    from art2mus.lite.unfinished import refuse_existing
    from art2mus.training.progress import TrainingProgress

    refuse_existing(out)
    opened = open_release(release, revision=revision)
    opened.require("train")
    # What is wrong with the arguments is said before these heavy imports.
    from art2mus.lite.backbone import make_toy
    from art2mus.lite.music import TRACKS
    from art2mus.lite.prior import PriorSettings

    with TrainingProgress(quiet=quiet) as progress:
        tracks = limit or TRACKS
        there = opened.splits.get("train", 0)
        if there > tracks:
            progress.say(f"learning from the first {tracks:,} of {there:,} tracks (--limit)")
        chosen = PriorSettings(steps=steps, seed=seed)
        made = make_toy(opened, out, chosen, progress, tracks=tracks, say=progress.say)
    Console(highlight=False).print(
        f"{made} is a toy prior, not AudioLDM 2; next: art2mus train {release} --recipe lite"
        f" --backbone {made} --out CKPT",
        soft_wrap=True,
        markup=False,
    )
