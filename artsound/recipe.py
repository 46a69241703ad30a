"""The recipe: everything that a build depends on besides its sources, validated.

A recipe is a TOML file (`recipes/lite.toml` is the default, commented). `Recipe.read` takes the
name of one that ships with the package or a path, and `--set key=value` overrides on top.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from artsound.errors import UsageError
from artsound.executors.settings import ExecutorSettings
from artsound.models.catalogue import CATALOGUE
from artsound.models.settings import ModelSettings
from artsound.toml_settings import explain, override, read_toml, shipped

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Strategy = Literal[
    "image_audio", "image_audio_caption", "image_caption_audio", "image_caption_audio_caption"
]


def _none(value: object) -> object:
    """Read "none" as nothing: TOML and the command line have no word for it."""
    return None if value == "none" else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Media(_Section):
    """Limits of the media checks; a file beyond one becomes a rejected row."""

    max_image_pixels: int = Field(default=178_956_970, gt=0)
    max_image_bytes: int = Field(default=256 * 2**20, gt=0)
    min_image_side: int = Field(default=16, gt=0)
    max_audio_bytes: int = Field(default=256 * 2**20, gt=0)
    min_audio_s: float = Field(default=5.0, ge=0)
    max_audio_s: float = Field(default=3600.0, gt=0)
    silence_dbfs: float = Field(default=-60.0, le=0)


class Refinement(_Section):
    """When a caption is asked for again (paper, section 3.2).

    Attributes:
        threshold: a score below it is a failure.
        max_regenerations: how often a failed caption is asked for again.
        keep: which attempt stays when all fall short, the best-scoring or the last.
    """

    threshold: Fraction = 0.80
    max_regenerations: int = Field(default=3, ge=0, le=20)
    keep: Literal["best", "last"] = "best"


class ImageCaptions(Refinement):
    """Artwork captions and ICScore (eq. 1)."""

    captioner: str
    clip_scorer: str
    pac_scorer: Annotated[str | None, BeforeValidator(_none)] = None
    gamma: Fraction = 0.35
    min_chars: int = Field(default=80, ge=0)
    max_chars: int = Field(default=2500, gt=0)
    batch: int = Field(default=8, gt=0)


class SegmentCaptions(_Section):
    """Captions of the segments of a track.

    Attributes:
        segment_s: length of a segment in seconds.
        tail: what becomes of the last, shorter segment: `drop`, as the LP-MusicCaps authors do,
            or `keep` if it lasts at least `min_tail_s`. A track shorter than one segment is always
            one segment.
    """

    captioner: str
    segment_s: float = Field(default=10.0, gt=0)
    tail: Literal["drop", "keep"] = "drop"
    min_tail_s: float = Field(default=3.0, gt=0)
    batch: int = Field(default=8, gt=0)


class AudioCaptions(Refinement):
    """Track captions fused from segment captions, and ACScore (eq. 2)."""

    fuser: str
    similarity: str
    alpha: Fraction = 0.30
    min_chars: int = Field(default=40, ge=0)
    max_chars: int = Field(default=1200, gt=0)
    batch: int = Field(default=8, gt=0)


class Embeddings(_Section):
    """Which embedders embed images, audio and both captions."""

    embedders: tuple[str, ...] = Field(min_length=1)
    batch: int = Field(default=16, gt=0)


class Pairing(_Section):
    """How tracks get their artworks (paper, section 3.3).

    Attributes:
        strategies: which modalities are compared; each gives a table `pairs/<strategy>`.
        released: the strategy whose pairs are the dataset.
        embedder: the embedder whose vectors are compared; one of `embeddings.embedders`.
        method: `greedy` is the paper's; see `artsound.pairing.match` for this and what follows.
        objective: what `optimal` maximises.
        gap: how far `optimal` may lie below the best possible mean.
        csls: neighbours of the hubness correction; 0 for none.
        max_per_artwork: how many tracks may share an artwork.
        min_similarity: pairs less similar than this are not made.
        backend: what computes the products; no influence on the pairs.
    """

    strategies: tuple[Strategy, ...] = Field(default=("image_audio",), min_length=1)
    released: Strategy = "image_audio"
    embedder: str
    method: Literal["greedy", "optimal", "sequential", "nearest"] = "greedy"
    objective: Literal["similarity", "tail-averse"] = "similarity"
    gap: float = Field(default=2.5e-4, gt=0)
    csls: int = Field(default=0, ge=0)
    max_per_artwork: int = Field(default=1, ge=1)
    min_similarity: float = Field(default=-1.0, ge=-1.0, le=1.0)
    backend: Literal["auto", "float32", "bfloat16", "cuda", "faiss"] = "auto"

    @model_validator(mode="after")
    def _released_is_built(self) -> Pairing:
        if self.released not in self.strategies:
            raise ValueError(f"released = {self.released!r} is not one of strategies")
        if self.objective != "similarity" and self.method != "optimal":
            raise ValueError(f"objective {self.objective} is for method optimal")
        if self.max_per_artwork > 1 and self.method == "nearest":
            raise ValueError("max_per_artwork: method nearest knows no limit")
        return self


class Release(_Section):
    """How the dataset is cut into splits and shards.

    Attributes:
        held_out: share of the pairs kept for test and validation.
        max_validation: how many of those are validation, at most half of them.
    """

    held_out: Fraction = 0.10
    max_validation: int = Field(default=100, ge=0)
    shard_bytes: int = Field(default=500_000_000, gt=0)
    row_group_bytes: int = Field(default=100_000_000, gt=0)


class Recipe(_Section):
    """Everything that a build depends on besides its sources."""

    name: str
    summary: str = ""
    seed: int = Field(default=0, ge=0)
    shard_rows: int = Field(default=1000, gt=0)
    media: Media = Media()
    image_captions: ImageCaptions
    segment_captions: SegmentCaptions
    audio_captions: AudioCaptions
    embeddings: Embeddings
    pairing: Pairing
    release: Release = Release()
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    executor: ExecutorSettings = ExecutorSettings()

    @model_validator(mode="after")
    def _pairing_has_embeddings(self) -> Recipe:
        if self.pairing.embedder not in self.embeddings.embedders:
            raise ValueError(
                f"pairing.embedder = {self.pairing.embedder!r} is not one of embeddings.embedders"
            )
        return self

    @model_validator(mode="after")
    def _models_are_known(self) -> Recipe:
        known = sorted({name for role in CATALOGUE.values() for name in role})
        for name in self.models:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise ValueError(f"models.{name}: no such model; {hint}")
        return self

    def shaping(self) -> dict[str, Any]:
        """Return what of the recipe shapes the tables: all but where and how fast they are made."""
        data = self.model_dump(mode="json")
        data["pairing"].pop("backend")
        data.pop("executor")
        models = {name: settings.shaping() for name, settings in self.models.items()}
        data["models"] = {name: shaping for name, shaping in models.items() if shaping}
        return data

    def published(self) -> dict[str, Any]:
        """Return the recipe as a release tells it: no path or address of the machine it ran on."""
        data = self.model_dump(mode="json", exclude={"executor"})
        data["models"] = {
            name: settings.published() for name, settings in sorted(self.models.items())
        }
        return data

    @classmethod
    def read(cls, name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
        """Read a recipe by name or path.

        Args:
            name_or_path: a recipe that ships with the package, or a TOML file.
            overrides: `key=value` settings such as `image_captions.threshold=0.7`; the value is
                read as TOML, and as a plain string where it is not TOML.

        Raises:
            UsageError: there is no such recipe, or it is not valid; says where and why.
        """
        where, data = read_toml(name_or_path, "artsound")
        return cls.parse(data, where, overrides)

    @classmethod
    def parse(cls, data: Mapping[str, Any], where: str, overrides: Iterable[str] = ()) -> Recipe:
        """Validate a recipe given as a mapping; `where` names it in errors.

        Raises:
            UsageError: with the first wrong key, what is wrong with it, and how many more are.
        """
        given = copy.deepcopy(dict(data))
        for setting in overrides:
            override(given, setting, "image_captions.keep=last", _parts)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = error.errors()
            first = problems[0]
            key = ".".join(str(part) for part in first["loc"])
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            at = f"{where}: {key}" if first["loc"] else where
            raise UsageError(f"{at}: {explain(cls, first, ModelSettings)}{more}") from error


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that ship with the package."""
    return shipped("artsound")


def _parts(key: str) -> list[str]:
    """Split a key at its dots, except those in a model's name: `models.qwen2.5-vl-7b.seed`."""
    key = key.replace('"', "").replace("'", "")
    names = {name for role in CATALOGUE.values() for name in role}
    for name in sorted(names, key=len, reverse=True):
        if key.startswith(f"models.{name}."):
            return ["models", name, *key.removeprefix(f"models.{name}.").split(".")]
    return key.split(".")
