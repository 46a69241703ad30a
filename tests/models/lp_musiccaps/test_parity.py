"""Equal to the authors' code: `data/official.npz` is what it made of the tiny checkpoint.

Made with their `BartCaptionModel` (transformers 4.26.1, as they pin it), which loaded the file that
`tiny.write` writes. Stages with many frames are kept for the first two segments, every sixteenth
frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from artsound.models.lp_musiccaps import LPMusicCaps
from artsound.models.lp_musiccaps.mel import SEGMENT_SAMPLES
from tests.models.lp_musiccaps import tiny

_OFFICIAL = Path(__file__).parent / "data" / "official.npz"
_PAD = 1


@pytest.fixture(scope="module")
def official() -> dict[str, NDArray[Any]]:
    with np.load(_OFFICIAL) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def stages(model: LPMusicCaps) -> dict[str, NDArray[np.float32]]:
    found: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: found.update({name: output.numpy()})

    network = model.network
    encoder = network.audio_encoder
    named = {"mel": network.mel, "conv1": encoder.conv1, "embeddings": encoder}
    named |= {f"conv_stack.{number}": conv for number, conv in enumerate(encoder.conv_stack)}
    hooks = [module.register_forward_hook(keep(name)) for name, module in named.items()]
    padded = [np.pad(s, (0, SEGMENT_SAMPLES - s.size)) for s in tiny.segments()]
    with torch.inference_mode():
        found["encoded"] = network(torch.from_numpy(np.stack(padded))).numpy()
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    "stage",
    ["mel", "conv1", *(f"conv_stack.{number}" for number in range(5)), "embeddings", "encoded"],
)
def test_stages_are_the_authors(
    stage: str, stages: dict[str, NDArray[np.float32]], official: dict[str, NDArray[Any]]
) -> None:
    ours, theirs = stages[stage], official[stage]
    ours = ours[: len(theirs)]
    if ours.shape != theirs.shape:
        ours = ours[..., ::16]
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-5


def test_captions_are_the_authors(model: LPMusicCaps, official: dict[str, NDArray[Any]]) -> None:
    theirs = [_unpadded(row) for row in official["ids"].tolist()]
    assert len({len(ids) for ids in theirs}) > 3  # they end at different lengths
    assert model.token_ids(tiny.segments(), 16_000) == theirs
    assert model.caption(tiny.segments(), 16_000) == official["captions"].tolist()


def _unpadded(ids: list[int]) -> list[int]:
    last = max(place for place, token in enumerate(ids) if token != _PAD)
    return ids[: last + 1]


def test_the_batch_does_not_matter(model: LPMusicCaps, files: tiny.Tiny) -> None:
    segments = tiny.segments()
    together = model.token_ids(segments, 16_000)
    assert [model.token_ids([segment], 16_000)[0] for segment in segments] == together
    assert model.token_ids(segments[::-1], 16_000) == together[::-1]
    pairs = LPMusicCaps.from_checkpoint(files.checkpoint, bart=files.bart, batch=2)
    assert pairs.token_ids(segments, 16_000) == together
