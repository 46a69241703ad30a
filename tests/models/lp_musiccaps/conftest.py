"""The tiny checkpoint, written once a session."""

from __future__ import annotations

import pytest

from artsound.models.lp_musiccaps import LPMusicCaps
from tests.models.lp_musiccaps import tiny


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    return tiny.write(tmp_path_factory.mktemp("lp_musiccaps") / "tiny")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSOUND_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def model(files: tiny.Tiny, cache: object) -> LPMusicCaps:
    return LPMusicCaps.from_checkpoint(files.checkpoint, bart=files.bart)
