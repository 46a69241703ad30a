"""Runs a stage's shards on datatrove, and resumes them.

Only shards without an intact part run. A worker process keeps its models between the shards that
it is given, and computes on one thread, so that the bytes of a part depend neither on the number of
workers nor on the machine's core count. A whole stage runs alone, with all cores, and must take
care itself that its bytes do not depend on their number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import platform
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from datatrove.pipeline.base import PipelineStep

from artsound.errors import ArtsoundError
from artsound.logs import end_log, logger, stderr_to
from artsound.models import registry
from artsound.models.served import served
from artsound.models.setup import Setup
from artsound.progress import Progress, ProgressFile
from artsound.sources.archive import cached_source
from artsound.stage import Build, Stage
from artsound.threads import cores, limited
from artsound.workers import Workers

_SHAPING: Final = ("artsound", "torch", "transformers", "numpy", "pyarrow", "pillow", "soundfile")


class ShardFailedError(ArtsoundError):
    """A shard could not be made; what was committed before stays."""


class RunShards(PipelineStep):  # type: ignore[misc]
    """The datatrove step: task n makes the n-th pending shard of a stage and commits it.

    Args:
        build: what the shards read.
        stage: the stage they belong to.
        pending: the numbers of the shards to make.
    """

    name = "ArtSound stage"
    type = "ArtSound"

    def __init__(self, build: Build, stage: Stage, pending: Sequence[int]) -> None:
        super().__init__()
        self.build = build
        self.stage = stage
        self.pending = tuple(pending)

    def run(self, data: object, rank: int = 0, world_size: int = 1) -> Iterator[object]:
        """Make and commit one shard; `data` is passed through, as datatrove expects."""
        shard = self.pending[rank]
        try:
            with (
                limited(stage_threads(self.stage)),
                stderr_to(log_folder(self.build, self.stage) / "stderr.log"),
            ):
                self._make(shard)
        except ArtsoundError:
            raise
        except Exception as error:  # name the shard; the trace is in the log
            logger.debug("{}", traceback.format_exc())  # the file only, and no variables
            raise ShardFailedError(
                f"{self.task_name(rank)}: {type(error).__name__}: {error};"
                f" trace in {log_folder(self.build, self.stage)},"
                " finished shards are kept: run the same command again to continue"
            ) from error
        yield from ()

    def task_name(self, rank: int) -> str:
        """Return what an error message calls a task."""
        return f"stage {self.stage.table}, shard {self.pending[rank]}"

    def _make(self, shard: int) -> None:
        began = time.perf_counter()
        tables = self.stage.run(self.build, shard)
        seconds = time.perf_counter() - began
        inputs = shard_inputs(self.build, self.stage, shard)
        # The stage's own table is committed last: its marker says that the shard is whole.
        for name in (*self.stage.side_tables, self.stage.table):
            self.build.workspace.commit(
                name, shard, tables[name], inputs=inputs, seconds=seconds, versions=_versions()
            )
        logger.debug("{} shard {}: {:.2f} s", self.stage.table, shard, seconds)


def pending_shards(build: Build, stage: Stage) -> list[int]:
    """Return the shards of a stage that have no intact part, and forget parts beyond the last."""
    count = stage.shards(build)
    tables = (*stage.side_tables, stage.table)
    for table in tables:
        if len(build.workspace.shards(table)) > count:
            build.workspace.drop(table, keep=count)
    return [shard for shard in range(count) if not intact(build, stage, shard)]


def intact(build: Build, stage: Stage, shard: int) -> bool:
    """Say whether a shard is committed, unaltered, and made from what it would be made from now."""
    inputs = shard_inputs(build, stage, shard)
    tables = (*stage.side_tables, stage.table)
    return all(build.workspace.intact(table, shard, inputs) for table in tables)


def shard_inputs(
    build: Build, stage: Stage, shard: int, sources: Mapping[str, str] | None = None
) -> str:
    """Return a checksum of everything that a shard is made from: settings, source, input parts.

    Args:
        build: what the shard reads.
        stage: its stage.
        shard: its number.
        sources: the fingerprints of the sources; if None, they are opened for it.
    """
    parts: list[Any] = [stage.table, shard, dict(stage.settings(build.recipe))]
    used = (build.identities.get(model) for model in stage.models(build.recipe))
    parts += [identity for identity in used if identity]
    if stage.source is not None:
        known = sources and sources[stage.source]
        parts.append(known or cached_source(getattr(build, stage.source)).fingerprint())
    for table in stage.reads:
        numbers = build.workspace.shards(table) if stage.whole else [shard]
        for number in numbers:
            marker = build.workspace.marker(table, number)
            parts.append([table, number, marker.sha256 if marker else None])
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def run_stage(build: Build, stage: Stage, workers: int, progress: Progress) -> int:
    """Make the shards of a stage that are missing, on this machine.

    Args:
        build: what the shards read.
        stage: the stage to run.
        workers: how many processes work at a time; one is this process itself.
        progress: told of every part that is committed.

    Returns:
        The number of shards made.

    Raises:
        ArtsoundError: a shard failed; the message says which, why, and where the trace is.
    """
    pending = pending_shards(build, stage)
    cards = _graphics_cards(build, stage)
    workers = min(workers, cards or workers)
    told = ProgressFile(log_folder(build, stage) / "progress.json") if stage.whole else None
    with progress.stage(stage.table, stage.shards(build), build.workspace, told):
        if pending:
            heard = dataclasses.replace(build, progress=told) if told else build
            logs = log_folder(build, stage)
            with served(build.models, stage.models(build.recipe), logs, progress.say) as models:
                try:
                    Workers(
                        RunShards(dataclasses.replace(heard, models=models), stage, pending),
                        len(pending),
                        # Even a whole stage gets a process of its own, so that Ctrl-C ends it at
                        # once, whatever native code it is in, and its memory comes back.
                        processes=workers if workers > 1 else 0,
                        threads=stage_threads(stage),
                        logs=logs,
                    ).run()
                finally:
                    end_log()
            if cards:  # the next stage needs the GPU's memory
                registry.forget()
    return len(pending)


def stage_threads(stage: Stage) -> int:
    """Return how many threads a shard of a stage computes on."""
    return cores() if stage.whole else 1


def _graphics_cards(build: Build, stage: Stage) -> int:
    """Return how many GPUs a stage's models compute on, one a worker; 0 if on none."""
    setups = [build.models.setup(role, name) for role, name in stage.models(build.recipe)]
    if not any(_has_weights_for_gpu(setup) for setup in setups):
        return 0
    import torch

    return torch.cuda.device_count()


def wants_gpu(build: Build, stage: Stage) -> bool:
    """Say whether a stage's models, or the servers of its chat models, compute on a GPU."""
    setups = [build.models.setup(role, name) for role, name in stage.models(build.recipe)]
    return any(
        _has_weights_for_gpu(setup) or (setup.entry.served and not setup.settings.endpoint)
        for setup in setups
    )


def _has_weights_for_gpu(setup: Setup) -> bool:
    return bool(setup.entry.weights and not setup.entry.served and setup.settings.device != "cpu")


def log_folder(build: Build, stage: Stage) -> Path:
    """Return where a stage's logs are."""
    return build.workspace.root / "logs" / stage.table


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _SHAPING:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
