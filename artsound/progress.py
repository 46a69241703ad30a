"""How a build shows that it moves: bars on a terminal, plain lines elsewhere.

Progress is read from the workspace (committed parts), so it is right whichever process made a part.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from artsound.workspace import Workspace

_POLL_S: Final = 0.2
_LINE_S: Final = 15.0


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
    def stage(self, table: str, shards: int, workspace: Workspace) -> Iterator[None]:
        """Show one stage from its first missing part to its last."""
        if self.quiet:
            yield
            return
        began = time.perf_counter()
        done_before = min(len(workspace.shards(table)), shards)
        stop = threading.Event()
        follow = self._bar if self.console.is_terminal else self._lines
        watcher = threading.Thread(
            target=follow, args=(table, shards, workspace, stop), name="progress", daemon=True
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

    def _bar(self, table: str, shards: int, workspace: Workspace, stop: threading.Event) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("shards"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(table, total=shards)
            while not stop.wait(_POLL_S):
                bars.update(task, completed=len(workspace.shards(table)))

    def _lines(self, table: str, shards: int, workspace: Workspace, stop: threading.Event) -> None:
        began = time.perf_counter()
        while not stop.wait(_LINE_S):
            done = len(workspace.shards(table))
            self.say(f"{table}: {done} of {shards} shards, {time.perf_counter() - began:.0f} s")


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
