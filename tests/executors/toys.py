"""Toy stages that the nodes of a cluster can import, and what they are run on."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from artsound.models.base import FusionRequest
from artsound.models.registry import Models
from artsound.recipe import Recipe
from artsound.stage import Build, Stage
from artsound.workspace import Workspace


class Numbers(Stage):
    """As many parts as the recipe's seed says."""

    table = "numbers"

    def shards(self, build: Build) -> int:
        return build.recipe.seed

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        return {"seed": recipe.seed}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        return {"numbers": pa.table({"id": [shard]})}


class Squares(Stage):
    """The squares of the numbers, and their cubes beside them."""

    table = "squares"
    side_tables = ("cubes",)
    reads = ("numbers",)

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        return {}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        numbers = build.workspace.read("numbers", shard=shard)["id"].to_pylist()
        return {
            "squares": pa.table({"id": [n**2 for n in numbers]}),
            "cubes": pa.table({"id": [n**3 for n in numbers]}),
        }


class Total(Stage):
    """One number from all parts."""

    table = "total"
    reads = ("squares",)
    whole = True

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        return {}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        squares = build.workspace.read("squares")["id"].to_pylist()
        return {"total": pa.table({"total": [sum(squares)]})}


class Broken(Squares):
    """Fails at its second shard."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        if shard == 1:
            raise ZeroDivisionError("no such luck")
        return super().run(build, shard)


class Patient(Numbers):
    """Has not ended its second shard when its time is over; is quick when it is begun again."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        if shard == 1 and os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
            time.sleep(300)
        return super().run(build, shard)


class Mortal(Numbers):
    """Loses its process at the third shard, the first time."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        died = build.artworks / "died"
        if shard == 2 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(build, shard)


class Doomed(Numbers):
    """Loses its process at the third shard, always."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        if shard == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(build, shard)


class Leisurely(Numbers):
    """Says where each shard is made, and takes its time."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        where = build.artworks / f"begun-{shard}"
        where.write_text(os.environ.get("TOY_NODE", ""))
        time.sleep(0.5)
        return super().run(build, shard)


class Tail(Numbers):
    """One shard hangs on the second node while its other workers have nothing left to do."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        (build.artworks / f"at-{shard}").touch()
        while len(list(build.artworks.glob("at-*"))) < self.shards(build):
            time.sleep(0.1)
        hanging = build.artworks / "hanging"
        if os.environ.get("TOY_NODE") == "second":
            try:
                hanging.touch(exist_ok=False)
            except FileExistsError:
                time.sleep(1)
            else:
                time.sleep(300)
        return super().run(build, shard)


class Large(Numbers):
    """A whole stage that hangs where it is begun first."""

    whole = True

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        hanging = build.artworks / "hanging"
        if not hanging.exists():
            hanging.touch()
            time.sleep(300)
        return super().run(build, shard)


class Hopeless(Numbers):
    """Never ends its second shard."""

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        if shard == 1:
            time.sleep(600)
        return super().run(build, shard)


class Chatty(Numbers):
    """Asks a chat model, which somebody must serve."""

    def models(self, recipe: Recipe) -> tuple[tuple[str, str], ...]:
        return (("fuser", "qwen3-14b"),)

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        fuser = build.models.load("fuser", "qwen3-14b")
        said = fuser.fuse([FusionRequest(str(shard), ("A lute.",), f"1. A lute number {shard}.")])
        return {"numbers": pa.table({"id": [shard], "said": said})}


def chatty_build(folder: Path, *settings: str) -> Build:
    """Return a build whose chat model is weights in a folder, to be served by `vllm`."""
    weights = folder.parent / "weights"
    weights.mkdir(exist_ok=True)
    (weights / "config.json").write_text("{}")
    no_gpu = ("executor.slurm.gpus=0", "executor.ray.gpus=0")
    toys = toy_build(folder, f"models.qwen3-14b.checkpoint={weights}", *no_gpu, *settings)
    return dataclasses.replace(toys, models=Models(toys.recipe.models, toys.workspace.requests))


def install_vllm(folder: Path) -> None:
    """Write a program `vllm` that is the tests' chat server."""
    program = folder / "vllm"
    root = Path(__file__).resolve().parents[2]
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "from tests.chat_server import vllm_main\nvllm_main()\n"
    )
    program.chmod(0o755)


def toy_build(folder: Path, *settings: str, shards: int = 4, recipe: str = "lite") -> Build:
    """Return a build of so many numbers."""
    read = Recipe.read(recipe, [f"seed={shards}", *settings])
    return Build(read, Workspace(folder / "work"), folder, folder)


def parts(workspace: Workspace) -> dict[str, bytes]:
    """Return the bytes of all parts."""
    return {
        path.relative_to(workspace.root).as_posix(): path.read_bytes()
        for path in sorted((workspace.root / "tables").rglob("*.parquet"))
    }
