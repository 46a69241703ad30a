"""`artsound release`: from a workspace's tables to a folder that `load_dataset` opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artsound import __version__
from artsound.errors import ArtsoundError
from artsound.models import registry
from artsound.models.entry import Entry
from artsound.models.settings import ModelSettings, is_local
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.release import versioning
from artsound.release.card import write_card
from artsound.release.configs import Written, further, write_pairs, write_table
from artsound.release.diff import Difference, compare_facts, compare_tables
from artsound.release.features import pair_features, released_schema
from artsound.release.finished import check_finished
from artsound.release.lookup import read_tables
from artsound.release.manifest import read_manifest, versions, write_manifest
from artsound.release.media import Media, Problem
from artsound.release.pairs import Joined, barring, join, pair_id
from artsound.release.splits import (
    RULE,
    SPLITS,
    Split,
    as_split,
    assign_splits,
    describe_splits,
)
from artsound.release.staging import staged
from artsound.release.tables import DEFAULT, parts
from artsound.reopen import reopen
from artsound.workspace import Workspace

__all__ = ["DEFAULT", "Released", "Written", "pair_id", "release"]

MediaChoice = Literal["embed", "none"]
LicenseChoice = Literal["all", "permissive"]


@dataclass(frozen=True)
class Released:
    """A finished release.

    Attributes:
        written: what was written, a configuration and split at a time.
        facts: what its manifest says of it, the files aside.
    """

    written: tuple[Written, ...]
    facts: Mapping[str, Any]


def release(
    workspace: Workspace,
    out: Path,
    *,
    artworks: Path | None = None,
    tracks: Path | None = None,
    media: MediaChoice = "embed",
    licenses: LicenseChoice = "all",
    version: str | None = None,
    previous: Path | None = None,
) -> Released:
    """Write the release of a finished build.

    The release appears whole or not at all: it is written beside `out` and renamed at the end.
    Every media file is read once, and memory is bounded by one row group of media and the keys of
    the tables.

    Args:
        workspace: a finished build.
        out: the release's folder; it must not exist or be empty.
        artworks: the artworks' source, if it is not where the build found it.
        tracks: the tracks' source, likewise.
        media: `embed` the artworks and the music, or `none` of them; then no source is read, and
            `hydrate` can fill them in later.
        licenses: `all` pairs, or only those whose two licences are `permissive` enough to
            redistribute them with changes. A pair has the same split either way.
        version: the release's; if None, 1.0.0 or the next after the previous one's.
        previous: the release before: its artworks keep their splits, and CHANGELOG.md says what
            changed since.

    Raises:
        UsageError: `out` is in the way, the workspace or the previous release is none, a source is
            not the one that the build read, or the version is not above the previous one.
        ArtsoundError: the build is not finished, a part of it was made from others than are there,
            or a source file is not the one that was checked.
    """
    before = check_version(version, previous)
    begun = workspace.description()
    recipe = Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json")
    with staged(out) as (folder, scratch):
        check_finished(workspace)
        joined = join(workspace, recipe.pairing.released, scratch)
        source = None
        if media == "embed":
            build = reopen(workspace, artworks=artworks, tracks=tracks)
            where = (build.artworks, build.tracks)
            source = Media(joined.artworks, joined.tracks, *where, recipe, _refuse)
        splits = assign_splits(
            joined.pairs["artwork_id"].to_pylist(),
            held_out=recipe.release.held_out,
            max_validation=recipe.release.max_validation,
            seed=recipe.seed,
            previous=None if previous is None else _splits_of(previous),
        )
        kept = [True] * len(splits)
        dropped: dict[str, int] = {}
        if licenses == "permissive":
            kept, dropped = barring(joined.licenses())
        written = _write_pairs(folder, recipe, joined, splits, kept, source)
        for name, tables in further(workspace, recipe, scratch):
            written.append(write_table(folder, recipe, name, tables))
        found = None if previous is None else compare_tables(previous, folder)
        facts: dict[str, Any] = {
            "artsound": __version__,
            "media": media,
            "licenses": licenses,
            "dropped_pairs": kept.count(False),
            "dropped_by_license": dropped,
            "recipe": recipe.published(),
            "sources": begun["sources"],
            "models": _models(recipe, begun.get("models", {})),
            "splits": _splits_facts(recipe, joined, splits, kept, before),
            "rows": _rows(written),
            "versions": versions(),
        }
        facts = {"version": _version(facts, folder, version, previous, before, found), **facts}
        write_card(folder, facts)
        write_manifest(folder, facts, [shard for part in written for shard in part.shards])
    return Released(tuple(written), facts)


def check_version(version: str | None, previous: Path | None) -> dict[str, Any] | None:
    """See that a release may have a version, and return the manifest of the one before.

    Raises:
        UsageError: it is not semantic or not above the previous one's, or that is no release.
    """
    before = None if previous is None else read_manifest(previous)
    versioning.next_version(version, _version_of(before), None)
    return before


def _refuse(problem: Problem) -> None:
    raise ArtsoundError(
        f"{problem.file_name} (pair {problem.pair_id}) is not the file that the build checked"
        f" ({problem.reason}): give the sources it was built from"
    )


def _splits_of(release: Path) -> dict[str, Split]:
    """Return the split of each artwork of a release."""
    found: dict[str, Split] = {}
    for part in parts(release):
        if part.config == DEFAULT:
            for table in read_tables(part.files, ["artwork_id"]):
                found |= dict.fromkeys(table["artwork_id"].to_pylist(), as_split(part.split))
    return found


def _write_pairs(
    folder: Path,
    recipe: Recipe,
    joined: Joined,
    splits: Sequence[Split],
    kept: Sequence[bool],
    media: Media | None,
) -> list[Written]:
    written = []
    for split in SPLITS:
        wanted = [n for n, name in enumerate(splits) if name == split and kept[n]]
        rows = joined.rows(wanted, released_schema(pair_features(media=False)))
        written.append(write_pairs(folder, recipe, split, rows, media))
    return written


def _models(recipe: Recipe, known: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the facts of the recipe's models; `known` is what the build recorded of weights."""
    models: list[dict[str, str]] = []
    for stage in stages(recipe):
        for role, name in stage.models(recipe):
            entry = registry.entry(role, name)
            other = _other_repository(recipe, name)
            fact = {
                "role": role,
                "name": name,
                "weights": other or entry.source,
                # Of what the recipe names instead, the licence is not known.
                "license": "LicenseRef-unstated" if other else entry.license,
                "summary": entry.summary,
            }
            recorded = _revision(known.get(f"{role}/{name}", {}))
            if revision := recorded or _asked_for(recipe, name, entry):
                fact["revision"] = revision
            if fact not in models:
                models.append(fact)
    return models


