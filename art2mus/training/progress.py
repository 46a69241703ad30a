"""How a training shows that it moves: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

_LINE_S: Final = 15.0
_MINUTES_FROM_S: Final = 120.0
Report = Callable[[str, int, int], None]


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= _MINUTES_FROM_S else f"{max(1, seconds):.0f} s"


class TrainingProgress:
    """Shows steps, loss, learning rate and speed.

    Args:
        quiet: show nothing, as in all processes but the first.
        console: where to; standard error by default.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet
        self.console = console or Console(stderr=True, highlight=False)
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int]] = {}
        self._last: dict[str, int] = {}
        self._said = 0.0

    def __enter__(self) -> Self:
        self._tasks, self._began, self._last = {}, {}, {}
        if not self.quiet and self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            self._bars = Bars(*columns, console=self.console)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` of something is done."""
        if self.quiet:
            return
        now = time.monotonic()
        if done < self._last.get(what, done):  # it begins anew, as each fold's training does
            del self._began[what]
            if self._bars is not None:
                self._bars.reset(self._tasks[what])
        self._last[what] = done
        began, before = self._began.setdefault(what, (now, done))
        rate = (done - before) / (now - began) if now > began else 0.0
        words = ", ".join(filter(None, (note, f"{rate:.2f}/s" if rate else "")))
        if self._bars is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=total, note="")
            self._bars.update(self._tasks[what], completed=done, total=total, note=words)
        elif done >= total or now - self._said > _LINE_S:
            self._said = now
            left = f"about {_duration((total - done) / rate)} left" if rate and done < total else ""
            line = ", ".join(filter(None, (f"{what}: {done:,} of {total:,}", words, left)))
            self.console.print(line, markup=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """Print one line, unless quiet."""
        if not self.quiet:
            self.console.print(line, markup=False, soft_wrap=True)
