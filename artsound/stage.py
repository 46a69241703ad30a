"""What a stage is: it reads tables and sources and writes one table, shard by shard.

A stage is a small class with one method that does the work, `run`. It never writes files, keeps no
state and knows nothing of executors: `engine.py` calls it, commits what it returns, and resumes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from artsound.models.registry import Models
from artsound.recipe import Recipe
from artsound.workspace import Workspace


def _unheard(done: int, total: int) -> None:
    """Stand for `Build.progress` where nobody looks."""


@dataclass(frozen=True)
class Build:
    """What every shard of a build may read; small, and picklable to worker processes.

    Attributes:
        recipe: everything that the result depends on, besides the sources.
        workspace: where the tables are.
        artworks: the artworks' archive or folder.
        tracks: the tracks' archive or folder.
        progress: `build.progress(done, total)` says how far a whole stage is, in a unit of its
            choice; cheap enough for an inner loop. Sharded stages need not: their parts count.
        models: the recipe's models, ready to be loaded.
        identities: what the results of models with weights of their own depend on, by (role,
            name): a shard made with other weights is made again.
    """

    recipe: Recipe
    workspace: Workspace
    artworks: Path
    tracks: Path
    progress: Callable[[int, int], None] = field(default=_unheard, repr=False, compare=False)
    models: Models = field(default_factory=Models)
    identities: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)


class Stage(ABC):
    """One step of a build.

    Attributes:
        table: the table that it writes, which is also the stage's name.
        side_tables: tables that it writes beside the first, such as caption attempts.
        reads: the tables that it reads. A sharded stage reads part n to write part n.
        source: which source it opens besides (`artworks`, `tracks` or none).
        whole: True for a stage that reads its tables whole and writes a single part.
    """

    table: str
    side_tables: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    source: ClassVar[str | None] = None
    whole: ClassVar[bool] = False

    def shards(self, build: Build) -> int:
        """Return the number of parts; by default that of the first table read."""
        return 1 if self.whole else len(build.workspace.shards(self.reads[0]))

    def models(self, recipe: Recipe) -> tuple[tuple[str, str], ...]:
        """Return (role, registry name) of the models that the stage loads."""
        return ()

    @abstractmethod
    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return what of the recipe shapes this stage's rows; a change there remakes them."""

    @abstractmethod
    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Make one shard.

        Returns:
            A table for `self.table` and for each of `self.side_tables`, a pure function of the
            shard's input rows, the sources and the recipe.
        """
