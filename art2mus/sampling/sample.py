"""`art2mus sample`: music for artworks into a folder, resumable, each sound with its record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from art2mus.checkpoint import Description, load_checkpoint
from art2mus.holding import held
from art2mus.pipeline import Art2MusPipeline
from art2mus.sampling.embeddings import Seeing
from art2mus.sampling.inputs import Inputs, in_batches
from art2mus.sampling.loudness import AudioFormat, encode
from art2mus.sampling.noise import seeds_for
from art2mus.sampling.opening import check_encoder_name, open_backbone
from art2mus.sampling.page import check_page, write_page
from art2mus.sampling.page.pictures import PagePictures
from art2mus.sampling.pipeline_parts import TEXT_PARTS
from art2mus.sampling.provenance import circumstances, source_of
from art2mus.sampling.records import FORMAT, Item, plan, read_record, sound_of, write_record
from art2mus.sampling.schedulers import make_scheduler, set_steps
from art2mus.sampling.scores import check_ranker, score
from art2mus.sampling.settings import SampleSettings, check_places
from artsound.atomic import sweep, write_atomically
from artsound.errors import ArtsoundError, UsageError
from artsound.models.registry import forget

if TYPE_CHECKING:
    from art2mus.aligner import ImageAligner
    from art2mus.backbone import Backbone

LOCK: Final = ".art2mus-sample.lock"
# Called with (what, done, total).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sampled:
    """What a command did.

    Attributes:
        made: names of the sounds that were made.
        there: names of those that were there already.
        page: the page; None if none was written.
        toy: whether the backbone is a toy prior.
    """

    made: list[str]
    there: list[str]
    page: Path | None
    toy: bool


def sample(
    checkpoint: str | Path,
    inputs: Inputs,
    out: Path,
    settings: SampleSettings | None = None,
    *,
    seeds: Sequence[int] = (0,),
    rank_by: str | None = None,
    backbone: str | Path | Backbone | None = None,
    encoder: str | None = None,
    encoder_checkpoint: str | None = None,
    revision: str | None = None,
    batch: int = 1,
    device: str = "cpu",
    offload: bool = False,
    overwrite: bool = False,
    page: bool = True,
    progress: Progress = lambda what, done, total: None,
) -> Sampled:
    """Generate music for artworks into a folder; run again, it makes only what is not there.

    Args:
        checkpoint: a folder that training wrote, or a repository on the Hub.
        inputs: the artworks.
        out: the folder; made where there is none.
        settings: see there; the paper's if None.
        seeds: one sound of each artwork for each of them.
        rank_by: score every sound by how close it is to its artwork: `encoder` for the space of
            the checkpoint's encoder, or a registered embedder; None for no scores.
        backbone: in place of the one that the checkpoint names.
        encoder: the visual encoder, to be checked against the checkpoint's.
        encoder_checkpoint: its weights, where they are not its registered ones.
        revision: of the checkpoint's repository.
        batch: sounds that are sampled at a time.
        device: where it computes.
        offload: keep on an accelerator only the part that computes.
        overwrite: make anew what is there with other settings, instead of refusing.
        page: whether to write `index.html`.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        UsageError: an argument does not fit, what is there was made with other settings, or
            somebody else's file has the name of one of the page's.
        ArtsoundError: a part is missing or damaged, another command is writing into the folder, or
            the model gives no numbers.
    """
    settings = settings or SampleSettings()
    settings.check()
    if batch < 1:
        raise UsageError(f"batch = {batch}: give 1 or more")
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError("give one seed or more, none of them twice")
    seeds_for(seeds, 1, len(seeds))
    check_places(checkpoint, out)
    if page:
        check_page(out)
    aligner, description = load_checkpoint(checkpoint, revision=revision)
    check_encoder_name(description, encoder or description.encoder)
    ranked = None if rank_by is None else check_ranker(rank_by, description)
    opened = open_backbone(
        description,
        backbone,
        dtype=getattr(torch, settings.precision),
        device="cpu" if offload else device,
    )
    set_steps(make_scheduler(settings.scheduler, opened.scheduler), settings.steps, "cpu")
    shaping = {
        **asdict(settings),
        "prompt": description.prompt,
        "negative_prompt": _negative(settings, description),
    }
    with held(out / LOCK, "art2mus sample", f"is writing into {out}"):
        source = source_of(checkpoint, aligner, description, opened)
        identity = {"checkpoint": source, "settings": shaping}
        sweep(out)
        items = plan(out, inputs.artworks, seeds, identity, overwrite=overwrite)
        pictures = PagePictures(out) if page else None
        if pictures is not None:
            pictures.claim(item.artwork.sha256 for item in items)
        see = Seeing(inputs, description, encoder_checkpoint, device, pictures, progress)
        embeddings = see.embeddings(items)
        todo = [item for item in items if not item.done]
        if todo:
            if rank_by is None:
                forget()  # the encoder may be as large as the backbone
            pipeline = _pipeline(opened, aligner, description, shaping, offload)
            made_with = {**identity, "toy_prior": opened.toy, **circumstances(device, description)}
            for number, chunk in enumerate(in_batches(todo, batch)):

                def told(step: int, begun: int = number * batch, size: int = len(chunk)) -> None:
                    progress(
                        "sampling", begun * settings.steps + step * size, len(todo) * settings.steps
                    )

                sounds = _generate(pipeline, chunk, embeddings, settings, shaping, told)
                for item, sound in zip(chunk, sounds, strict=True):
                    _keep(out, item, sound, pipeline.sample_rate, settings.format, made_with)
            del pipeline
            opened.release()
        if rank_by is not None:
            score(out, items, inputs, rank_by, see.encoder, progress)
        at = None if pictures is None else write_page(out, pictures, progress, ranked)
    return Sampled(
        [item.name for item in todo], [item.name for item in items if item.done], at, opened.toy
    )


def _negative(settings: SampleSettings, description: Description) -> str:
    given = settings.negative_prompt
    return description.negative_prompt if given is None else given


def _pipeline(
    opened: Backbone,
    aligner: ImageAligner,
    description: Description,
    shaping: Mapping[str, Any],
    offload: bool,
) -> Art2MusPipeline:
    aligner.to(opened.device)  # type: ignore[arg-type]
    pipeline = Art2MusPipeline.from_backbone(opened, aligner, description=description)
    pipeline.encode_text(description.prompt)
    if shaping["guidance"] > 1:
        pipeline.encode_negative(shaping["negative_prompt"])
    opened.release(*TEXT_PARTS)
    pipeline.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]
    if offload:
        pipeline.enable_model_cpu_offload()
    return pipeline


def _generate(
    pipeline: Art2MusPipeline,
    items: Sequence[Item],
    embeddings: Mapping[str, torch.Tensor],
    settings: SampleSettings,
    shaping: Mapping[str, Any],
    told: Callable[[int], None],
) -> NDArray[np.float32]:
    def on_step(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        told(step + 1)
        return tensors

    told(0)
    output = pipeline(
        image_embeds=torch.stack([embeddings[item.artwork.sha256] for item in items]),
        duration_s=settings.duration_s,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        negative_prompt=shaping["negative_prompt"],
        seed=[item.seed for item in items],
        scheduler=settings.scheduler,
        callback_on_step_end=on_step,
    )
    sounds: NDArray[np.float32] = output.audios  # type: ignore[union-attr]
    for item, sound in zip(items, sounds, strict=True):
        if not np.isfinite(sound).all():
            raise ArtsoundError(
                f"the music for {item.artwork.source} is not finite: sample with --precision"
                " float32, and check the backbone's and the checkpoint's files"
            )
    return sounds


def _keep(
    out: Path,
    item: Item,
    sound: NDArray[np.float32],
    sample_rate: int,
    kind: AudioFormat,
    made_with: Mapping[str, Any],
) -> None:
    """Write a sound and its record; what was there for the same image goes first."""
    file = encode(sound, sample_rate, kind)
    before = read_record(out / f"{item.name}.json")
    if before is not None:
        sound_of(out, item.name, before).unlink(missing_ok=True)
    record = {
        "format": FORMAT,
        "audio": f"{item.name}.{kind}",
        "audio_sha256": hashlib.sha256(file.data).hexdigest(),
        "image": item.artwork.source,
        "image_sha256": item.artwork.sha256,
        **({"release": item.artwork.facts} if item.artwork.facts else {}),
        "seed": item.seed,
        **made_with,
        "sample_rate": sample_rate,
        "samples": len(sound),
        "peak_dbfs": file.peak_dbfs,
        "gain_db": file.gain_db,
        "scores": {},
    }
    write_record(out, item.name, record)
    write_atomically(out / f"{item.name}.{kind}", file.data)
