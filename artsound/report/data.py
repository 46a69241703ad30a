"""What a report is made of: the tables of a workspace or of a release, behind one face.

Texts are read without media and without the prompts of the attempts, which are longer than all
captions together and which no table of the report needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image

from artsound import schema
from artsound.errors import ArtsoundError, UsageError
from artsound.pairing.strategies import STRATEGIES
from artsound.recipe import Recipe
from artsound.release.manifest import NAME as MANIFEST
from artsound.release.manifest import read_manifest
from artsound.release.splits import assign_splits
from artsound.release.tables import DEFAULT, by_config, parts
from artsound.report.compared import compared_missing
from artsound.report.media import Media, NoMedia, Place, ReleaseMedia, SourceMedia
from artsound.report.missing import stages_missing
from artsound.report.released import attempts_of, halves, read_config, read_part
from artsound.report.vectors import read_unit_vectors
from artsound.schema import Status
from artsound.status import status
from artsound.workspace import Workspace


@dataclass(frozen=True)
class Data:
    """The tables of a workspace or a release; None where a stage is missing.

    Attributes:
        path: the folder.
        kind: which of the two it is.
        name: the recipe's name.
        recipe: the recipe.
        released: the strategy whose pairs are the dataset.
        artworks: columns of `schema.ARTWORKS`.
        tracks: columns of `schema.TRACKS`.
        image_captions: columns of `schema.IMAGE_CAPTIONS`.
        audio_captions: columns of `schema.AUDIO_CAPTIONS`.
        image_caption_attempts: columns of `schema.IMAGE_CAPTION_ATTEMPTS` but `prompt`.
        audio_caption_attempts: columns of `schema.AUDIO_CAPTION_ATTEMPTS` but `prompt`.
        pairs: by strategy, columns of `schema.PAIRS`. Of a release, the released strategy's are
            those that it has; a release by licence leaves some out.
        splits: the split of each artwork of the released pairs.
        statuses: `status` and `reason` of further tables, by name: the segments' captions and the
            embeddings. A release has neither.
        missing: what is not there, a sentence each.
    """

    path: Path
    kind: Literal["workspace", "release"]
    name: str
    recipe: Recipe
    released: str
    artworks: pa.Table | None = None
    tracks: pa.Table | None = None
    image_captions: pa.Table | None = None
    audio_captions: pa.Table | None = None
    image_caption_attempts: pa.Table | None = None
    audio_caption_attempts: pa.Table | None = None
    pairs: Mapping[str, pa.Table] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, pa.Table] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    media: Media = field(default_factory=NoMedia, repr=False, compare=False)

    def vectors(self, embedder: str, what: str) -> tuple[list[Any], NDArray[np.float32]] | None:
        """Return the ids and the unit vectors, shape (n, d), that an embedder gave.

        Args:
            embedder: its registry name.
            what: `image`, `audio`, `image_caption` or `audio_caption`.

        Returns:
            None in a release, and where nothing was embedded.

        Raises:
            ArtsoundError: a row was made by another model.
        """
        if self.kind == "release":
            return None
        return read_unit_vectors(Workspace(self.path), f"embeddings/{embedder}/{what}", embedder)

    def image(self, artwork_id: str) -> Image.Image | None:
        """Return an artwork, RGB; None where it is not there or does not decode."""
        return self.media.image(artwork_id)

    def audio(self, track_id: int) -> tuple[bytes, str] | None:
        """Return a clip's file and its suffix (`.mp3`); None where it is not there."""
        return self.media.audio(track_id)

    def place(self, track_id: int) -> Place:
        """Return a sort key: media that are asked for in its order are read once each."""
        return self.media.place(track_id)


def open_data(path: Path, *, artworks: Path | None = None, tracks: Path | None = None) -> Data:
    """Open a workspace, finished or not, or a release.

    Args:
        path: its folder.
        artworks: the artworks' source, if it is not where the build found it.
        tracks: the tracks' source, likewise.

    Raises:
        UsageError: the folder is neither, or a source that is named is not there.
        ArtsoundError: a file of it cannot be read.
    """
    for which, given in (("artworks", artworks), ("tracks", tracks)):
        if given is not None and not given.exists():
            raise UsageError(f"--{which} {given} is not there")
    if Workspace(path).exists():
        return _open_workspace(Workspace(path), {"artworks": artworks, "tracks": tracks})
    if (path / MANIFEST).is_file():
        if artworks or tracks:
            raise UsageError(
                f"{path} is a release, which has its own media: leave out --artworks and --tracks,"
                " or fill it first with `artsound hydrate`"
            )
        return _open_release(path)
    raise UsageError(
        f"{path} is no workspace and no release: give the folder of `artsound build --out` or of"
        " `artsound release --out`"
    )


# -- a workspace ----------------------------------------------------------------------------------