def _revision(identity: Mapping[str, Any]) -> str:
    """Return the commit or checksum of a model's weights, as the build recorded it."""
    which = str(identity.get("weights", {}).get("model", ""))
    return which if which.startswith("sha256:") else which.partition("@")[2]


def _asked_for(recipe: Recipe, name: str, entry: Entry) -> str:
    """Return the revision that the build served a chat model at; nobody knows an endpoint's."""
    settings = recipe.models.get(name, ModelSettings())
    if not (entry.served and entry.weights) or settings.endpoint:
        return ""
    own = "" if settings.checkpoint else entry.weights.revision
    return settings.revision or own


def _other_repository(recipe: Recipe, name: str) -> str | None:
    """Return the repository that the recipe takes a model from instead of the registered one.

    A local file is taken for the registered weights, which its checksum tells from others.
    """
    given = recipe.models[name].checkpoint if name in recipe.models else None
    return given if given and not is_local(given) else None


def _rows(written: Sequence[Written]) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = {}
    for part in written:
        rows.setdefault(part.config, {})[part.split] = part.rows
    return rows


def _splits_facts(
    recipe: Recipe,
    joined: Joined,
    splits: Sequence[Split],
    kept: Sequence[bool],
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    rows = [at for at, keep in enumerate(kept) if keep]
    styles = joined.styles()
    return {
        "rule": RULE,
        "seed": recipe.seed,
        "kept_from": _version_of(before),
        **describe_splits(
            [styles[at] for at in rows], [splits[at] for at in rows], recipe.release.held_out
        ),
    }


def _version_of(manifest: Mapping[str, Any] | None) -> str | None:
    return None if manifest is None else manifest.get("version")


def _version(
    facts: Mapping[str, Any],
    folder: Path,
    version: str | None,
    previous: Path | None,
    before: Mapping[str, Any] | None,
    found: Difference | None,
) -> str:
    """Settle the version and write the changelog, which names it."""
    if found is not None and before is not None:
        found.facts = compare_facts(before, facts)
    settled = versioning.next_version(version, _version_of(before), found)
    pairs = sum(facts["rows"][DEFAULT].values())
    versioning.write_changelog(folder, settled, pairs, previous, found)
    return settled
