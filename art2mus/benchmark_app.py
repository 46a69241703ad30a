"""`art2mus benchmark`: a model's honest row, with intervals and controls, in one command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from art2mus.benchmark.terminal import (
    OUT,
    AnyLength,
    Cache,
    DeviceOption,
    FormatOption,
    Metrics,
    Name,
    Out,
    Quiet,
    ReleaseArgument,
    Revision,
    Split,
    Suite,
    Weights,
    cache_of,
    format_of,
    on_gpu,
    pairs_of,
    read,
    read_all,
    show,
)
from artsound.errors import UsageError

app = typer.Typer(
    name="benchmark",
    help="Score music for artworks: any model's, from files or from a class of two methods.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="benchmark")


@app.command(
    epilog="Examples:\n\n"
    "[bold]art2mus benchmark run art2mus:ckpt artsound-lite --out scored --suite lite[/]\n\n"
    "[bold]art2mus benchmark run shuffled me/artsound --out shuffled[/]\n\n"
    "[bold]art2mus benchmark run mymodule:MyModel me/artsound --out mine --batch 8[/]\n\n"
    "[bold]art2mus benchmark run mozarts-touch me/artsound --out touch --set"
    " endpoint=http://HOST:8000/v1[/]"
)
def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A name of `benchmark models`, art2mus:CKPT, or module:Class."
        ),
    ],
    release: ReleaseArgument,
    out: Annotated[Path, typer.Option(help="The folder of the predictions and results.json.")],
    split: Split = "test",
    suite: Suite = "paper",
    metric: Metrics = None,
    weights: Weights = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="The model's weights: a folder or a repository.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the model; repeatable."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Of each piece, and of what is heard of it.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the generation.", min=0)] = 0,
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many pairs: partial results.", min=1)
    ] = None,
    batch: Annotated[int, typer.Option(help="Pieces that are generated at a time.", min=1)] = 1,
    device: DeviceOption = "auto",
    scored: Annotated[bool, typer.Option("--score/--no-score", help="Score them, too.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make anew what was made with other settings.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Score what can be, where something is wrong.")
    ] = False,
    name: Name = None,
    revision: Revision = None,
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Generate music for a split's artworks, then score it; run again, it continues."""
    from art2mus.benchmark.models.registry import make
    from art2mus.benchmark.run import RunSettings, prepare
    from art2mus.benchmark.score import ScoreSettings, embedders_of, ready

    # What costs nothing to find out comes first; torch, weights and music last.
    wanted = RunSettings(split, seconds, seed, limit, batch, "cpu", overwrite)
    wanted.check(out)
    how = ScoreSettings(
        split, metric or suite, seconds, 0, "cpu", pairs_of(weights, "--weights", "EMBEDDER=PATH"),
        partial,
    )  # fmt: skip
    embedders_of(how.suite, how.checkpoints)
    options = pairs_of(settings, "--set", "KEY=VALUE")
    named = make(model, options | ({"checkpoint": checkpoint} if checkpoint else {}))

    from art2mus.benchmark.score_command import score_and_show, score_command
    from art2mus.data import check_release, open_release
    from art2mus.training.progress import TrainingProgress
    from artsound.models.registry import forget

    opened = open_release(release, revision=revision)
    check_release(opened, split=split)
    where = "cuda" if on_gpu(device) else "cpu"
    wanted, how = replace(wanted, device=where), replace(how, device=where)
    place = cache_of(cache)
    prepared = prepare(named, opened, out, wanted, cache=place)
    if scored:
        ready(how.suite, how.checkpoints, where)
    with TrainingProgress(quiet=quiet) as progress:
        ran = prepared.generate(progress)
    there = f" ({ran.there} were there)" if ran.there else ""
    OUT.print(f"{ran.made} pieces made in {out}{there}", soft_wrap=True, markup=False)
    only = None if limit is None or limit >= opened.splits[split] else ran.pair_ids
    if not scored:
        how = replace(how, partial=partial or only is not None)
        said = score_command(out, release, how, name=name, revision=revision, cache=cache)
        OUT.print(f"next: {said}", soft_wrap=True, markup=False)
        return
    del named, prepared
    forget()  # before the embedders are loaded
    score_and_show(out, opened, how, out=None, cache=place, name=name, only=only, quiet=quiet)


