from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artsound.errors import ArtsoundError
from artsound.models.base import SegmentCaptioner, SegmentRequest
from artsound.models.music_flamingo import MusicFlamingoCaptioner
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from tests.models.tiny_flamingo import write_flamingo


@pytest.fixture(scope="module", params=["audioflamingo3", "musicflamingo"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flamingo(tmp_path_factory.mktemp("flamingo") / request.param, request.param)


@pytest.fixture(scope="module")
def captioner(folder: Path) -> MusicFlamingoCaptioner:
    return MusicFlamingoCaptioner.from_checkpoint(folder, max_tokens=8)


def _request(seconds: float, seed: int, prompt: str) -> SegmentRequest:
    random = np.random.RandomState(seed)
    waveform = (0.1 * random.standard_normal(int(16_000 * seconds))).astype(np.float32)
    return SegmentRequest(f"{seed}-0", waveform, 16_000, prompt)


def test_a_caption_depends_on_its_segment_and_prompt(captioner: MusicFlamingoCaptioner) -> None:
    assert isinstance(captioner, SegmentCaptioner)
    assert captioner.sample_rate == 16_000
    requests = [
        _request(3.0, 1, "Describe this music."),
        _request(1.0, 2, "Describe the tempo and the mood of this music."),
        _request(2.0, 3, "Describe this music."),
    ]
    together = captioner.caption(requests)
    assert together == [captioner.caption([request])[0] for request in requests]
    assert captioner.caption([]) == []
    assert all("<" not in caption for caption in together)
    others = captioner.caption([_request(3.0, 1, "Name the instruments."), requests[1]])
    assert others[0] != together[0]


def test_the_registry_loads_it(folder: Path) -> None:
    models = Models({"music-flamingo": ModelSettings(checkpoint=str(folder), max_tokens=5)})
    assert models.load("segment_captioner", "music-flamingo").name == "music-flamingo"


def test_bad_audio_is_that_item_s_fault(captioner: MusicFlamingoCaptioner) -> None:
    with pytest.raises(ValueError, match="7-0: 8000 Hz, the model hears 16000"):
        captioner.caption([SegmentRequest("7-0", np.zeros(99, np.float32), 8_000, "x")])
    with pytest.raises(ValueError, match="7-0: an empty waveform"):
        captioner.caption([SegmentRequest("7-0", np.zeros(0, np.float32), 16_000, "x")])


def test_bad_folders_are_one_line(tmp_path: Path) -> None:
    bad = write_flamingo(tmp_path / "bad", "musicflamingo")
    (bad / "chat_template.json").unlink()
    with pytest.raises(ArtsoundError, match="has no chat template"):
        MusicFlamingoCaptioner.from_checkpoint(bad)
    (bad / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(ArtsoundError, match="of a qwen2 model, not of audioflamingo3 or music"):
        MusicFlamingoCaptioner.from_checkpoint(bad)
