"""Opening a finished build again, with the sources that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artsound.errors import UsageError
from artsound.recipe import Recipe
from artsound.sources.archive import cached_source
from artsound.stage import Build
from artsound.workspace import Workspace


def reopen(
    workspace: Workspace, *, artworks: Path | None = None, tracks: Path | None = None
) -> Build:
    """Return the build that made a workspace.

    Args:
        workspace: the workspace.
        artworks: the artworks' source, if it is not where the build found it.
        tracks: the tracks' source, likewise.

    Raises:
        UsageError: the folder is no workspace, or a source is gone or another one.
    """
    begun = workspace.description()
    return Build(
        Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json"),
        workspace,
        _source(begun, "artworks", artworks),
        _source(begun, "tracks", tracks),
    )


def _source(begun: Mapping[str, Any], which: str, given: Path | None) -> Path:
    path = given or Path(begun["where"][which])
    if not path.exists():
        raise UsageError(f"the {which} source {path} is not there: say --{which} PATH")
    if cached_source(path).fingerprint() != begun["sources"][which]:
        raise UsageError(f"{path} is not the {which} source of this build: say --{which} PATH")
    return path
