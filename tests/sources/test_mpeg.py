"""Cut MP3 files are told from whole ones, wherever they were cut."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from artsound.schema import Reason
from artsound.sources.media import check_audio
from artsound.sources.mpeg import mp3_is_cut
from artsound.sources.sample import data

CLIPS = {
    path.name: path.read_bytes()
    for folder in (data() / "fma/fma_large").iterdir()
    for path in folder.iterdir()
    if path.name not in ("201008.mp3", "201009.mp3")
}
CLIP = CLIPS["200001.mp3"]


@pytest.mark.parametrize("name", sorted(CLIPS))
def test_whole_clips_are_whole(name: str) -> None:
    assert not mp3_is_cut(CLIPS[name])


@settings(max_examples=300)
@given(st.integers(2000, len(CLIP) - 1))
@example(len(CLIP) - 1)
def test_a_clip_with_a_header_that_counts_is_cut_wherever_it_ends(kept: int) -> None:
    # The count has a tolerance of one frame, so only a cut within the last one may pass as whole.
    if kept < len(CLIP) - 2 * 1044:
        assert mp3_is_cut(CLIP[:kept])
    else:
        mp3_is_cut(CLIP[:kept])


def _without_count(encoded: bytes) -> bytes:
    return encoded.replace(b"Info", b"none").replace(b"Xing", b"none")


@settings(max_examples=300)
@given(st.integers(3000, len(CLIP) - 1))
def test_without_a_count_a_cut_within_a_frame_is_seen(kept: int) -> None:
    plain = _without_count(CLIP)
    assert not mp3_is_cut(plain)
    boundaries = _boundaries(plain)
    assert mp3_is_cut(plain[:kept]) == (kept not in boundaries)


def _boundaries(encoded: bytes) -> set[int]:
    """Return where frames end, found by searching for the sync word instead of by lengths."""
    ends = {len(encoded)}
    header = encoded[_start(encoded) :][:2]
    at = _start(encoded)
    while (at := encoded.find(header, at + 300)) >= 0:
        if encoded[at + 2] & 0xF0 == encoded[_start(encoded) + 2] & 0xF0:
            ends.add(at)
    return ends


def _start(encoded: bytes) -> int:
    return encoded.find(b"\xff\xfb")


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), bytes(500), b"APETAGEX" + bytes(60)])
def test_tags_and_padding_at_the_end_are_no_cut(tail: bytes) -> None:
    assert not mp3_is_cut(CLIP + tail)
    assert not mp3_is_cut(_without_count(CLIP) + tail)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_mpeg_version_is_walked(rate: int, channels: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (6 * rate, channels))
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, rate, format="MP3")
    encoded = buffer.getvalue()
    assert not mp3_is_cut(encoded)
    assert mp3_is_cut(encoded[: len(encoded) // 2])


def test_a_cut_clip_is_rejected() -> None:
    check = check_audio(CLIP[: len(CLIP) * 2 // 3])
    assert check.reason == Reason.AUDIO_TRUNCATED


@given(st.binary(max_size=3000))
def test_no_bytes_raise_or_hang(noise: bytes) -> None:
    mp3_is_cut(noise)
    mp3_is_cut(CLIP[:5000] + noise)
