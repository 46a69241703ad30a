"""`artsound.build` at its edges: empty catalogues, moved sources, changed sources."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

import artsound
from artsound.errors import UsageError
from artsound.recipe import Recipe
from artsound.status import status
from tests.conftest import SampleSources

RECIPE = Recipe.read("lite")


def _artgraph(folder: Path, listed: str) -> Path:
    (folder / "mapping").mkdir(parents=True)
    (folder / "mapping/artwork_entidx2name.csv").write_text(listed)
    return folder


def test_an_empty_catalogue_is_an_empty_table(sources: SampleSources, tmp_path: Path) -> None:
    workspace = artsound.build(
        RECIPE,
        artworks=_artgraph(tmp_path / "artgraph", ""),
        tracks=sources.tracks,
        out=tmp_path / "work",
        until="image_captions",
    )
    assert workspace.read("artworks").num_rows == 0
    assert workspace.read("image_captions").num_rows == 0
    assert status(workspace)[0].state == "done"


def test_artworks_without_files_are_rows(sources: SampleSources, tmp_path: Path) -> None:
    workspace = artsound.build(
        RECIPE,
        artworks=_artgraph(tmp_path / "artgraph", "0,a_b-1900.jpg\n1,a_b-1901.jpg\n"),
        tracks=sources.tracks,
        out=tmp_path / "work",
        until="artworks",
    )
    assert workspace.read("artworks")["reason"].to_pylist() == ["image file missing"] * 2


def test_the_same_sources_may_move_and_others_are_refused(
    sources: SampleSources, tmp_path: Path
) -> None:
    out = tmp_path / "work"
    options = {"out": out, "until": "artworks"}
    artsound.build(RECIPE, artworks=sources.artworks, tracks=sources.tracks, **options)  # type: ignore[arg-type]
    moved = tmp_path / "elsewhere" / "artgraph.zip"
    moved.parent.mkdir()
    shutil.copy(sources.artworks, moved)
    workspace = artsound.build(RECIPE, artworks=moved, tracks=sources.tracks, **options)  # type: ignore[arg-type]
    assert workspace.description()["where"]["artworks"] == str(moved)
    with zipfile.ZipFile(moved, "a") as archive:
        archive.writestr("imagesf2/more.jpg", b"more")
    with pytest.raises(UsageError, match="the contents of the artworks source"):
        artsound.build(RECIPE, artworks=moved, tracks=sources.tracks, **options)  # type: ignore[arg-type]


def test_a_wrong_number_of_workers_is_refused(sources: SampleSources, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        artsound.build(
            RECIPE, artworks=sources.artworks, tracks=sources.tracks, out=tmp_path, workers=0
        )
