"""Opening a finished build again, with the sources that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from artsound.errors import UsageError
from artsound.models.registry import Models
from artsound.recipe import Recipe
from artsound.sources.archive import cached_source
from artsound.stage import Build
from artsound.workspace import Workspace


def reopen(
    workspace: Workspace,
    *,
    artworks: Path | None = None,
    tracks: Path | None = None,
    settings: Iterable[str] = (),
) -> Build:
    """Return the build that made a workspace.

    Args:
        workspace: the workspace.
        artworks: the artworks' source, if it is not where the build found it.
        tracks: the tracks' source, likewise.
        settings: `key=value` settings of models over the recipe's, such as an endpoint.

    Raises:
        UsageError: the folder is no workspace, a source is gone or another one, or a setting is
            wrong or not of a model.
    """
    begun = workspace.description()
    given = list(settings)
    for setting in given:
        if not setting.startswith("models."):
            raise UsageError(
                f"--set {setting}: the workspace is built; only models.NAME.* can be set"
            )
    recipe = Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json", given)
    return Build(
        recipe,
        workspace,
        _source(begun, "artworks", artworks),
        _source(begun, "tracks", tracks),
        models=Models(recipe.models, workspace.requests),
    )


def _source(begun: Mapping[str, Any], which: str, given: Path | None) -> Path:
    path = given or Path(begun["where"][which])
    if not path.exists():
        raise UsageError(f"the {which} source {path} is not there: say --{which} PATH")
    if cached_source(path).fingerprint() != begun["sources"][which]:
        raise UsageError(f"{path} is not the {which} source of this build: say --{which} PATH")
    return path
