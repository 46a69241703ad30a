"""`art2mus listen`: the listening test, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from artsound.errors import ArtsoundError, UsageError

app = typer.Typer(
    help="The listening test: a page, its collector, and table 9 of the paper.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_PRINTED: Final = ("table_9", "table_9_intervals", "preferences", "agreement")


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="listen")


def _say(line: str) -> None:
    Console(highlight=False).print(line, soft_wrap=True, markup=False)


@app.command(
    epilog="Example: [bold]art2mus listen build --release artsound --split test"
    " --model clip-6=samples/clip --model imagebind-16=samples/imagebind --out page[/]"
)
def build(
    release: Annotated[
        str, typer.Option(metavar="R", help="A release's folder, or its repository.")
    ],
    model: Annotated[
        list[str],
        typer.Option(metavar="NAME=DIR", help="A model, and its {pair_id}.wav or .flac files."),
    ],
    out: Annotated[Path, typer.Option(metavar="PAGE", help="The page; it must not exist yet.")],
    split: Annotated[str, typer.Option(help="Which of the release's splits.")] = "test",
    artworks: Annotated[
        int, typer.Option(min=1, help="How many, stratified over style; 15 in the paper.")
    ] = 15,
    seed: Annotated[int, typer.Option(min=0, help="Of drawing the artworks.")] = 0,
    raters: Annotated[
        int, typer.Option(min=1, help="How many listeners are planned; 15 in the paper.")
    ] = 15,
    seconds: Annotated[
        float, typer.Option(help="The most of a clip that is heard; all are as the shortest.")
    ] = 10.0,
    anchor: Annotated[
        bool, typer.Option("--anchor/--no-anchor", help="Hide the ground truth among the tracks.")
    ] = True,
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit of the repository.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Make the page: a folder to open from disk, to put on a host, or to `serve`.

    Whose music a track is stands only in PAGE.key.json beside it: keep that from listeners.
    """
    models = _models(model)
    from art2mus.data import open_release
    from art2mus.listening.build import build as make
    from art2mus.training.progress import TrainingProgress

    with TrainingProgress(quiet=quiet) as progress:
        done = make(
            open_release(release, revision=revision),
            split,
            models,
            out,
            artworks=artworks,
            seed=seed,
            raters=raters,
            anchor=anchor,
            seconds=seconds,
            progress=progress,
        )
    for note in done.notes:
        _say(f"note: {note}")
    _say(
        f"{done.artworks} artworks with {done.tracks} tracks each, {done.seconds:.2f} s at"
        f" {done.lufs:.1f} LUFS, for {raters} listeners; {done.artworks * done.tracks} clips take"
        f" one about {_minutes(done.artworks * done.tracks, done.seconds)} minutes"
    )
    _say(f"keep {done.key} from listeners: it says whose music each track is")
    _say(f"open {done.page}, or: art2mus listen serve {out} --answers answers.sqlite")


def _minutes(clips: int, seconds: float) -> int:
    """Return how long a listener takes: each clip once, and 15 s for its questions."""
    return max(1, round(clips * (seconds + 15) / 60))


def _models(given: list[str]) -> dict[str, Path]:
    models: dict[str, Path] = {}
    for one in given:
        name, equals, folder = one.partition("=")
        if not (name and equals and folder):
            raise UsageError(f"--model {one!r}: give NAME=DIR, as in clip-6=samples/clip")
        if name in models:
            raise UsageError(f"--model {name!r} is given twice: each model has its own name")
        models[name] = Path(folder)
    return models


@app.command(
    epilog="Example: [bold]art2mus listen serve page --answers answers.sqlite --port 8000[/]"
)
def serve(
    page: Annotated[Path, typer.Argument(metavar="PAGE", help="What `build` made.")],
    answers: Annotated[
        Path, typer.Option(help="SQLite; made if it is not there. Outside the page.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    host: Annotated[
        str, typer.Option(help="0.0.0.0 to be reached from outside; put HTTPS in front then.")
    ] = "127.0.0.1",
) -> None:
    """Serve the page and collect its answers, until Ctrl-C; run again, it continues.

    No names, addresses or times are kept.
    """
    from art2mus.listening.serve import Collector

    with Collector(page, answers, host, port) as server:
        there = server.store.count(server.test.test)
        _say(f"open {server.url} ({there} listeners have answered)")
        server.serve_forever()


@app.command(
    epilog="Examples:\n\n"
    "[bold]art2mus listen collect page.key.json answers.sqlite[/]\n\n"
    "[bold]art2mus listen collect page.key.json answers.sqlite downloads/ --out results[/]"
)
def collect(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="PAGE.key.json.")],
    answers: Annotated[
        list[Path],
        typer.Argument(metavar="ANSWERS...", help="JSON files, folders of them, SQLite files."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the tables here: CSV, Markdown and LaTeX.")
    ] = None,
    drop_flagged: Annotated[
        bool,
        typer.Option("--drop-flagged", help="Leave out who rates the ground truth's sound low."),
    ] = False,
) -> None:
    """Turn answers into table 9, with intervals, preferences and the raters' agreement."""
    from art2mus.listening.aggregate import Ratings
    from art2mus.listening.collect import collect as read
    from art2mus.listening.documents import read_key
    from art2mus.listening.tables import tables, write, write_rejected
    from artsound.table import show_tables

    opened = read_key(key)
    found = read(opened, answers)
    for one in found.rejected:
        _say(f"rejected: {one.source}: {one.reason}")
    if out is not None:
        write_rejected(found, out)
    if not found.answers:
        raise ArtsoundError(
            f"{key}: none of {len(found.rejected)} answers can be counted, for the reasons above"
        )
    ratings = Ratings.of(opened, found.answers)
    dropped = ratings.flagged() if drop_flagged else []
    kept = ratings.without(dropped)
    if not kept.raters:
        raise ArtsoundError(
            f"{key}: every rater rates the ground truth low; leave --drop-flagged out"
        )
    made = tables(opened, found, kept, dropped)
    show_tables([table for table in made if table.name in _PRINTED])
    if out is not None:
        write(made, out)
        _say(f"{len(made)} tables are in {out}")
    if found.rejected:
        _say(f"{len(found.answers)} answers count, {len(found.rejected)} rejected")
