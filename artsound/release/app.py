"""`artsound release`: its options, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Table

from artsound.errors import UsageError

if TYPE_CHECKING:
    from artsound.release.configs import Written

Media = Literal["embed", "none"]
Licenses = Literal["all", "permissive"]
Where = Literal["local", "slurm"]

EPILOG: Final = (
    "Examples:\n\n"
    "[bold]artsound release work --out artsound-lite[/]\n\n"
    "[bold]artsound release work --out artsound-texts --media none[/]\n\n"
    "[bold]artsound release work --out next --previous artsound-lite --licenses permissive[/]\n\n"
    "[bold]artsound release work --out artsound-lite --executor slurm --wait[/]"
)
_out = Console(highlight=False)


def release(
    workspace: Annotated[Path, typer.Argument(metavar="W", help="A finished workspace.")],
    out: Annotated[Path, typer.Option(help="The release's folder; it must not exist yet.")],
    media: Annotated[
        Media, typer.Option(help="Put the artworks and the music in, or leave them out.")
    ] = "embed",
    licenses: Annotated[
        Licenses,
        typer.Option(help="permissive: only pairs that may be redistributed with changes."),
    ] = "all",
    version: Annotated[
        str | None,
        typer.Option(help="As in 1.2.0; by default 1.0.0, or the next after the previous."),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(metavar="R_OLD", help="The release before: rows keep its splits."),
    ] = None,
    artworks: Annotated[
        Path | None, typer.Option(help="The artworks' source, if it has moved since the build.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="The tracks' source, if it has moved since the build.")
    ] = None,
    executor: Annotated[
        Where, typer.Option(help="slurm: as a job, after those of the build that go on.")
    ] = "local",
    wait: Annotated[
        bool, typer.Option("--wait", help="With slurm: stay until the jobs have ended.")
    ] = False,
) -> None:
    """Write a release: a folder that `datasets.load_dataset` opens.

    With slurm, it may be submitted right after the build: its job waits for the build's.
    """
    from artsound.release.assemble import release as write
    from artsound.workspace import Workspace

    if wait and executor != "slurm":
        raise UsageError("--wait is for --executor slurm; without, the command ends with the work")
    if executor == "slurm":
        from artsound.executors.follow import follow
        from artsound.executors.release import submit_release

        submit_release(
            Workspace(workspace),
            out,
            artworks=artworks,
            tracks=tracks,
            media=media,
            licenses=licenses,
            version=version,
            previous=previous,
            say=_say,
        )
        if wait:
            follow(Workspace(workspace), _say)
        done, then = ("released", f"verify {out}") if wait else ("submitted", f"status {workspace}")
        _out.print(f"{done} {out}; next: artsound {then}", soft_wrap=True, markup=False)
        return
    made = write(
        Workspace(workspace),
        out,
        artworks=artworks,
        tracks=tracks,
        media=media,
        licenses=licenses,
        version=version,
        previous=previous,
    )
    _out.print(written_table(made.written))
    facts = made.facts
    if licenses == "permissive":
        dropped = facts["dropped_pairs"]
        why = ", by licence that stands in the way:" if dropped else ": every licence allows it"
        _out.print(f"dropped {dropped:,} pairs{why}")
        for licence, count in facts["dropped_by_license"].items():
            _out.print(f"  {count:,} {licence}", soft_wrap=True, markup=False)
    if rare := facts["splits"]["rare_styles"]:
        _out.print(f"{len(rare)} styles are too rare for a held-out pair each; see manifest.json")
    _out.print(
        f'version {facts["version"]}; open it: datasets.load_dataset("{out}")', soft_wrap=True
    )


def written_table(parts: Iterable[Written]) -> Table:
    """Return what was written, for people: a row a configuration and split."""
    table = Table("configuration", "split", "rows", "bytes", "files", box=None, pad_edge=False)
    for part in parts:
        table.add_row(
            part.config, part.split, f"{part.rows:,}", f"{part.bytes:,}", str(len(part.shards))
        )
    return table


def _say(line: str) -> None:
    Console(stderr=True, highlight=False).print(line, soft_wrap=True, markup=False)
