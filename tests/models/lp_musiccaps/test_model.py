"""Loading, segments of a track, and bad input."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import SegmentCaptioner, SegmentRequest
from artsound.models.checkpoints import CheckpointError
from artsound.models.lp_musiccaps import LPMusicCaps, LPMusicCapsCaptioner
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from tests.models.lp_musiccaps import tiny


def _track(seconds: float) -> NDArray[np.float32]:
    return np.concatenate(tiny.segments())[: round(seconds * 16_000)]


def test_layouts_of_the_file(model: LPMusicCaps, tmp_path: Path) -> None:
    expected = model.token_ids(tiny.segments(2), 16_000)
    spread = tiny.write(tmp_path / "distributed", prefix="module.")
    torch.save(tiny.state_dict(), tmp_path / "plain.pth")
    for path in (spread.checkpoint, tmp_path / "plain.pth"):
        loaded = LPMusicCaps.from_checkpoint(path, bart=spread.bart)
        assert loaded.token_ids(tiny.segments(2), 16_000) == expected


def test_one_matrix_for_the_vocabulary(model: LPMusicCaps) -> None:
    bart = model.network.bart
    weights = [bart.lm_head.weight, bart.model.encoder.embed_tokens.weight]
    weights += [bart.model.decoder.embed_tokens.weight, bart.model.shared.weight]
    assert len({weight.data_ptr() for weight in weights}) == 1
    assert not model.network.training


def test_without_a_tokenizer(model: LPMusicCaps, files: tiny.Tiny) -> None:
    bare = LPMusicCaps.from_checkpoint(files.checkpoint, tiny.CONFIG)
    segments = tiny.segments(1)
    assert bare.token_ids(segments, 16_000) == model.token_ids(segments, 16_000)
    with pytest.raises(UsageError, match="bart=FOLDER"):
        bare.caption(segments, 16_000)


def test_short_segments_are_padded_with_silence(model: LPMusicCaps) -> None:
    short = tiny.segments(2)[1]
    padded = np.pad(short, (0, 160_000 - short.size))
    assert model.token_ids([short], 16_000) == model.token_ids([padded], 16_000)


@pytest.mark.parametrize(
    ("seconds", "drop", "keep"), [(4, 1, 1), (10, 1, 1), (19.9, 1, 2), (20, 2, 2), (29.98, 2, 3)]
)
def test_segments_of_a_track(model: LPMusicCaps, seconds: float, drop: int, keep: int) -> None:
    track = _track(seconds)
    dropped = model.caption_track(track, 16_000)
    kept = model.caption_track(track, 16_000, tail="keep")
    assert (len(dropped), len(kept)) == (drop, keep)
    assert kept[:drop] == dropped
    assert dropped[0] == model.caption([track[:160_000]], 16_000)[0]


@pytest.mark.parametrize(
    ("waveform", "rate", "why"),
    [
        (np.zeros(0, np.float32), 16_000, "empty"),
        (np.full(16_000, np.nan, np.float32), 16_000, "not finite"),
        (np.full(16_000, np.inf, np.float32), 16_000, "not finite"),
        (np.zeros((2, 16_000), np.float32), 16_000, "mono"),
        (np.zeros(160_001, np.float32), 16_000, "caption_track"),
        (np.zeros(16_000, np.int16), 16_000, "int16"),
        (np.zeros(16_000, np.float32), 44_100, "44100 Hz"),
    ],
)
def test_bad_waveforms(model: LPMusicCaps, waveform: object, rate: int, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        model.caption([waveform], rate)  # type: ignore[list-item]
    assert "\n" not in str(caught.value)


def test_nothing_and_silence(model: LPMusicCaps) -> None:
    assert model.caption([], 16_000) == []
    assert len(model.caption([np.zeros(160_000, np.float32)], 16_000)) == 1
    with pytest.raises(ValueError, match="empty"):
        model.caption_track(np.zeros(0, np.float32), 16_000)


def _refused(path: Path, bart: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        LPMusicCaps.from_checkpoint(path, bart=bart)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_files(files: tiny.Tiny, tmp_path: Path) -> None:
    bart = files.bart
    assert "no such file" in _refused(tmp_path / "none.pth", bart)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(files.checkpoint.read_bytes()[:100_000])
    assert f"{cut} is damaged" in _refused(cut, bart)
    torch.save({"state_dict": {"visual.proj": torch.zeros(2, 2)}}, tmp_path / "other.pth")
    assert "other.pth is not a checkpoint of Network" in _refused(tmp_path / "other.pth", bart)
    unsafe = {"state_dict": tiny.state_dict(), "args": argparse.Namespace(lr=1)}
    torch.save(unsafe, tmp_path / "unsafe.pth")
    assert "could run code" in _refused(tmp_path / "unsafe.pth", bart)
    shape = tiny.state_dict()
    shape["audio_encoder.positional_embedding"] = torch.zeros(63, 32)
    torch.save({"state_dict": shape}, tmp_path / "shape.pth")
    assert "positional_embedding has the shape (63, 32)" in _refused(tmp_path / "shape.pth", bart)


def test_bad_folders_of_bart(files: tiny.Tiny, tmp_path: Path) -> None:
    assert "does not exist" in _refused(files.checkpoint, tmp_path / "none")
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(files.bart / "config.json", bare)
    assert "has no tokenizer" in _refused(files.checkpoint, bare)
    other = tmp_path / "other"
    shutil.copytree(files.bart, other)
    (other / "config.json").write_text(json.dumps(tiny.CONFIG | {"model_type": "t5"}))
    assert "t5" in _refused(files.checkpoint, other)


def test_in_a_recipe(model: LPMusicCaps, files: tiny.Tiny) -> None:
    settings = ModelSettings(
        checkpoint=str(files.checkpoint), companions={"bart": str(files.bart)}, device="cpu"
    )
    models = Models({"lp-musiccaps": settings})
    captioner = models.load("segment_captioner", "lp-musiccaps")
    assert type(captioner) is LPMusicCapsCaptioner
    role: SegmentCaptioner = captioner
    assert isinstance(role, SegmentCaptioner)
    assert (captioner.name, captioner.sample_rate) == ("lp-musiccaps", 16_000)
    segments = tiny.segments(2)
    requests = [SegmentRequest(f"7/{n}", wave, 16_000, "") for n, wave in enumerate(segments)]
    assert captioner.caption(requests) == model.caption(segments, 16_000)
    with pytest.raises(ValueError, match="7/0 is at 22050"):
        captioner.caption([SegmentRequest("7/0", segments[0], 22_050, "")])
    with pytest.raises(ArtsoundError, match="options"):
        Models({"lp-musiccaps": settings.model_copy(update={"options": {"beams": 3}})}).load(
            "segment_captioner", "lp-musiccaps"
        )
