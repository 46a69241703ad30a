"""The settings of a training: a TOML recipe, validated, with `--set key=value` on top.

The recipes that ship with the package, `paper`, `gpu`, `cpu` and `lite`, are in `recipes/`, each
with its comments.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from artsound.errors import UsageError
from artsound.toml_settings import explain, override, read_toml


def _none(value: object) -> object:
    """Read "none" as nothing: TOML and the command line have no word for it."""
    return None if value == "none" else value


Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Maybe = BeforeValidator(_none)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Encoder(_Section):
    """How one visual encoder is loaded.

    Attributes:
        checkpoint: a file, folder or repository in place of the registered weights.
        revision: a commit, tag or branch of the repository.
        options: further arguments of the embedder's own.
    """

    checkpoint: Annotated[str | None, Maybe] = None
    revision: Annotated[str | None, Maybe] = None
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)


class Aligner(_Section):
    """The trained part (section 4.2).

    Attributes:
        tokens: N, how many tokens an embedding becomes.
        boundary_tokens: learn a start and an end embedding around them.
        staging_dim: what smaller embeddings are raised to before the projection.
        projection_hidden: width of a hidden layer in the projection; none for a single layer.
    """

    tokens: Positive = 16
    boundary_tokens: bool = True
    staging_dim: Positive = 1024
    projection_hidden: Annotated[Positive | None, Maybe] = None


class StandIns(_Section):
    """Music that is shown to the aligner in its artwork's place (not the paper's).

    The encoder must embed images and audio into one space: see `training.aligner_inputs`.

    Attributes:
        share: of the examples in which it is; 0 for none.
        spread: the factor by which the deviations of the music's embeddings from their mean are
            multiplied. Below 1: of how artworks differ, their music shares only a part.
    """

    share: float = Field(default=0.0, ge=0, le=1)
    spread: float = Field(default=1.0, gt=0, le=10)


class Batch(_Section):
    """How many examples make a step, and how they are spread.

    Attributes:
        size: examples in an optimiser step, over all processes and accumulation steps.
        per_process: how many of them a process holds at a time, at most; what does not fit into one
            pass of all processes is accumulated.
        workers: processes that read examples, for each training process.
    """

    size: Positive = 128
    per_process: Positive = 32
    workers: int = Field(default=0, ge=0)


class Optimizer(_Section):
    """AdamW, by default with torch's defaults.

    Attributes:
        clip_norm: the gradient's norm is cut to it; none for no clipping.
    """

    learning_rate: float = Field(default=2e-5, gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: Annotated[PositiveFloat | None, Maybe] = 1.0


class Schedule(_Section):
    """How long, and the learning rate over it.

    Attributes:
        epochs: passes over the training split.
        steps: stop after so many optimiser steps instead; none to go by epochs.
        warmup_steps: the rate rises from 0 over them.
        decay: what it does afterwards.
    """

    epochs: Positive = 50
    steps: Annotated[Positive | None, Maybe] = None
    warmup_steps: int = Field(default=1324, ge=0)
    decay: Literal["constant", "linear", "cosine"] = "constant"


class Loss(_Section):
    """The objective (equations 9 to 11).

    Attributes:
        min_snr_gamma: the cap of the min-SNR weight; none for the plain loss.
        guidance_scale: guide the prediction inside the loss, as the 2024 code does with 3.5; none
            for equations 9 to 11 as they stand. Section 4.4 says that guidance "is enabled by also
            providing a negative prompt", and not where: no guidance in the loss is our choice.
    """

    min_snr_gamma: Annotated[PositiveFloat | None, Maybe] = 5.0
    guidance_scale: Annotated[Annotated[float, Field(gt=1)] | None, Maybe] = None


class Checkpoints(_Section):
    """When the state is written.

    Attributes:
        every_steps: besides the end of each epoch; none for the epochs alone.
    """

    every_steps: Annotated[Positive | None, Maybe] = 500


class Validation(_Section):
    """What an epoch is judged by.

    Attributes:
        split: of the release; none for no validation. A release without the usual one is trained
            without validation.
        every_epochs: how often.
        artworks: how many of the split's first rows.
        timesteps: at how many fixed timesteps the loss is taken, evenly spread.
        generate: also generate music and score it, as the paper does.
        steps: of the DDIM sampler.
        guidance_scale: of classifier-free guidance.
        duration_s: of the generated music, in seconds; 1 is the least that is scored.
        batch: artworks sampled at a time.
        metrics: of the benchmark, which score it: names, or a suite's.
        checkpoints: paths of the metrics' weights by embedder, where they are not downloaded.
        best: what the best checkpoint is best by: `loss`, or one of the metrics.
    """

    split: Annotated[str | None, Maybe] = "validation"
    every_epochs: Positive = 1
    artworks: Positive = 100
    timesteps: Positive = 10
    generate: bool = False
    steps: Positive = 200
    guidance_scale: float = Field(default=3.5, ge=1)
    duration_s: float = Field(default=10.0, ge=1, le=60)
    batch: Positive = 8
    metrics: str | tuple[str, ...] = "paper"
    checkpoints: dict[str, str] = Field(default_factory=dict)
    best: str = "loss"

    @model_validator(mode="after")
    def _best_is_measured(self) -> Validation:
        if self.best != "loss" and not self.generate:
            raise ValueError(f"best = {self.best!r} is measured on music: set generate = true")
        return self

    def judged_by(self) -> dict[str, Any]:
        """Return what the value that is best depends on besides the weights.

        Of two validations that differ in it, neither's value says which weights are better.
        """
        names = ["best", "split", "artworks"]
        of_music = ("steps", "guidance_scale", "duration_s")
        names += ["timesteps"] if self.best == "loss" else of_music
        return {name: getattr(self, name) for name in names}


class TrainSettings(_Section):
    """Everything that a training depends on besides the release.

    Attributes:
        name: of the recipe.
        summary: what the recipe is for, one line.
        seed: of the aligner's first weights, the order of examples and their noise.
        backbone: a folder or a Hub repository in AudioLDM 2's layout.
        backbone_revision: a commit, tag or branch of the repository.
        encoder: the registry name of the embedder that sees the artworks.
        encoders: how encoders are loaded, by their names: `[encoders.imagebind]`.
        prompt: what FLAN-T5 reads, the same for every artwork.
        negative_prompt: what guidance leads away from.
        split: of the release that is trained on.
        precision: what the frozen parts compute in; the aligner and the loss are in fp32 always.
        device: where; `auto` is a GPU where there is one.
        deterministic: use only kernels whose result does not vary (a GPU's may).
        gradient_checkpointing: recompute the U-Net's activations: slower, and less memory.
        ema_decay: keep a moving average of the weights, and publish it; none for no average.
        embedding_noise: each time an embedding is learned from, it is moved by normal noise of
            about this part of its length, lest few artworks are learned by heart; 0 for none, as
            in the paper.
        stand_ins: show the music's own embedding in the artwork's place.
    """

    name: str
    summary: str = ""
    seed: int = Field(default=0, ge=0, lt=2**32)
    backbone: str
    backbone_revision: Annotated[str | None, Maybe] = None
    encoder: str
    encoders: dict[str, Encoder] = Field(default_factory=dict)
    prompt: str = "Music representing the content of this artwork"
    negative_prompt: str = "Low quality"
    split: str = "train"
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    deterministic: bool = True
    gradient_checkpointing: bool = False
    ema_decay: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Maybe] = None
    embedding_noise: float = Field(default=0.0, ge=0, le=10)
    stand_ins: StandIns = StandIns()
    aligner: Aligner = Aligner()
    batch: Batch = Batch()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    loss: Loss = Loss()
    checkpoints: Checkpoints = Checkpoints()
    validation: Validation = Validation()

    @classmethod
    def read(cls, name_or_path: str | Path, overrides: Iterable[str] = ()) -> TrainSettings:
        """Read a recipe by name or path.

        Args:
            name_or_path: a recipe that ships with the package, or a TOML file.
            overrides: `key=value` settings such as `batch.size=64`; the value is read as TOML, and
                as a plain string where it is not TOML.

        Raises:
            UsageError: there is no such recipe, or it is not valid; says where and why.
        """
        where, data = read_toml(name_or_path, "art2mus")
        for setting in overrides:
            override(data, setting, "batch.size=64")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = error.errors()
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise UsageError(f"{where}: {_explain(cls, problems[0])}{more}") from error

    def flat(self) -> dict[str, Any]:
        """Return the settings by their keys, as in `batch.size`."""
        return _flat(self.model_dump(mode="json"))

    def differences(self, other: TrainSettings) -> list[str]:
        """Return the keys in which another training would give other weights.

        Where it runs and how it is spread, read, saved and watched gives the same; so does going on
        for longer where the rate does not decay.
        """
        mine, theirs = (self.flat(), other.flat())
        hidden = {"name", "summary", "device", "deterministic", "gradient_checkpointing"}
        hidden |= {"batch.per_process", "batch.workers", "backbone"}
        # The backbone, the encoder's weights and the release are told by their fingerprints.
        hidden |= {"backbone_revision"}
        watching = ("encoders.", "checkpoints.", "validation.")
        hidden |= {key for key in mine | theirs if key.startswith(watching)}
        if self.schedule.decay == other.schedule.decay == "constant":
            hidden |= {"schedule.epochs", "schedule.steps"}
        if not (self.stand_ins.share or other.stand_ins.share):
            hidden.add("stand_ins.spread")
        keys = sorted((mine.keys() | theirs.keys()) - hidden)
        return [key for key in keys if mine.get(key) != theirs.get(key)]


def _explain(model: type[BaseModel], problem: Any) -> str:
    """Say where and what is wrong."""
    # A union such as `int | None` puts the name of its branch last.
    place = ".".join(str(part) for part in problem["loc"] if part not in {"constrained-int", "int"})
    said = explain(model, problem, Encoder)
    return f"{place}: {said}" if place else said


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
