"""Reading predictions in whatever form they come."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from art2mus.benchmark.clips import ClipError, read_clip
from tests.art2mus.benchmark.music import tone, write


@pytest.mark.parametrize(
    ("subtype", "error"),
    [("PCM_U8", 1 / 100), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 0)],
)
def test_every_sample_format(subtype: str, error: float, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(16_000)[None], 16_000, subtype)
    clip = read_clip(path)
    assert (clip.sample_rate, clip.channels, clip.duration_s) == (16_000, 1, 2.0)
    assert np.abs(clip.mono - tone(16_000)).max() <= error


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_every_rate(rate: int, tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path / "a.wav", tone(rate)[None], rate))
    found = clip.at(16_000)
    inner = slice(1_000, 31_000)
    assert np.abs(found[inner] - tone(16_000)[inner]).max() < 2e-3
    assert clip.at(None) is clip.mono


def test_channels_are_mixed(tmp_path: Path) -> None:
    left, right = tone(16_000), tone(16_000, hertz=660)
    clip = read_clip(write(tmp_path / "a.wav", np.stack([left, right]), 16_000, "FLOAT"))
    assert clip.channels == 2
    np.testing.assert_allclose(clip.mono, (left + right) / 2, atol=1e-7)


def test_the_window_is_the_beginning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(16_000, 3.0)[None], 16_000, "FLOAT")
    clip = read_clip(path, 2.0)
    assert clip.duration_s == 3.0
    np.testing.assert_array_equal(clip.mono, tone(16_000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(bad: float, tmp_path: Path) -> None:
    samples = tone(16_000)
    samples[100:103] = bad
    path = write(tmp_path / "a.wav", samples[None], 16_000, "FLOAT")
    with pytest.raises(ClipError, match=r"a\.wav has 3 samples that are NaN or infinite"):
        read_clip(path)


def test_clips_that_are_none(tmp_path: Path) -> None:
    short = write(tmp_path / "short.wav", tone(16_000, 0.5)[None], 16_000)
    with pytest.raises(ClipError, match=r"short\.wav lasts 0\.50 s"):
        read_clip(short)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF and nothing more")
    with pytest.raises(ClipError, match=r"broken\.wav cannot be decoded"):
        read_clip(broken)
    with pytest.raises(ClipError, match="no such file"):
        read_clip(tmp_path / "none.wav")


def test_only_what_is_heard_is_decoded(tmp_path: Path) -> None:
    """A minute and a half of 96 kHz in stereo is 70 MB of samples, two seconds of it 3 MB."""
    samples = np.zeros((2, 90 * 96_000), np.float32)
    samples[:, :96_000] = tone(96_000, 1.0)
    path = write(tmp_path / "long.wav", samples, 96_000)
    del samples
    tracemalloc.start()
    clip = read_clip(path, 2.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert clip.duration_s == 90.0
    assert clip.mono.shape == (192_000,)
    assert peak < 8e6


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_the_length_is_the_whole_files(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, tone(16_000, 3.0), 16_000)
    clip = read_clip(path, 2.0)
    assert clip.duration_s == pytest.approx(3.0, abs=0.1)
    assert len(clip.mono) == 32_000
    assert read_clip(path).duration_s == pytest.approx(clip.duration_s)


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(16_000, 3.0)[None], 16_000, "PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 2 * 24_000])
    assert read_clip(path, 2.0).duration_s == pytest.approx(1.5, abs=0.01)
