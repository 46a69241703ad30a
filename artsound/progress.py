"""How a build shows that it moves: bars on a terminal, plain lines elsewhere.

Progress is read from the workspace, so it is right whichever process works: the committed parts of
a sharded stage, and for a whole stage a small file that its worker keeps up to date.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars

from artsound.atomic import write_atomically
from artsound.workspace import Workspace

_POLL_S: Final = 0.2
_LINE_S: Final = 15.0
_TELL_S: Final = 0.5


class ProgressFile:
    """How far a whole stage is: called by its worker, read by the build's own process.

    Args:
        path: the file; a build that was killed may leave it, and the next clears it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = -_TELL_S

    def __call__(self, done: int, total: int) -> None:
        """Say that `done` of `total` is done; written at most twice a second, so it is cheap."""
        now = time.monotonic()
        if now - self._told < _TELL_S:
            return
        self._told = now
        text = json.dumps([int(done), int(total)])
        with contextlib.suppress(OSError):  # it is only for show; the commit will say what is wrong
            write_atomically(self.path, text.encode(), durable=False)

    def read(self) -> tuple[int, int] | None:
        """Return what was told last, or None."""
        try:
            done, total = json.loads(self.path.read_text())
        except FileNotFoundError:
            return None
        return done, total

    def clear(self) -> None:
        """Forget what was told."""
        self.path.unlink(missing_ok=True)


class Pace:
    """Estimates the time left from what was done since it was first asked.

    A stage that continues from a checkpoint starts at more than nothing: that is not counted as
    done just now. A new total begins a new estimate.
    """

    def __init__(self) -> None:
        self._first: tuple[float, int, int] | None = None

    def left(self, done: int, total: int, now: float) -> float | None:
        """Return the seconds left at `now`, or None where there is nothing to judge by yet."""
        if self._first is None or self._first[2] != total or done < self._first[1]:
            self._first = (now, done, total)
        began, before, _ = self._first
        if done == before:
            return None
        return (total - done) * (now - began) / (done - before)


class Progress:
    """Shows the stages of one build.

    Args:
        console: where to; standard error by default, so that standard output stays clean.
        quiet: show nothing.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        # A descriptor of its own: the engine lends descriptor 2 to the logs while a shard runs.
        self.console = console or Console(file=os.fdopen(os.dup(2), "w"), highlight=False)
        self.quiet = quiet

    @contextlib.contextmanager
    def stage(
        self, table: str, shards: int, workspace: Workspace, told: ProgressFile | None = None
    ) -> Iterator[None]:
        """Show one stage from its first missing part to its last.

        Args:
            table: the stage.
            shards: how many parts it has.
            workspace: where the parts are.
            told: what a whole stage says of its progress.
        """
        if told:
            told.clear()
        try:
            with self._shown(table, shards, workspace, told):
                yield
        finally:
            if told:
                told.clear()

    @contextlib.contextmanager
    def _shown(
        self, table: str, shards: int, workspace: Workspace, told: ProgressFile | None
    ) -> Iterator[None]:
        if self.quiet:
            yield
            return
        began = time.perf_counter()
        done_before = min(len(workspace.shards(table)), shards)
        stop = threading.Event()
        follow = self._bar if self.console.is_terminal else self._lines
        watcher = threading.Thread(
            target=follow, args=(table, shards, workspace, told, stop), name="progress", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
        self.say(_summary(table, workspace, done_before == shards, time.perf_counter() - began))

    def say(self, line: str) -> None:
        """Print one line, unless quiet."""
        if not self.quiet:
            self.console.print(line, markup=False, soft_wrap=True)

    def _bar(
        self,
        table: str,
        shards: int,
        workspace: Workspace,
        told: ProgressFile | None,
        stop: threading.Event,
    ) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        pace = Pace()
        with Bars(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(table, total=shards, unit="shards", left="")
            while not stop.wait(_POLL_S):
                done, total, unit = _how_far(table, shards, workspace, told)
                left = _left(pace.left(done, total, time.monotonic()))
                bars.update(task, completed=done, total=total, unit=unit, left=left)

    def _lines(
        self,
        table: str,
        shards: int,
        workspace: Workspace,
        told: ProgressFile | None,
        stop: threading.Event,
    ) -> None:
        began = time.monotonic()
        pace = Pace()
        while not stop.wait(_LINE_S):
            done, total, unit = _how_far(table, shards, workspace, told)
            now = time.monotonic()
            left = _left(pace.left(done, total, now))
            words = f"{table}: {done:,} of {total:,} {unit}".rstrip()
            self.say(", ".join(filter(None, (words, f"{now - began:.0f} s", left))))


def _how_far(
    table: str, shards: int, workspace: Workspace, told: ProgressFile | None
) -> tuple[int, int, str]:
    """Return done, total and their unit."""
    heard = told.read() if told else None
    if heard:
        return *heard, ""
    return len(workspace.shards(table)), shards, "shards"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, hours = seconds / 60, seconds / 3600
    if hours >= 1:
        return f"about {hours:.1f} h left"
    return f"about {minutes:.0f} min left" if minutes >= 1 else f"about {seconds:.0f} s left"


def _summary(table: str, workspace: Workspace, was_done: bool, seconds: float) -> str:
    markers = [workspace.marker(table, shard) for shard in workspace.shards(table)]
    rows = sum(marker.rows for marker in markers if marker)
    failures: dict[str, int] = {}
    for marker in markers:
        for reason, count in marker.failures.items() if marker else ():
            failures[reason] = failures.get(reason, 0) + count
    took = "already done" if was_done and seconds < 1 else f"{seconds:.1f} s"
    noted = "; ".join(f"{count} {reason}" for reason, count in sorted(failures.items()))
    return f"{table}: {rows} rows, {took}" + (f" ({noted})" if noted else "")
