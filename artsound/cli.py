"""The command line: options in, one call each, errors as one line. No logic of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from artsound import __version__
from artsound.build_app import EPILOG as BUILD_EPILOG
from artsound.build_app import build
from artsound.commands import run
from artsound.compare.app import app as compare_app
from artsound.errors import ArtsoundError
from artsound.needs_app import app as models_app
from artsound.release.app import EPILOG as RELEASE_EPILOG
from artsound.release.app import release, written_table
from artsound.report.app import EPILOG as REPORT_EPILOG
from artsound.report.app import report

if TYPE_CHECKING:
    from artsound.release.media import Problem

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
app.add_typer(compare_app, name="compare")
app.add_typer(models_app, name="models")
app.command(epilog=REPORT_EPILOG)(report)
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
    """Take the options that come before a command; `commands.run` looks for `--debug` itself."""


@app.command(epilog="Example: [bold]artsound sample sources[/]")
def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the archives.")],
) -> None:
    """Write the embedded sample's source archives, in the sources' own layouts."""
    from artsound.sources.sample import write_sample

    paths = write_sample(directory)
    for path in (paths.artworks, paths.metadata, paths.audio):
        _out.print(str(path), soft_wrap=True)


app.command(epilog=BUILD_EPILOG)(build)


@app.command(epilog="Example: [bold]artsound status work[/]")
def status(
    workspace: Annotated[Path, typer.Argument(metavar="W", help="The workspace.")],
) -> None:
    """Say what is done, what was rejected and why, and what is left, stage by stage."""
    from artsound.status import hint, on_cluster
    from artsound.status import status as of
    from artsound.workspace import Workspace

    table = Table(box=None, pad_edge=False)
    for name in ("stage", "state", "shards", "rows", "seconds"):
        table.add_column(name, no_wrap=True, justify="left" if name in "stage state" else "right")
    table.add_column("not ok")
    found = of(Workspace(workspace))
    for row in found:
        noted = "; ".join(f"{count} {reason}" for reason, count in row.failures.items())
        shards = f"{row.done}/{'?' if row.shards is None else row.shards}"
        table.add_row(
            row.table, row.state, shards, str(row.rows), f"{row.seconds:.1f}", escape(noted)
        )
    _out.print(table)
    for line in [*on_cluster(Workspace(workspace)), hint(found)]:
        if line:
            _out.print(line, soft_wrap=True, markup=False)


@app.command(epilog="Example: [bold]artsound cancel work[/]")
def cancel(
    workspace: Annotated[Path, typer.Argument(metavar="W", help="A workspace given to SLURM.")],
) -> None:
    """End the SLURM jobs of a build; what is done stays, and the same build continues it."""
    from artsound.executors.jobs import cancel as end
    from artsound.workspace import Workspace

    count = end(Workspace(workspace))
    said = f"cancelled the jobs of {count} stages" if count else "no job was queued or running"
    _out.print(f"{workspace}: {said}", soft_wrap=True, markup=False)


app.command(epilog=RELEASE_EPILOG)(release)


@app.command(
    epilog="Example: [bold]artsound hydrate artsound-texts --artworks sources/artgraph.zip"
    " --tracks sources/fma --out artsound-full[/]"
)
def hydrate(
    release: Annotated[Path, typer.Argument(metavar="R", help="A release without media.")],
    artworks: Annotated[Path, typer.Option(help="Where the artworks are, packed or unpacked.")],
    tracks: Annotated[Path, typer.Option(help="Where the music is, packed or unpacked.")],
    out: Annotated[Path, typer.Option(help="The full release; it must not exist yet.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Keep rows whose files are missing, without media.")
    ] = False,
) -> None:
    """Fill a release that has no media from your own archives.

    Files that are missing or different are listed by row; without --partial they end it.
    """
    from artsound.release.hydrate import MediaMissingError
    from artsound.release.hydrate import hydrate as fill

    try:
        done = fill(release, artworks, tracks, out, partial=partial)
    except MediaMissingError as error:
        _problems(error.problems)
        raise
    for note in done.notes:
        _note(note)
    _out.print(written_table(done.written))
    _problems(done.problems)
    if done.problems:
        rows = len({problem.pair_id for problem in done.problems})
        _out.print(
            f"{len(done.problems)} files of {rows} rows are missing; manifest.json lists them"
        )
    _out.print(f"filled {out}; check it: artsound verify {out}", soft_wrap=True)


@app.command(
    epilog="Examples:\n\n"
    "[bold]artsound diff artsound-1.0.0 artsound-1.1.0[/]\n\n"
    "[bold]artsound diff old new --json[/]"
)
def diff(
    before: Annotated[Path, typer.Argument(metavar="R1", help="A release.")],
    after: Annotated[Path, typer.Argument(metavar="R2", help="Another one, usually later.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say what changed between two releases: rows, captions, pairs, splits. Exit code 0."""
    import json

    from artsound.release.diff import diff as compare

    found = compare(before, after)
    if as_json:
        _out.print_json(json.dumps(found.as_dict(), ensure_ascii=False), indent=2)
        return
    for what, (old, new) in (("version", found.versions), ("media", found.media)):
        if old != new:
            _out.print(f"{what}: {old} -> {new}", soft_wrap=True, markup=False)
    for line in found.lines() or ["the tables are the same"]:
        _out.print(line.replace("`", ""), soft_wrap=True, markup=False)


