"""`art2mus train` and `art2mus sweep`: options in, one call each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.training.settings import TrainSettings

_out = Console(highlight=False)

Release_ = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release's folder, or its repository on the Hub.")
]
Recipe = Annotated[str, typer.Option(help="paper, gpu, cpu, lite, or a TOML file.")]
Backbone_ = Annotated[
    str | None, typer.Option(help="AudioLDM 2: a folder, or a repository on the Hub.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting.")
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Where latents and embeddings are kept; by default the user's cache."),
]
Log = Annotated[
    Literal["tensorboard", "wandb", "none"],
    typer.Option("--log", help="Where the log goes besides training/log.jsonl."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Streaming = Annotated[
    bool,
    typer.Option(
        "--streaming",
        help="Of a release on the Hub keep no copy: it is read over the network while the caches"
        " are built (and for the metrics of generated music).",
    ),
]
Revision = Annotated[
    str | None, typer.Option(help="A branch, tag or commit of the release's repository.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog="Examples:\n\n"
        "[bold]art2mus train artsound-lite --out ckpt --recipe lite --backbone toy[/]\n\n"
        "[bold]art2mus train me/artsound --out ckpt --encoder clip --tokens 6 --dry-run[/]\n\n"
        "[bold]torchrun --nproc-per-node 4 -m art2mus train me/artsound --out ckpt[/]"
    )(train)
    app.command(
        epilog="Example: [bold]art2mus sweep artsound-lite --out sweep --recipe lite --backbone toy"
        " --encoder lite --tokens 4 --tokens 8[/]"
    )(sweep)


def train(
    release: Release_,
    out: Annotated[Path, typer.Option(metavar="CKPT", help="The checkpoint's folder.")],
    recipe: Recipe = "paper",
    backbone: Backbone_ = None,
    encoder: Annotated[
        str | None, typer.Option(help="imagebind, clip, lite or another embedder of images.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="How many tokens an artwork becomes.", min=1)
    ] = None,
    settings: Settings = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--restart",
            help="Go on with the training in CKPT, or begin it anew; by default the former, where"
            " there is one.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the settings and the steps.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(help="With --dry-run: as for so many processes.", min=1, show_default=False),
    ] = None,
    log: Log = "none",
    revision: Revision = None,
    streaming: Streaming = False,
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Train an aligner on a release; the same command again continues where it stopped."""
    wanted = _settings(recipe, backbone, encoder, tokens, settings)
    if dry_run:
        _describe(release, revision, wanted, processes)
        return
    if processes is not None:
        raise UsageError(
            f"--processes {processes} only describes a --dry-run: torchrun --nproc-per-node"
            f" {processes} -m art2mus train ... starts them"
        )
    from art2mus.data import open_release
    from art2mus.training.early import check_plan, refuse_file
    from art2mus.training.log import check_tracker
    from art2mus.training.plan import first_process
    from art2mus.training.progress import TrainingProgress

    refuse_file(out)
    check_tracker(log)
    opened = open_release(release, revision=revision, streaming=streaming)
    check_plan(opened, wanted)
    # What is wrong with the arguments is said before these heavy imports.
    from art2mus.train import train as run

    done = run(
        opened,
        out,
        wanted,
        resume=resume,
        cache=cache,
        log=log,
        progress=TrainingProgress(quiet=quiet),
    )
    if not first_process():
        return
    best = ""
    if done.best is not None:
        best = f"; best {done.best.metric} {done.best.value:.4g} after step {done.best.step:,}"
    elif done.metrics:
        best = f"; none is best, as {wanted.validation.best} was undefined: this is the last"
    _out.print(
        f"trained {out}: {done.step:,} steps{best}; next: art2mus sample {out} IMAGES --out DIR",
        soft_wrap=True,
        markup=False,
    )


def sweep(
    release: Release_,
    out: Annotated[Path, typer.Option(help="A folder with a checkpoint for each, and table 6.")],
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable; by default imagebind and clip.", show_default=False),
    ] = None,
    tokens: Annotated[
        list[int] | None,
        typer.Option(help="Repeatable; by default 4, 6, 8, 10 and 16.", min=1, show_default=False),
    ] = None,
    recipe: Recipe = "paper",
    backbone: Backbone_ = None,
    settings: Settings = None,
    log: Log = "none",
    revision: Revision = None,
    streaming: Streaming = False,
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Train with every encoder and number of tokens; writes table 6, the paper's rows beside ours.

    The same command again continues where it stopped.
    """
    wanted = _settings(recipe, backbone, None, None, settings)
    from art2mus.data import open_release
    from art2mus.training.early import check_plan, refuse_file
    from art2mus.training.log import check_tracker
    from art2mus.training.plan import first_process
    from art2mus.training.progress import TrainingProgress
    from artsound.table import show_tables

    refuse_file(out)
    check_tracker(log)
    opened = open_release(release, revision=revision, streaming=streaming)
    check_plan(opened, wanted)
    # What is wrong with the arguments is said before these heavy imports.
    from art2mus.sweep import ENCODERS, TOKENS, sweep_table
    from art2mus.sweep import sweep as run

    trained = run(
        opened,
        out,
        wanted,
        encoders=encoder or ENCODERS,
        tokens=tokens or TOKENS,
        cache=cache,
        log=log,
        progress=TrainingProgress(quiet=quiet),
    )
    if first_process():
        show_tables([sweep_table(trained)])
        _out.print(f"wrote {out}/table6.csv, .md and .tex", soft_wrap=True, markup=False)


def _settings(
    recipe: str,
    backbone: str | None,
    encoder: str | None,
    tokens: int | None,
    overrides: list[str] | None,
) -> TrainSettings:
    from art2mus.training.settings import TrainSettings

    shortcuts = {"backbone": backbone, "encoder": encoder, "aligner.tokens": tokens}
    given = [f"{key}={value}" for key, value in shortcuts.items() if value is not None]
    return TrainSettings.read(recipe, [*(overrides or ()), *given])


def _describe(
    release: str, revision: str | None, settings: TrainSettings, processes: int | None
) -> None:
    """Print what a training would be; looks at no more of the release than its number of rows."""
    from art2mus.data import open_release
    from art2mus.training.early import check_plan
    from art2mus.training.preview import preview

    opened = open_release(release, revision=revision)
    plan = check_plan(opened, settings, processes)
    _out.print(preview(opened.name, settings, plan), soft_wrap=True, markup=False)
