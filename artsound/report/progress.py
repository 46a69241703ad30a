"""How far the report has come: what is told to whom."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

# Called with (what, done, total).
Progress = Callable[[str, int, int], None]
# Called with what begins.
Say = Callable[[str], None]


def unheard(what: str, done: int, total: int) -> None:
    """Stand for a `Progress` where nobody looks."""


@contextlib.contextmanager
def steps(progress: Progress) -> Iterator[Say]:
    """Give a function that says what begins, which ends what began before."""
    begun: list[str] = []

    def end() -> None:
        if begun:
            progress(begun[-1], 1, 1)

    def say(what: str) -> None:
        end()
        begun.append(what)
        progress(what, 0, 1)

    yield say
    end()


@contextlib.contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress]:
    """Give a `Progress` that is shown on standard error."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(transient=True, console=Console(stderr=True), disable=quiet) as bars:
        tasks: dict[str, TaskID] = {}

        def bar(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield bar
