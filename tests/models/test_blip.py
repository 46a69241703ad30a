from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artsound.errors import ArtsoundError
from artsound.models.base import ArtworkCaptioner, ArtworkRequest
from artsound.models.blip import PROMPT, BlipCaptioner
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from tests.models.tiny_blip import write_blip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blip(tmp_path_factory.mktemp("blip") / "model")


@pytest.fixture(scope="module")
def captioner(folder: Path) -> BlipCaptioner:
    return BlipCaptioner.from_checkpoint(folder)


def _requests(count: int) -> list[ArtworkRequest]:
    random = np.random.RandomState(0)
    return [
        ArtworkRequest(
            str(number),
            Image.fromarray(random.randint(0, 256, (40 + number, 60, 3)).astype(np.uint8)),
            {},
            "Describe this artwork in detail.",
        )
        for number in range(count)
    ]


def test_captions_are_short_and_without_the_prompt(captioner: BlipCaptioner) -> None:
    assert isinstance(captioner, ArtworkCaptioner)
    captions = captioner.caption(_requests(3))
    assert len(captions) == 3
    for caption in captions:
        assert caption
        assert not caption.startswith(PROMPT.strip())
        assert len(caption.split()) <= 30


def test_a_caption_depends_on_its_image_alone(captioner: BlipCaptioner) -> None:
    requests = _requests(11)
    together = captioner.caption(requests)
    assert together == [captioner.caption([request])[0] for request in requests]
    assert captioner.caption([]) == []


def test_the_registry_loads_it(folder: Path) -> None:
    models = Models({"blip": ModelSettings(checkpoint=str(folder))})
    assert models.load("artwork_captioner", "blip").name == "blip"


def test_bad_folders_are_one_line(tmp_path: Path) -> None:
    bad = write_blip(tmp_path / "bad")
    (bad / "vocab.txt").unlink()
    with pytest.raises(ArtsoundError, match="bad has no tokenizer"):
        BlipCaptioner.from_checkpoint(bad)
    (bad / "config.json").write_text('{"model_type": "blip_2"}')
    with pytest.raises(ArtsoundError, match="is of a blip_2 model, not of blip"):
        BlipCaptioner.from_checkpoint(bad)
