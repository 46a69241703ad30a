"""`art2mus train`: learn the aligner before a frozen AudioLDM 2 (the paper, sections 4.4 and 5.2).

Everything that can be wrong is looked for before anything takes long: first the folder and the
settings, then the release, the backbone's files and the encoder; then the caches are built, and
then the steps begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.conditioning import check_fit
from art2mus.data import Release, check_release, open_release
from art2mus.data.prepare import prepare
from art2mus.encoder_names import encoder_name
from art2mus.encoders import VisualEncoder
from art2mus.training.checks import check_validation
from art2mus.training.early import check_plan
from art2mus.training.folder import RunFolder
from art2mus.training.identity import check_settings, describe, standing
from art2mus.training.log import Tracker, check_tracker, tracker_arguments
from art2mus.training.plan import first_process
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import Encoder, TrainSettings
from art2mus.training.setup import choose_device, make_accelerator, make_trainer, reproducible
from art2mus.training.state import Best, Position
from art2mus.training.validation import check_metrics
from artsound.models.digests import cache_folder
from artsound.models.registry import forget

_USUAL = "validation"


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        folder: the checkpoint, the best by validation where there is one, or else the last.
        step: how many optimiser steps were taken.
        best: the best validation; None without validation, or if what it is best by was undefined
            in every one.
        metrics: what the last validation measured.
        seconds: how long the steps took, over all runs, without caches and validation.
        toy: whether the backbone is a toy prior.
    """

    folder: Path
    step: int
    best: Best | None
    metrics: dict[str, float]
    seconds: float
    toy: bool


def train(
    release: Release | str | Path,
    out: Path | str,
    settings: TrainSettings,
    *,
    resume: bool | None = None,
    cache: Path | None = None,
    log: Tracker = "none",
    progress: TrainingProgress | None = None,
) -> Trained:
    """Train an aligner, or go on with a training that was stopped.

    Run by several processes (`torchrun`), they train together: the same steps, each its share.

    Args:
        release: an open release, its folder, or its repository on the Hub.
        out: the checkpoint's folder.
        settings: the recipe.
        resume: True to go on, False to begin anew; None to go on wherever that is possible.
        cache: where latents, embeddings and prompts are kept; the user's cache if None.
        log: where the log goes besides `training/log.jsonl`.
        progress: what is shown; nothing if None.

    Raises:
        UsageError: the settings, the release and the folder do not fit one another.
        MissingDependency: the tracker's package is not installed.
        ArtsoundError: the release or a checkpoint is damaged, or the loss is no longer finite.
    """
    try:
        return train_one(
            release, out, settings, resume=resume, cache=cache, log=log, progress=progress
        )
    finally:
        leave_group()


