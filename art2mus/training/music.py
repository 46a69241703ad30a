"""The music of a validation: generated for the rows of a split, and written as predictions are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from art2mus.training.settings import Validation
from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError

if TYPE_CHECKING:
    from art2mus.aligner import ImageAligner
    from art2mus.backbone import Backbone
    from art2mus.data.prepare import Prepared


def generate(
    aligner: ImageAligner,
    backbone: Backbone,
    prepared: Prepared,
    pair_ids: Mapping[int, str],
    settings: Validation,
    folder: Path,
    *,
    split: str,
) -> list[str]:
    """Write music for rows of the validation split, as `{pair_id}.wav` in a folder.

    A row's starting noise depends on the row alone, so it is the same in every validation.

    Args:
        aligner: as it is judged.
        backbone: which decodes.
        prepared: the caches.
        pair_ids: of the rows that this process takes.
        settings: duration, sampler's steps and guidance.
        folder: where to.
        split: of the rows.

    Returns:
        What is wrong with pieces that are no music, such as one with samples that are not finite;
        they are not written.
    """
    from art2mus.benchmark.models.base import sound_of
    from art2mus.benchmark.predictions import encode
    from art2mus.pipeline import Art2MusPipeline

    pipeline: Any = Art2MusPipeline.from_backbone(backbone, aligner)
    pipeline.set_progress_bar_config(disable=True)
    folder.mkdir(parents=True, exist_ok=True)
    rows, spoilt = list(pair_ids), []
    embeddings = prepared.embeddings(split)
    for begin in range(0, len(rows), settings.batch):
        some = rows[begin : begin + settings.batch]
        sound = pipeline(
            image_embeds=torch.stack([torch.tensor(embeddings[row]) for row in some]),
            duration_s=settings.duration_s,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            seed=some,
            text=prepared.prompt,
            negative=prepared.negative,
        ).audios
        for row, waveform in zip(some, sound, strict=True):
            where = f"the music for {pair_ids[row]}"
            try:
                made = sound_of(waveform, backbone.sample_rate, where)
            except ArtsoundError as error:
                spoilt.append(str(error))
                continue
            write_atomically(folder / f"{pair_ids[row]}.wav", encode(made))
    return spoilt