def _problems(problems: Iterable[Problem]) -> None:
    for one in problems:
        line = f"{one.pair_id} {one.column} {one.file_name}: {one.reason}"
        _out.print(line, soft_wrap=True, markup=False)


@app.command(
    epilog="Examples:\n\n"
    "[bold]artsound push artsound-lite me/artsound-lite --private[/]\n\n"
    "[bold]artsound push artsound-lite me/artsound-lite --dry-run[/]\n\n"
    "[bold]artsound push artsound-lite me/artsound-lite --tag v1.1[/]"
)
def push(
    folder: Annotated[Path, typer.Argument(metavar="R", help="A release's folder.")],
    repo_id: Annotated[
        str, typer.Argument(metavar="REPO_ID", help="The dataset repository: NAMESPACE/NAME.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="The branch to push to; made if there is none.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Name the pushed state, as in v1.0.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what the repository has that is no release.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be sent and deleted.")
    ] = False,
) -> None:
    """Send a release to the Hub; run again after an interruption, it continues.

    The token is that of HF_TOKEN or of `hf auth login`.
    """
    from artsound.release.push import push as send

    pushed = send(
        folder,
        repo_id,
        private=private,
        revision=revision,
        tag=tag,
        replace=replace,
        dry_run=dry_run,
        say=_note,
    )
    if dry_run:
        table = Table("change", "bytes to send", "file", box=None, pad_edge=False)
        for change in pushed.plan.changes:
            table.add_row(change.kind, f"{change.send:,}", escape(change.path))
        _out.print(table)
    _out.print(pushed.summary(dry_run=dry_run), soft_wrap=True, markup=False)


@app.command(
    epilog="Examples:\n\n"
    "[bold]artsound verify artsound-lite[/]\n\n"
    "[bold]artsound verify me/artsound-lite --revision v1.1[/]"
)
def verify(
    release: Annotated[
        str, typer.Argument(metavar="R_OR_REPO", help="A release's folder, or its repository.")
    ],
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit of the repository.")
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download", help="Read all bytes of the repository, not only its checksums."
        ),
    ] = False,
) -> None:
    """Check every file of a release against its manifest, in a folder or on the Hub."""
    from artsound.release.remote import verify_anywhere

    count, problems = verify_anywhere(release, revision, download=download, say=_note)
    for problem in problems:
        _out.print(problem, soft_wrap=True, markup=False)
    if problems:
        raise ArtsoundError(f"{release}: {len(problems)} files differ from the manifest")
    _out.print(f"{release}: all {count} files as the manifest says", soft_wrap=True, markup=False)


def _note(line: str) -> None:
    Console(stderr=True, highlight=False).print(line, soft_wrap=True, markup=False)


def main() -> None:
    """Run the command line: exit code 0 done, 1 the job failed, 2 the command line is wrong."""
    sys.exit(run(app, "artsound"))


if __name__ == "__main__":
    main()
