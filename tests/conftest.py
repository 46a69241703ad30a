"""The sample, built once a session with the lite recipe: what most end-to-end tests look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numba
import pytest
from filelock import FileLock

# huggingface_hub reads it when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Two processes of several threads each would mostly wait for one another.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

from artsound.builder import build
from artsound.recipe import Recipe
from artsound.release.assemble import release
from artsound.sources.sample import write_sample
from artsound.workspace import Workspace

if "PYTEST_XDIST_WORKER" in os.environ:  # numba's variable would bind a whole stage, too
    numba.set_num_threads(1)
# What a first call imports or compiles, and a busy machine, would fail a time limit an example.
hypothesis.settings.register_profile("artsound", deadline=None)
hypothesis.settings.load_profile("artsound")


@dataclass(frozen=True)
class SampleSources:
    """The embedded sample's archives."""

    artworks: Path
    tracks: Path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a test run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def cache(shared: Path) -> None:
    """Keep what is converted and hashed out of the user's own cache."""
    os.environ["ARTSOUND_CACHE"] = str(shared / "cache")


def once(folder: Path, make: Callable[[], object]) -> None:
    """Make what is in a folder, in one of the processes of a test run; the others wait for it."""
    with FileLock(f"{folder}.lock", timeout=1200):
        done = folder.with_name(f"{folder.name}.done")
        if not done.exists():
            make()
            done.touch()


@pytest.fixture(scope="session")
def sources(shared: Path) -> SampleSources:
    folder = shared / "sources"
    once(folder, lambda: write_sample(folder))
    return SampleSources(folder / "artgraph.zip", folder / "fma")


@pytest.fixture(scope="session")
def built(sources: SampleSources, shared: Path) -> Workspace:
    folder = shared / "built"
    once(
        folder,
        lambda: build(
            Recipe.read("lite"),
            artworks=sources.artworks,
            tracks=sources.tracks,
            out=folder,
            workers=2,
        ),
    )
    return Workspace(folder)


@pytest.fixture(scope="session")
def released(built: Workspace, shared: Path) -> Path:
    out = shared / "released"
    once(out, lambda: release(built, out))
    return out
