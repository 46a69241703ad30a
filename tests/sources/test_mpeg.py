"""Cut MP3 files are told from whole ones, wherever they were cut."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from artsound.schema import Reason
from artsound.sources.media import check_audio, decode_audio
from artsound.sources.mpeg import walk, with_true_count
from artsound.sources.sample import data

CLIPS = {
    path.name: path.read_bytes()
    for folder in (data() / "fma/fma_large").iterdir()
    for path in folder.iterdir()
    if path.name not in ("201008.mp3", "201009.mp3")
}
CLIP = CLIPS["200001.mp3"]


def _is_cut(encoded: bytes) -> bool:
    frames = walk(encoded)
    return frames is not None and frames.cut


@pytest.mark.parametrize("name", sorted(CLIPS))
def test_whole_clips_are_whole(name: str) -> None:
    assert not _is_cut(CLIPS[name])


@settings(max_examples=300)
@given(st.integers(2000, len(CLIP) - 1))
@example(len(CLIP) - 1)
def test_a_clip_with_a_header_that_counts_is_cut_wherever_it_ends(kept: int) -> None:
    # The count has a tolerance of one frame, so only a cut within the last one may pass as whole.
    # A frame of the sample's has 313 or 314 bytes.
    assert _is_cut(CLIP[:kept]) or kept in (len(CLIP) - 313, len(CLIP) - 314)


def _without_count(encoded: bytes) -> bytes:
    return encoded.replace(b"Info", b"none").replace(b"Xing", b"none")


@settings(max_examples=300)
@given(st.integers(3000, len(CLIP) - 1))
def test_without_a_count_a_cut_within_a_frame_is_seen(kept: int) -> None:
    plain = _without_count(CLIP)
    assert not _is_cut(plain)
    boundaries = _boundaries(plain)
    assert _is_cut(plain[:kept]) == (kept not in boundaries)


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
    assert not _is_cut(CLIP + tail)
    assert not _is_cut(_without_count(CLIP) + tail)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_mpeg_version_is_walked(rate: int, channels: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (6 * rate, channels))
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, rate, format="MP3")
    encoded = buffer.getvalue()
    assert not _is_cut(encoded)
    assert _is_cut(encoded[: len(encoded) // 2])


def test_a_cut_clip_is_rejected() -> None:
    check = check_audio(CLIP[: len(CLIP) * 2 // 3])
    assert check.reason == Reason.AUDIO_TRUNCATED


@given(st.binary(max_size=3000))
def test_no_bytes_raise_or_hang(noise: bytes) -> None:
    _is_cut(noise)
    _is_cut(CLIP[:5000] + noise)


def _mp3(level: float, quality: float) -> bytes:
    noise = np.random.default_rng(0).normal(0, level, (6 * 44100, 1))
    buffer = io.BytesIO()
    soundfile.write(
        buffer, noise, 44100, format="MP3", bitrate_mode="VARIABLE", compression_level=quality
    )
    return buffer.getvalue()


def _frames_only(encoded: bytes) -> bytes:
    """Drop the frame with the count."""
    frames = walk(encoded)
    assert frames
    assert frames.promised == frames.counted
    following = encoded.find(encoded[frames.first : frames.first + 2], frames.first + 4)
    rest = encoded[following:]
    left = walk(rest)
    assert left
    assert left.promised is None
    assert left.counted == frames.counted
    return rest


@pytest.mark.parametrize("order", [1, -1])
def test_a_variable_bit_rate_without_a_count_is_decoded_whole(order: int) -> None:
    parts = [_frames_only(_mp3(1e-3, 0.9)), _frames_only(_mp3(0.2, 0.0))][::order]
    encoded = b"".join(parts)
    frames = walk(encoded)
    assert frames
    # libsndfile's estimate from the first frame's bit rate is off by far, which is the point.
    estimate = soundfile.info(io.BytesIO(encoded)).frames
    assert abs(estimate / 1152 - frames.counted) > 0.2 * frames.counted
    check = check_audio(encoded)
    assert check.duration_s == pytest.approx(frames.counted * 1152 / 44100, abs=0.03)
    wave, rate = decode_audio(encoded)
    assert len(wave) / rate == pytest.approx(check.duration_s)


@pytest.mark.parametrize("promise", [10, 1000])
def test_a_count_that_is_too_small_is_put_right(promise: int) -> None:
    frames = walk(CLIP)
    assert frames
    at = frames.promise_at
    wrong = CLIP[:at] + promise.to_bytes(4, "big") + CLIP[at + 4 :]
    found = walk(wrong)
    assert found
    assert with_true_count(wrong, found) == CLIP
    assert check_audio(wrong) == check_audio(CLIP)


def test_a_right_count_is_left_alone() -> None:
    frames = walk(CLIP)
    assert frames
    assert with_true_count(CLIP, frames) is CLIP


def test_a_cut_clip_is_rejected_wherever_it_ends() -> None:
    for kept in np.random.default_rng(0).integers(1, len(CLIP) - 400, 12):
        reason = check_audio(CLIP[:kept]).reason
        # Before the first frame is whole there is nothing that tells a cut clip from noise.
        assert reason == (Reason.AUDIO_TRUNCATED if kept > 2000 else Reason.AUDIO_NOT_DECODABLE)
