"""`art2mus benchmark`: a model's honest row, with intervals and controls, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    line,
    on_gpu,
    pairs_of,
    read,
    read_all,
    show,
    warn,
)
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.benchmark.score import ScoreSettings
    from art2mus.data import Release

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
    from art2mus.benchmark.run import RunSettings
    from art2mus.benchmark.run import run as generate
    from art2mus.benchmark.score import ScoreSettings, ready
    from art2mus.data import check_release, open_release
    from art2mus.training.progress import TrainingProgress
    from artsound.models.registry import forget

    options = pairs_of(settings, "--set", "KEY=VALUE")
    named = make(model, options | ({"checkpoint": checkpoint} if checkpoint else {}))
    where = "cuda" if on_gpu(device) else "cpu"
    wanted = RunSettings(split, seconds, seed, limit, batch, where, overwrite)
    wanted.check()
    how = ScoreSettings(
        split, metric or suite, seconds, 0, where, pairs_of(weights, "--weights", "EMBEDDER=PATH"),
        partial,
    )  # fmt: skip
    opened = open_release(release, revision=revision)
    check_release(opened, split=split)
    if scored:
        ready(how.suite, how.checkpoints, where)
    place = cache_of(cache)
    with TrainingProgress(quiet=quiet) as progress:
        ran = generate(named, opened, out, wanted, cache=place, progress=progress)
    there = f" ({ran.there} were there)" if ran.there else ""
    OUT.print(f"{ran.made} pieces made in {out}{there}", soft_wrap=True, markup=False)
    if not scored:
        OUT.print(f"next: art2mus benchmark score {out} {release} --split {split}")
        return
    del named
    forget()  # before the embedders are loaded
    only = None if limit is None or limit >= opened.splits[split] else ran.pair_ids
    _score(out, opened, how, None, place, name, only, quiet=quiet)


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
    from art2mus.benchmark.score import ScoreSettings, release_and_folder

    if clip and not 1 <= clip <= 3600:
        raise UsageError(f"--clip {clip:g}: give 1 to 3600 s, or 0 for whole clips")
    where = "cuda" if on_gpu(device) else "cpu"
    opened = release_and_folder(folder, release, revision)
    how = ScoreSettings(
        split, metric or suite, clip or None, seed, where,
        pairs_of(weights, "--weights", "EMBEDDER=PATH"), partial,
    )  # fmt: skip
    _score(folder, opened, how, out, cache_of(cache), name, None, quiet=quiet)


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
    from art2mus.benchmark.leaderboard import csv_tables, leaderboard

    named = read_all(results)
    kind = format_of(format_, out)
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
    from art2mus.benchmark.compare import compare as of
    from art2mus.benchmark.compare import comparison_table

    names = (str(first), str(second))
    found = of(read(first), read(second), names=names, seed=seed, any_length=any_length)
    show([comparison_table(found)], format_of(format_, out), out)


@app.command()
def models() -> None:
    """List the models and controls: what each is given, its weights, its licence, its settings."""
    from art2mus.benchmark.models.registry import MODELS, settings_of

    for name, entry in MODELS.items():
        size = f" (about {entry.gigabytes:g} GB)" if entry.gigabytes else ""
        OUT.print(f"[bold]{name}[/]  {entry.kind}: {entry.summary}", soft_wrap=True)
        line("given", entry.takes)
        line("weights", f"{entry.weights}{size}")
        line("licence", entry.license)
        if entry.note:
            line("note", entry.note)
        known = settings_of(entry)
        if known:
            said = (
                f"{key} (needed)" if value is ... else f"{key}={'' if value is None else value}"
                for key, value in known.items()
            )
            line("--set", ", ".join(said))
    OUT.print("[bold]module:Class[/]  a class of your own with load() and", soft_wrap=True)
    line("", "generate(images, seconds, seeds), and sample_rate in Hz")


@app.command()
def metrics(
    names: Annotated[
        bool, typer.Option("--names", help="Only the names that --metric takes.")
    ] = False,
) -> None:
    """List the metrics: what each means and does not, and the embedders that they rest on."""
    from art2mus.benchmark.embedders.registry import EMBEDDERS
    from art2mus.benchmark.metrics.registry import METRICS, SUITES
    from art2mus.benchmark.metrics.registry import names as every

    if names:
        OUT.print("\n".join(every()), markup=False)
        return
    for name, metric in METRICS.items():
        better = {True: "higher is better", False: "lower is better", None: "neither end is better"}
        said = f"version {metric.version}, {better[metric.higher_is_better]}"
        OUT.print(f"[bold]{name}[/]  {said}", soft_wrap=True)
        line("is", metric.summary)
        line("is not", metric.caveat)
    for name, entry in EMBEDDERS.items():
        OUT.print(f"[bold]{name}[/]  embedder", soft_wrap=True)
        line("weights", entry.source)
        line("licence", entry.license)
        line("gives", f"{', '.join(sorted(entry.gives))} of {', '.join(sorted(entry.sees))}")
    for name, held in SUITES.items():
        OUT.print(f"[bold]{name}[/]  suite", soft_wrap=True)
        line("has", ", ".join(held))


def _score(
    folder: Path,
    release: Release,
    how: ScoreSettings,
    out: Path | None,
    cache: Path,
    name: str | None,
    only: tuple[str, ...] | None,
    *,
    quiet: bool,
) -> None:
    from art2mus.benchmark.leaderboard import leaderboard
    from art2mus.benchmark.predictions import PredictionsError
    from art2mus.benchmark.score import FILE
    from art2mus.benchmark.score import score as measure
    from art2mus.training.progress import TrainingProgress
    from artsound.table import show_tables

    try:
        with TrainingProgress(quiet=quiet) as shown:
            results, problems = measure(
                folder,
                release,
                how,
                out=out,
                cache=cache / "benchmark",
                name=name,
                only=only,
                progress=lambda done, total: shown("hearing", done, total),
            )
    except PredictionsError as error:
        warn(error.problems)
        raise
    warn(problems)
    written = out or folder / FILE
    show_tables(leaderboard({str(written): results}, paper=False)[1:])
    whole = "partial results, which compare with nothing else" if results.partial else "results"
    OUT.print(
        f"wrote {whole} to {written}; next: art2mus benchmark table {written}",
        soft_wrap=True,
        markup=False,
    )
