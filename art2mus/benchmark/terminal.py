"""What the benchmark's commands share: their options, and how they read and print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console

from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.benchmark.results import Results
    from artsound.table import Table

OUT: Final = Console(highlight=False)

Device = Literal["auto", "cpu", "cuda"]
Format = Literal["text", "markdown", "csv", "latex"]
_SUFFIXES: Final = {".md": "markdown", ".csv": "csv", ".tex": "latex"}

ReleaseArgument = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release's folder, or its repository on the Hub.")
]
Revision = Annotated[
    str | None, typer.Option(help="A branch, tag or commit of the release's repository.")
]
Split = Annotated[str, typer.Option(help="Which of the release's splits.")]
Suite = Annotated[str, typer.Option(help="paper, or lite, which downloads nothing.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", help="Instead of a suite; repeatable. See `benchmark metrics`."),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        metavar="EMBEDDER=PATH",
        help="A metric's weights, where not to be downloaded.",
    ),
]
Cache = Annotated[
    Path | None, typer.Option(help="Where embeddings are kept; by default the user's cache.")
]
DeviceOption = Annotated[Device, typer.Option(help="auto takes a GPU where there is one.")]
AnyLength = Annotated[
    bool,
    typer.Option("--any-length", help="Take clips of other lengths side by side, too; marked."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Name = Annotated[str | None, typer.Option(help="What tables call the model.")]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="By default that of --out's suffix, or text on a terminal."),
]
Out = Annotated[Path | None, typer.Option(help="Write to this file: .md, .csv or .tex.")]


def show(tables: list[Table], kind: Format, out: Path | None) -> None:
    """Print tables, or write them to a file.

    Args:
        tables: what to show; as CSV the first only is printed, and each has a file of its own:
            `out` and, beside it, `out` with the table's name.
        kind: how.
        out: the file; printed if None.
    """
    from artsound.atomic import write_atomically
    from artsound.table import show_tables

    if kind == "text":
        show_tables(tables)
        return
    if kind == "csv":
        if out is None:
            typer.echo(tables[0].csv(), nl=False)
            return
        for place, table in enumerate(tables):
            path = out.with_name(f"{out.stem}-{table.name}{out.suffix}") if place else out
            write_atomically(path, table.csv().encode())
            OUT.print(f"wrote {path}", soft_wrap=True, markup=False)
        return
    text = "\n".join(one.latex() if kind == "latex" else one.markdown() for one in tables)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_atomically(out, text.encode())
        OUT.print(f"wrote {out}", soft_wrap=True, markup=False)


def format_of(given: Format | None, out: Path | None) -> Format:
    """Return the format that is asked for, or that a file's name asks for.

    Raises:
        UsageError: the file's name does not tell, or text is to be written.
    """
    if out is not None:
        known = _SUFFIXES.get(out.suffix.lower())
        if given == "text" or (given is None and known is None):
            raise UsageError(f"--out {out}: name it .md, .csv or .tex, or say --format")
        return given or known or "markdown"  # type: ignore[return-value]
    return given or ("text" if OUT.is_terminal else "markdown")


def read(path: Path) -> Results:
    """Read results.json, or that of a folder."""
    from art2mus.benchmark.results import read_results

    return read_results(_results(path))


def read_all(paths: list[Path]) -> dict[str, Results]:
    """Read results by the names of their files; one that is named twice is read once."""
    once = {_results(path).resolve(): path for path in reversed(paths)}
    return {str(path): read(path) for path in reversed(once.values())}


def _results(path: Path) -> Path:
    return path / "results.json" if path.is_dir() else path


def pairs_of(given: list[str] | None, option: str, form: str) -> dict[str, str]:
    """Return the keys and values of a repeatable option.

    Raises:
        UsageError: one has no key or no equals sign.
    """
    made = {}
    for one in given or ():
        key, equals, value = one.partition("=")
        if not (key and equals):
            raise UsageError(f"{option} {one!r}: write {option} {form}")
        made[key] = value
    return made


def cache_of(given: Path | None) -> Path:
    """Return where embeddings and replies are kept."""
    from artsound.models.digests import cache_folder

    return given or cache_folder() / "art2mus"


def on_gpu(device: Device) -> bool:
    """Say whether to compute on a GPU.

    Raises:
        UsageError: one is asked for and there is none.
    """
    if device == "cpu":
        return False
    import torch

    if torch.cuda.is_available():
        return True
    if device == "cuda":
        raise UsageError("--device cuda: this machine has no usable GPU")
    return False


def warn(problems: Sequence[str]) -> None:
    """Print lines on standard error; of many that differ in a file's name only, the first."""
    console = Console(stderr=True, highlight=False)
    for problem in shortened(problems):
        console.print(problem, soft_wrap=True, markup=False)


def shortened(problems: Sequence[str], most: int = 10) -> list[str]:
    """Return lines, of each kind the first ones and how many more there are.

    Args:
        problems: lines; of one kind are those that agree after their first colon.
        most: how many of a kind are kept.
    """
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(problem.partition(": ")[2], []).append(problem)
    made = []
    for kind, held in kinds.items():
        made += held[:most]
        if len(held) > most:
            made.append(f"... and {len(held) - most} more: {kind}")
    return made


def line(key: str, text: str) -> None:
    """Print a key and its text, indented."""
    OUT.print(f"  {key:<8} {text}", soft_wrap=True, markup=False)
