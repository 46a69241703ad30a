"""What a node of a cluster does with the shards that it is given.

The state of a build is in its workspace, which all nodes share. A node looks there first: a shard
that is intact already, made before its job was put back into the queue, is passed over.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artsound.atomic import write_atomically
from artsound.engine import RunShards, intact, log_folder
from artsound.errors import ArtsoundError
from artsound.executors.visible import PATIENCE_S, wait_for_parts
from artsound.models.served import served
from artsound.scrub import scrub
from artsound.stage import Build, Stage
from artsound.workspace import Workspace

if TYPE_CHECKING:
    from datatrove.executor.base import PipelineExecutor

_FAILURES = "failures"


class NodeShards(RunShards):
    """The datatrove step of a node; remembers what failed, for `artsound status`.

    Args:
        build: what the shards read.
        stage: the stage they belong to.
        pending: the numbers of the shards to make.
        inputs: how many parts each table has that the stage reads.
    """

    def __init__(
        self, build: Build, stage: Stage, pending: Sequence[int], inputs: Mapping[str, int]
    ) -> None:
        super().__init__(build, stage, pending)
        self.inputs = dict(inputs)
        self.patience_s = PATIENCE_S

    def missing(self, rank: int) -> bool:
        """Say whether a shard is still to be made."""
        return not intact(self.build, self.stage, self.pending[rank])

    def run(self, data: object, rank: int = 0, world_size: int = 1) -> Iterator[object]:
        """Make and commit one shard, in place of what an ended job left of it."""
        shard = self.pending[rank]
        note = failure_note(self.build.workspace, self.stage.table, shard)
        note.unlink(missing_ok=True)
        _sweep(self.build, self.stage, shard)
        only = None if self.stage.whole else shard
        try:
            wait_for_parts(self.build.workspace, self.inputs, only, self.patience_s)
            yield from super().run(data, rank, world_size)
        except (ArtsoundError, OSError) as error:
            said = scrub(str(error), self.build.workspace.root)
            write_atomically(note, f"{said}\n".encode())
            raise


@contextlib.contextmanager
def node(executor: PipelineExecutor, name: str) -> Iterator[Callable[[int], None]]:
    """Make shards on this node while the block lasts, its chat models served here.

    Args:
        executor: a datatrove executor of one step, `NodeShards`.
        name: of this worker; no other of the stage has it.

    Yields:
        A function that makes the shard of a rank.

    Raises:
        ArtsoundError: a chat model's server does not start, or ended before its time.
    """
    executor = copy.deepcopy(executor)
    (step,) = executor.pipeline
    build, stage = step.build, step.stage
    logs = log_folder(build, stage) / "nodes" / name

    def make(rank: int) -> None:
        if step.missing(rank):
            copy.deepcopy(executor)._run_for_rank(rank)  # datatrove's steps keep counts

    with served(build.models, stage.models(build.recipe), logs, _unheard) as models:
        step.build = dataclasses.replace(build, models=models)
        yield make


def failure_note(workspace: Workspace, table: str, shard: int) -> Path:
    """Return where it is noted why a shard failed on a node."""
    return workspace.root / "logs" / table / _FAILURES / f"part-{shard:05d}.txt"


def failures(workspace: Workspace, table: str) -> dict[int, str]:
    """Return why shards of a stage failed on a node, of those that are still missing."""
    done = set(workspace.shards(table))
    found = {}
    for path in sorted((workspace.root / "logs" / table / _FAILURES).glob("part-*.txt")):
        shard = int(path.stem.removeprefix("part-"))
        if shard not in done:
            found[shard] = path.read_text("utf-8").strip()
    return found


def forget_failures(workspace: Workspace, table: str, shards: Iterable[int]) -> None:
    """Forget why shards of a stage failed: they are about to be made again."""
    for shard in shards:
        failure_note(workspace, table, shard).unlink(missing_ok=True)


def absolute(build: Build) -> Build:
    """Return a build whose paths mean the same on every node."""
    return dataclasses.replace(
        build,
        workspace=Workspace(build.workspace.root.resolve()),
        artworks=build.artworks.resolve(),
        tracks=build.tracks.resolve(),
        models=dataclasses.replace(build.models, requests=build.workspace.requests.resolve()),
    )


def _sweep(build: Build, stage: Stage, shard: int) -> None:
    for table in (stage.table, *stage.side_tables):
        part = build.workspace.part(table, shard)
        for left in part.parent.glob(f".tmp-*-{part.stem}.*"):
            left.unlink(missing_ok=True)


def _unheard(line: str) -> None:
    """Stand for progress where nobody looks: a job's servers have their own logs."""
