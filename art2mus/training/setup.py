"""Putting a training together: the device, accelerate, the objective and the trainer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import ProjectConfiguration
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import Description
from art2mus.data import Release
from art2mus.data.prepare import Prepared
from art2mus.training.aligner_inputs import AlignerInputs
from art2mus.training.examples import Examples
from art2mus.training.folder import RunFolder
from art2mus.training.frozen import Watch, check_only_learns
from art2mus.training.log import Tracker
from art2mus.training.objective import Guidance, Objective, padding
from art2mus.training.plan import Plan
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import TrainSettings
from art2mus.training.state import Position
from art2mus.training.trainer import Trainer
from art2mus.training.validation import Validator
from artsound.errors import UsageError

# One process scores a validation, or builds the caches, while the others wait.
_PATIENCE: Final = timedelta(hours=12)
_SCHEDULES: Final = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


def choose_device(settings: TrainSettings) -> torch.device:
    """Return where this process computes: with several GPUs, one a process.

    Raises:
        UsageError: the recipe wants a GPU and there is none.
    """
    usable = torch.cuda.is_available()
    if settings.device == "cuda" and not usable:
        raise UsageError("device = cuda: this machine has no usable GPU; --set device=cpu")
    if settings.device == "cpu" or not usable:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def reproducible(settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """Use kernels whose result does not vary, on a GPU; a CPU's do not."""
    if not settings.deterministic or device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


def make_accelerator(plan: Plan, device: torch.device, folder: RunFolder, log: Tracker) -> Any:
    """Return accelerate's Accelerator; it joins the processes of a launch."""
    return Accelerator(
        cpu=device.type == "cpu",
        # The frozen parts compute in what the recipe says, and the aligner in fp32: no autocast.
        mixed_precision="no",
        gradient_accumulation_steps=plan.accumulation,
        log_with=None if log == "none" else log,
        project_config=ProjectConfiguration(str(folder.root), str(folder.training)),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
    )


def make_objective(settings: TrainSettings, backbone: Backbone, prepared: Prepared) -> Objective:
    """Return the frozen half of a training step, on the backbone's device.

    Raises:
        UsageError: gradient checkpointing was asked for, and the prompt is padded.
    """
    device = backbone.device
    dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
    text, mask = prepared.prompt
    unet, language_model = backbone.unet, backbone.language_model
    if unet.dtype != dtype:
        unet, language_model = unet.to(dtype), language_model.to(dtype)
    # A few percent faster on a CPU, and what a GPU's convolutions in bf16 want.
    unet = unet.to(memory_format=torch.channels_last)
    needed = padding(mask.to(device))
    if settings.gradient_checkpointing:
        if needed is not None:
            # With a mask, diffusers' recomputation passes the U-Net's arguments in another order.
            raise UsageError(
                "gradient_checkpointing = true: not with a padded prompt; --set"
                " gradient_checkpointing=false"
            )
        unet.enable_gradient_checkpointing()
    guidance = None
    if settings.loss.guidance_scale is not None:
        negative = prepared.negative.to(device, dtype)
        guidance = Guidance(settings.loss.guidance_scale, negative, padding(negative.text_mask))
    return Objective(
        unet=unet,
        language_model=language_model,
        loa_tokens=backbone.loa_tokens,
        text=text.to(device, dtype),
        text_mask=needed,
        alphas_cumprod=backbone.scheduler.alphas_cumprod.to(device),
        scaling_factor=backbone.vae.config.scaling_factor,
        gamma=settings.loss.min_snr_gamma,
        guidance=guidance,
    )


def make_trainer(
    settings: TrainSettings,
    plan: Plan,
    release: Release,
    backbone: Backbone,
    prepared: Prepared,
    aligner: ImageAligner,
    accelerator: Any,
    folder: RunFolder,
    description: Description,
    position: Position,
    progress: TrainingProgress,
    cache: Path,
) -> Trainer:
    """Put a training together, and check that only the aligner learns in it.

    Raises:
        ArtsoundError: something else would learn.
        UsageError: a setting does not fit.
    """
    objective = make_objective(settings, backbone, prepared)
    frozen = {"unet": objective.unet, "language_model": objective.language_model}
    aligner.to(accelerator.device).train()
    optimizer = _optimizer(settings, aligner)
    check_only_learns(aligner, optimizer, frozen)
    average = None
    if settings.ema_decay is not None:
        average = EMAModel(aligner.parameters(), decay=settings.ema_decay)
    validator = None
    if settings.validation.split is not None:
        validator = Validator(
            settings.validation,
            settings.validation.split,
            objective,
            backbone,
            prepared,
            release,
            folder.music,
            accelerator,
            batch=plan.per_process,
            cache=cache,
        )
    split, wanted = settings.split, settings.stand_ins
    music = prepared.music(split) if wanted.share else None
    examples = Examples(
        prepared.moments(split),
        AlignerInputs.of(prepared.embeddings(split), music, wanted, settings.embedding_noise),
        settings.seed,
        len(objective.alphas_cumprod),
    )
    return Trainer(
        settings=settings,
        plan=plan,
        objective=objective,
        examples=examples,
        aligner=aligner,
        optimizer=optimizer,
        # Not prepared by accelerate, so that it advances once a step on any number of processes.
        scheduler=get_scheduler(
            _SCHEDULES[settings.schedule.decay],
            optimizer,
            num_warmup_steps=settings.schedule.warmup_steps,
            num_training_steps=plan.total_steps,
        ),
        average=average,
        accelerator=accelerator,
        folder=folder,
        description=description,
        position=position,
        validate=validator,
        watch=Watch(frozen),
        progress=progress,
    )


def _optimizer(settings: TrainSettings, aligner: ImageAligner) -> torch.optim.Optimizer:
    chosen = settings.optimizer
    return torch.optim.AdamW(
        aligner.parameters(),
        lr=chosen.learning_rate,
        betas=(chosen.beta1, chosen.beta2),
        eps=chosen.epsilon,
        weight_decay=chosen.weight_decay,
        fused=True,  # one pass over the weights, which is what it costs at small batches
    )
