"""The sample, built once a session with the lite recipe: what most end-to-end tests look at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

# huggingface_hub reads it when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"

from artsound.builder import build
from artsound.recipe import Recipe
from artsound.release.assemble import release
from artsound.sources.sample import write_sample
from artsound.workspace import Workspace


@dataclass(frozen=True)
class SampleSources:
    """The embedded sample's archives."""

    artworks: Path
    tracks: Path


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> SampleSources:
    folder = tmp_path_factory.mktemp("sources")
    write_sample(folder)
    return SampleSources(folder / "artgraph.zip", folder / "fma")


@pytest.fixture(scope="session")
def built(sources: SampleSources, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return build(
        Recipe.read("lite"),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=tmp_path_factory.mktemp("built") / "work",
        workers=2,
    )


@pytest.fixture(scope="session")
def released(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("released") / "artsound"
    release(built, out)
    return out