def _open_workspace(workspace: Workspace, given: Mapping[str, Path | None]) -> Data:
    begun = workspace.description()
    for name in ("recipe", "where", "shards"):
        if not isinstance(begun.get(name, None if name == "recipe" else {}), dict):
            raise ArtsoundError(
                f"{workspace.root}/workspace.json has no {name}: restore it, or build in a new"
                " folder"
            )
    recipe = Recipe.parse(begun["recipe"], f"{workspace.root}/workspace.json")
    stages = status(workspace)
    names = (
        "artworks",
        "tracks",
        "image_captions",
        "audio_captions",
        "image_caption_attempts",
        "audio_caption_attempts",
    )
    tables = {name: _table(workspace, name) for name in names}
    pairs = {
        strategy: table
        for strategy in STRATEGIES
        if (table := _table(workspace, f"pairs/{strategy}")) is not None
    }
    missing = stages_missing(workspace, stages)
    missing += compared_missing(workspace.root, tables["artworks"], tables["tracks"])
    where = {name: given[name] or Path(at) for name, at in begun.get("where", {}).items()}
    for name, at in where.items():
        if not at.exists():
            missing.append(f"The {name} source {at} is not there: say --{name} PATH for its media.")
    statuses = {
        stage.table: table
        for stage in stages
        if stage.table.startswith(("segment_captions", "embeddings/"))
        and (table := _table(workspace, stage.table, ("status", "reason"))) is not None
    }
    media = SourceMedia(
        workspace,
        recipe,
        {name: at for name, at in where.items() if at.exists()},
        _files(tables["artworks"], "artwork_id"),
        _files(tables["tracks"], "track_id"),
    )
    released = recipe.pairing.released
    return Data(
        workspace.root,
        "workspace",
        recipe.name,
        recipe,
        released,
        **tables,
        pairs=pairs,
        splits=_splits(recipe, pairs.get(released)),
        statuses=statuses,
        missing=tuple(missing),
        media=media,
    )


def _table(
    workspace: Workspace, name: str, columns: Sequence[str] | None = None
) -> pa.Table | None:
    """Return a workspace's table as far as it is built; None if it is not begun."""
    shards = workspace.shards(name)
    if not shards:
        return None
    tables = [read_part(workspace.part(name, shard), columns) for shard in shards]
    return pa.concat_tables(tables, promote_options="default")


def _files(table: pa.Table | None, key: str) -> dict[Any, tuple[str, str]]:
    if table is None:
        return {}
    rows = table.filter(pc.equal(table["status"], Status.OK.value))
    columns = (rows[name].to_pylist() for name in (key, "file_name", "sha256"))
    return {item: (name, sha256) for item, name, sha256 in zip(*columns, strict=True)}


def _splits(recipe: Recipe, pairs: pa.Table | None) -> dict[str, str]:
    """Return the split of each artwork as a release of the workspace would have it."""
    if pairs is None:
        return {}
    paired = pairs.filter(pc.equal(pairs["status"], Status.OK.value))["artwork_id"].to_pylist()
    found = assign_splits(
        paired,
        held_out=recipe.release.held_out,
        max_validation=recipe.release.max_validation,
        seed=recipe.seed,
    )
    return dict(zip(paired, found, strict=True))


# -- a release ------------------------------------------------------------------------------------


def _open_release(path: Path) -> Data:
    manifest = read_manifest(path)
    if "recipe" not in manifest:
        raise ArtsoundError(f"{path / MANIFEST} names no recipe: release again")
    recipe = Recipe.parse(manifest["recipe"], str(path / MANIFEST))
    configs = by_config(parts(path))
    default = configs.get(DEFAULT, [])
    missing = [
        f"The release has no configuration {name}."
        for name in (DEFAULT, "artworks", "tracks", "caption_attempts")
        if name not in configs
    ]
    if not all("image" in part.schema.names for part in default):
        missing.append("The release has no media: fill it with `artsound hydrate`.")
    missing.append(
        "A release has no embeddings, segments' captions or comparisons: for hubness, the cosine of"
        " images and table 12 report on the workspace."
    )
    released = recipe.pairing.released
    pairs = {
        strategy: table
        for strategy in STRATEGIES
        if (table := read_config(configs.get(f"pairs_{strategy}"))) is not None
    }
    if manifest.get("dropped_pairs"):
        missing.append(
            f"{manifest['dropped_pairs']:,} pairs are left out of the release by their licences."
        )
    splits: dict[str, str] = {}
    tracks: list[int] = []
    for part in default:
        for batch in part.batches(["artwork_id", "track_id"]):
            splits |= dict.fromkeys(batch["artwork_id"].to_pylist(), part.split)
            tracks += batch["track_id"].to_pylist()
    if released in pairs and DEFAULT in configs:
        table = pairs[released]
        kept = pc.is_in(table["track_id"], pa.array(tracks, pa.int64()))
        pairs[released] = table.filter(pc.or_(kept, pc.not_equal(table["status"], Status.OK.value)))
    artworks, image_captions = halves(
        read_config(configs.get("artworks")), schema.ARTWORKS, schema.IMAGE_CAPTIONS
    )
    tracks_table, audio_captions = halves(
        read_config(configs.get("tracks")), schema.TRACKS, schema.AUDIO_CAPTIONS
    )
    attempts = read_config(configs.get("caption_attempts"))
    return Data(
        path,
        "release",
        recipe.name,
        recipe,
        released,
        artworks,
        tracks_table,
        image_captions,
        audio_captions,
        attempts_of(attempts, "image", schema.IMAGE_CAPTION_ATTEMPTS),
        attempts_of(attempts, "audio", schema.AUDIO_CAPTION_ATTEMPTS),
        pairs,
        splits,
        missing=tuple(missing),
        media=ReleaseMedia(default, recipe),
    )