@app.command(
    epilog="Examples:\n\n"
    "[bold]art2mus benchmark score predictions me/artsound[/]\n\n"
    "[bold]art2mus benchmark score predictions artsound-lite --suite lite --name Mine[/]"
)
def score(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Music named PAIR_ID.wav or .flac.")
    ],
    release: ReleaseArgument,
    split: Split = "test",
    suite: Suite = "paper",
    metric: Metrics = None,
    weights: Weights = None,
    out: Annotated[
        Path | None, typer.Option(help="The results; DIR/results.json by default.")
    ] = None,
    clip: Annotated[
        float, typer.Option("--clip", help="Seconds heard of each clip, 1 to 3600; 0 for all.")
    ] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the intervals.", min=0)] = 0,
    partial: Annotated[
        bool, typer.Option("--partial", help="Score what can be, where something is wrong.")
    ] = False,
    device: DeviceOption = "auto",
    name: Name = None,
    revision: Revision = None,
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Score a folder of music against a split: results.json and a table."""
    if clip and not 1 <= clip <= 3600:
        raise UsageError(f"--clip {clip:g}: give 1 to 3600 s, or 0 for whole clips")
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out} is a folder: name the file, as in {out / 'results.json'}")

    from art2mus.benchmark.score import ScoreSettings, embedders_of, release_and_folder

    how = ScoreSettings(
        split, metric or suite, clip or None, seed, "cpu",
        pairs_of(weights, "--weights", "EMBEDDER=PATH"), partial,
    )  # fmt: skip
    embedders_of(how.suite, how.checkpoints)
    opened = release_and_folder(folder, release, revision)
    how = replace(how, device="cuda" if on_gpu(device) else "cpu")

    from art2mus.benchmark.score_command import score_and_show

    score_and_show(
        folder, opened, how, out=out, cache=cache_of(cache), name=name, only=None, quiet=quiet
    )


@app.command(
    epilog="Examples:\n\n"
    "[bold]art2mus benchmark table mine/results.json shuffled/results.json[/]\n\n"
    "[bold]art2mus benchmark table */results.json --sort fad-vggish --out table7.tex[/]"
)
def table(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS.JSON...", help="Of runs or scores.")
    ],
    format_: FormatOption = None,
    out: Out = None,
    paper: Annotated[bool, typer.Option("--paper/--no-paper", help="Show its rows.")] = True,
    sort: Annotated[str | None, typer.Option(help="Order ours by this metric, best first.")] = None,
    any_length: AnyLength = False,
) -> None:
    """Print the paper's table 7 with our rows and, apart, the paper's; and all metrics.

    As CSV they are two files, OUT.csv and OUT-metrics.csv; without --out the first is printed.
    """
    kind = format_of(format_, out)

    from art2mus.benchmark.csv_tables import csv_tables
    from art2mus.benchmark.leaderboard import leaderboard

    named = read_all(results)
    make = csv_tables if kind == "csv" else leaderboard
    show(make(named, paper=paper, sort=sort, any_length=any_length), kind, out)


@app.command(
    epilog="Example: [bold]art2mus benchmark compare mine/results.json shuffled/results.json[/]"
)
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A results.json.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    format_: FormatOption = None,
    out: Out = None,
    seed: Annotated[int, typer.Option(help="Of the resampling.", min=0)] = 0,
    any_length: AnyLength = False,
) -> None:
    """Say whether two models differ by more than noise: a paired bootstrap over pairs."""
    kind = format_of(format_, out)

    from art2mus.benchmark.compare import compare as of
    from art2mus.benchmark.compare import comparison_table
    from art2mus.benchmark.csv_tables import comparison_in_full

    names = (str(first), str(second))
    one, other = read(first), read(second)
    found = of(one, other, names=names, seed=seed, any_length=any_length)
    full = kind == "csv"
    made = comparison_in_full(found, one, other, names) if full else comparison_table(found)
    show([made], kind, out)


@app.command()
def models() -> None:
    """List the models and controls: what each is given, its weights, its licence, its settings."""
    from art2mus.benchmark.listing import list_models

    list_models()


@app.command()
def metrics(
    names: Annotated[
        bool, typer.Option("--names", help="Only the names that --metric takes.")
    ] = False,
) -> None:
    """List the metrics: what each means and does not, and the embedders that they rest on."""
    from art2mus.benchmark.listing import list_metrics

    list_metrics(names=names)