def train_one(
    release: Release | str | Path,
    out: Path | str,
    settings: TrainSettings,
    *,
    resume: bool | None = None,
    cache: Path | None = None,
    log: Tracker = "none",
    progress: TrainingProgress | None = None,
) -> Trained:
    """Do what `train` does, and leave the processes joined for another training."""
    check_tracker(log)
    folder = RunFolder(Path(out))
    held = folder.check(resume=resume)
    opened = release if isinstance(release, Release) else open_release(release)
    settings = fitted(settings, opened)
    plan = check_plan(opened, settings)
    if held is not None:
        check_settings(folder, held, settings)
    splits = [split for split in (settings.split, settings.validation.split) if split is not None]
    for split in splits:
        check_release(opened, split=split)
    device = choose_device(settings)
    backbone = Backbone.open(settings.backbone, revision=settings.backbone_revision, device=device)
    encoder = _load_encoder(settings, device)
    validation = settings.validation
    if validation.split is not None and validation.generate and first_process():
        check_metrics(validation, device.type)
    check_validation(validation, opened, backbone)
    aligner = new_aligner(settings, encoder, backbone)
    check_fit(aligner, backbone, encoder)
    position = standing(folder, held, settings, opened, encoder, backbone)
    description = describe(settings, opened, encoder, backbone)
    cache = cache or cache_folder() / "art2mus"
    with reproducible(settings, device), progress or TrainingProgress(quiet=True) as shown:
        accelerator = make_accelerator(plan, device, folder, log)
        shown.quiet = shown.quiet or not accelerator.is_main_process
        with _begun(accelerator, folder, position, settings, log):
            shown.say(plan.describe())
            if position.step:
                shown.say(f"going on after step {position.step:,}")
            # One process of each machine builds, and the one that shows does on its own; the
            # others then find everything there.
            with accelerator.local_main_process_first():
                prepared = prepare(
                    opened,
                    splits,
                    backbone,
                    encoder,
                    cache=cache,
                    device=device,
                    progress=shown,
                    prompt=settings.prompt,
                    negative_prompt=settings.negative_prompt,
                    music=[settings.split] if settings.stand_ins.share else [],
                )
            del encoder
            forget()  # the steps read embeddings from the caches, and ImageBind takes 5 GB
            trainer = make_trainer(
                settings,
                plan,
                opened,
                backbone,
                prepared,
                aligner,
                accelerator,
                folder,
                description,
                position,
                shown,
                cache,
            )
            trainer.run()
            _end(accelerator)
    return Trained(
        folder.root,
        position.step,
        position.best,
        position.metrics,
        position.seconds,
        backbone.toy,
    )


def leave_group() -> None:
    """Part from the other processes of a launch: without it gloo may abort at exit."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def fitted(settings: TrainSettings, release: Release) -> TrainSettings:
    """Return the settings with encoders' full names, and without a validation that cannot be.

    Raises:
        UsageError: there is no such encoder, or the release lacks a split that is asked for.
    """
    release.require(settings.split)
    validation = settings.validation
    if validation.split is not None and not release.splits.get(validation.split):
        if validation.split != _USUAL:
            release.require(validation.split)
        validation = validation.model_copy(update={"split": None})
    encoders = {encoder_name(name): wanted for name, wanted in settings.encoders.items()}
    full = {"encoder": encoder_name(settings.encoder), "encoders": encoders}
    return settings.model_copy(update={**full, "validation": validation})


def _load_encoder(settings: TrainSettings, device: torch.device) -> VisualEncoder:
    wanted = settings.encoders.get(settings.encoder, Encoder())
    return VisualEncoder.load(
        settings.encoder,
        checkpoint=wanted.checkpoint,
        revision=wanted.revision,
        options=wanted.options,
        device=device.type,
    )


def new_aligner(
    settings: TrainSettings, encoder: VisualEncoder, backbone: Backbone
) -> ImageAligner:
    """Return the aligner with its first weights, which come from the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        aligner: ImageAligner = ImageAligner(
            encoder.dimension,
            settings.aligner.tokens,
            backbone.hidden_dim,
            staging_dim=settings.aligner.staging_dim,
            boundary_tokens=settings.aligner.boundary_tokens,
            projection_hidden=settings.aligner.projection_hidden,
        )
    return aligner


@contextmanager
def _begun(
    accelerator: Any, folder: RunFolder, position: Position, settings: TrainSettings, log: Tracker
) -> Iterator[None]:
    """Hold the folder and start the tracker; all processes have read the folder by now."""
    accelerator.wait_for_everyone()
    with folder.taken(position) if accelerator.is_main_process else nullcontext():
        accelerator.wait_for_everyone()
        if log != "none":
            name = "tensorboard" if log == "tensorboard" else "art2mus"
            accelerator.init_trackers(
                name, init_kwargs=tracker_arguments(log, folder.root, settings.name, position.step)
            )
        yield


def _end(accelerator: Any) -> None:
    accelerator.wait_for_everyone()
    for tracker in accelerator.trackers:
        tracker.finish()
    accelerator.free_memory()
