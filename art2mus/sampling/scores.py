"""How close each sound is to its artwork, written into its record: what `--rank` goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from art2mus.encoder_names import encoder_name
from art2mus.encoders import VisualEncoder
from art2mus.sampling.inputs import Inputs, in_batches
from art2mus.sampling.ranking import encoder_ranker, load_ranker
from art2mus.sampling.records import Item, read_records, sound_of, write_record
from artsound.errors import ArtsoundError, UsageError
from artsound.models.registry import entry

if TYPE_CHECKING:
    from art2mus.checkpoint import Description

_BATCH: Final = 8
_OWN: Final = "encoder"


def check_ranker(rank_by: str, description: Description) -> str:
    """Return the embedder in whose space sounds are ranked, found without loading it.

    Args:
        rank_by: `encoder`, or an embedder's name.
        description: the checkpoint's.

    Raises:
        UsageError: there is no such embedder, or it has not both images and music.
    """
    name = encoder_name(description.encoder if rank_by == _OWN else rank_by)
    if not {"image", "audio"} <= entry("embedder", name).modalities:
        raise UsageError(
            f"{name} embeds no music, so it cannot rank: name an embedder that does, such as"
            " --rank-by imagebind"
        )
    return name


def score(
    out: Path,
    items: Sequence[Item],
    inputs: Inputs,
    rank_by: str,
    encoder: Callable[[], VisualEncoder],
    progress: Callable[[str, int, int], None],
) -> None:
    """Write into each record the cosine of its sound and its artwork, where it is not there.

    The file is scored, as it sounds after rounding to 16 bits; ImageBind's cosine is the paper's
    ImageBind score.

    Args:
        out: the folder.
        items: the sounds, all of them there.
        inputs: their artworks.
        rank_by: as in `check_ranker`.
        encoder: gives the checkpoint's encoder.
        progress: called with ("ranking", done, total).

    Raises:
        ArtsoundError: the embedder or a sound cannot be read.
    """
    records = read_records(out)
    ranker = encoder_ranker(encoder()) if rank_by == _OWN else load_ranker(rank_by)
    if ranker is None:
        raise UsageError("the checkpoint's encoder embeds no music, so it cannot rank")
    name = ranker.name
    left = [item for item in items if name not in records[item.name].get("scores", {})]
    done = 0
    for chunk in in_batches(left, _BATCH):
        progress("ranking", done, len(left))
        artworks = ranker.embed(list(inputs.images([item.artwork for item in chunk])))
        for item, artwork in zip(chunk, artworks, strict=True):
            record = records[item.name]
            path = sound_of(out, item.name, record)
            try:
                samples, rate = soundfile.read(path, dtype="float32")
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise ArtsoundError(f"{path} cannot be read: delete it and run again") from error
            cosine = ranker.scores(artwork[None], [np.asarray(samples)], int(rate))[0]
            record.setdefault("scores", {})[name] = round(float(cosine), 6)
            write_record(out, item.name, record)
        done += len(chunk)
    if left:
        progress("ranking", done, len(left))
