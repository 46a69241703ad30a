"""`art2mus validate`: a checkpoint's validation, by the code that judges it in training.

What is measured and how comes from the checkpoint itself, which keeps its recipe: so a checkpoint
gets the values that its training wrote down for it, on the same release and machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from art2mus.data import Release, check_release
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import Encoder, TrainSettings
from artsound.errors import UsageError
from artsound.table import Cell, Table
from artsound.toml_settings import explain, override

if TYPE_CHECKING:
    from art2mus.checkpoint import Description

_MAY: Final = ("validation.", "encoders.", "device", "precision", "batch.per_process")


@dataclass(frozen=True)
class ValidatedCheckpoint:
    """What the validation of a checkpoint found.

    Attributes:
        checkpoint: its folder or repository.
        description: what it says of itself.
        settings: what it was validated with.
        release: the dataset, by name.
        artworks: how many were taken.
        metrics: by name.
        undefined: what could not be measured, and why.
    """

    checkpoint: str
    description: Description
    settings: TrainSettings
    release: str
    artworks: int
    metrics: Mapping[str, float]
    undefined: Mapping[str, str]


def validate(
    checkpoint: str | Path,
    release: Release,
    *,
    revision: str | None = None,
    recipe: str | None = None,
    overrides: Iterable[str] = (),
    backbone: str | None = None,
    cache: Path,
    progress: TrainingProgress | None = None,
) -> ValidatedCheckpoint:
    """Validate a checkpoint.

    Args:
        checkpoint: a folder that training wrote, or a repository.
        release: with the split that is validated on.
        revision: of the repository.
        recipe: a recipe in place of the checkpoint's own.
        overrides: `validation.steps=20` and the like.
        backbone: in place of the one that the checkpoint names.
        cache: where latents, embeddings, prompts and features are kept.
        progress: what is shown; nothing if None.

    Raises:
        UsageError: the checkpoint, the release and the settings do not fit one another.
        ArtsoundError: something is damaged, or weights are not there.
    """
    from accelerate import Accelerator

    from art2mus.checkpoint import load_checkpoint
    from art2mus.conditioning import check_fit
    from art2mus.data.prepare import prepare
    from art2mus.sampling.opening import open_backbone, open_encoder
    from art2mus.training.setup import choose_device, make_objective, reproducible
    from art2mus.training.validation import Validator, check_metrics

    aligner, description = load_checkpoint(checkpoint, revision=revision)
    settings = settings_of(str(checkpoint), description, recipe, overrides)
    split = _split(settings, release)
    device = choose_device(settings)
    parts = open_backbone(description, backbone, device=device)
    wanted = settings.encoders.get(description.encoder, Encoder())
    encoder = open_encoder(description, None, checkpoint=wanted.checkpoint, device=device.type)
    check_fit(aligner, parts, encoder)
    if settings.validation.generate:
        check_metrics(settings.validation, device.type)
    with (
        reproducible(settings, device),
        progress or TrainingProgress(quiet=True) as shown,
        tempfile.TemporaryDirectory() as folder,
    ):
        prepared = prepare(
            release,
            [split],
            parts,
            encoder,
            cache=cache,
            device=device,
            progress=shown,
            prompt=description.prompt,
            negative_prompt=description.negative_prompt,
        )
        validator = Validator(
            settings.validation,
            split,
            make_objective(settings, parts, prepared),
            parts,
            prepared,
            release,
            Path(folder) / "music",
            Accelerator(cpu=device.type == "cpu", mixed_precision="no"),
            batch=settings.batch.per_process,
            cache=cache,
        )
        aligner.to(device)  # type: ignore[arg-type]
        found = validator(aligner)
    return ValidatedCheckpoint(
        str(checkpoint),
        description,
        settings,
        release.name,
        len(validator.rows),
        found.metrics,
        found.undefined,
    )


def settings_of(
    checkpoint: str, description: Description, recipe: str | None, overrides: Iterable[str]
) -> TrainSettings:
    """Return what a checkpoint is validated with: its own recipe, changed as is asked for.

    Raises:
        UsageError: it has no recipe, or a setting is none that only validation depends on.
    """
    given = list(overrides)
    for setting in given:
        if not setting.startswith(_MAY):
            raise UsageError(
                f"--set {setting}: the checkpoint is as it was trained; {', '.join(_MAY)} may be"
                " set"
            )
    if recipe is not None:
        return TrainSettings.read(recipe, given)
    if not description.recipe:
        raise UsageError(f"{checkpoint} does not say how it was trained: name its --recipe")
    data: dict[str, Any] = TrainSettings.model_validate(description.recipe).model_dump(mode="json")
    for setting in given:
        override(data, setting, "validation.steps=20")
    try:
        return TrainSettings.model_validate(data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        said = explain(TrainSettings, problem, Encoder)
        raise UsageError(f"{checkpoint}, its recipe: {place}: {said}") from error


def validation_table(found: ValidatedCheckpoint) -> Table:
    """Return a row of what was measured, in the order of the paper's table 6."""
    said, how = found.description, found.settings.validation
    shown = {name: value for name, value in found.metrics.items() if "@" not in name}
    loss = shown.pop("loss")
    cells: tuple[Cell, ...] = tuple(f"{value:.4g}" for value in (*shown.values(), loss))
    notes = [
        f"{found.artworks} artworks of {found.release} {how.split}; one validation, where the"
        " paper's table 6 has the mean over a training's."
    ]
    if how.generate:
        notes.append(
            f"Music: {how.duration_s:g} s by {how.steps} steps, guidance {how.guidance_scale:g};"
            " scored by the benchmark's metrics against as much of its ground truth."
        )
    notes += [f"Not measured: {name}: {why}." for name, why in found.undefined.items()]
    if said.toy:
        notes.append("A toy prior in place of AudioLDM 2: not comparable to the paper's.")
    return Table(
        "validation",
        f"Validation of {Path(found.checkpoint).name}",
        ("Checkpoint", "Image encoder", "Tok/Img", "Step", *shown, "Validation loss"),
        ((Path(found.checkpoint).name, said.encoder, said.tokens, said.step, *cells),),
        tuple(notes),
    )


def _split(settings: TrainSettings, release: Release) -> str:
    split = settings.validation.split
    if split is None:
        raise UsageError(
            "the checkpoint was trained without validation: --set validation.split=SPLIT"
        )
    check_release(release, split=split)
    return split
