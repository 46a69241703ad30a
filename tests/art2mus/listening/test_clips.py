"""Clips brought alike."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from art2mus.benchmark.clips import ClipError, clip_of
from art2mus.listening.clips import Bench, Levelled, predictions
from art2mus.listening.lufs import RATE, integrated_loudness
from artsound.errors import UsageError


def tone(level: float, rate: int = 16_000, seconds: float = 1.5) -> np.ndarray:
    wave = np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
    return (level * wave).astype(np.float32)[None]


def levelled(folder: Path, *clips: tuple[np.ndarray, int]) -> tuple[float, list[Levelled]]:
    bench = Bench(folder, 10.0)
    for number, (samples, rate) in enumerate(clips):
        bench.add(("m", str(number)), clip_of(samples, rate, 10.0, f"clip {number}"), f"{number}")
    target, found = bench.levelled()
    return target, list(found)


def test_brings_clips_to_one_loudness_rate_length_and_format(tmp_path: Path) -> None:
    stereo = np.concatenate([tone(0.5, 44_100, 2.0)] * 2)
    target, found = levelled(tmp_path, (tone(0.01), 16_000), (stereo, 44_100))
    assert target == -20.0
    for one in found:
        samples, rate = soundfile.read(io.BytesIO(one.data), dtype="float32", always_2d=True)
        assert (rate, samples.shape) == (RATE, (RATE * 3 // 2, 1))
        assert integrated_loudness(samples[:, 0]) == pytest.approx(-20.0, abs=0.05)
        assert abs(samples[-1, 0]) < 1e-3
        assert soundfile.info(io.BytesIO(one.data)).subtype == "PCM_16"


def test_clips_with_peaks_lower_all_and_none_is_clipped(tmp_path: Path) -> None:
    peaky = tone(0.06)
    peaky[0, ::4000] = 0.5
    target, found = levelled(tmp_path, (peaky, 16_000), (tone(0.3), 16_000))
    assert -30 < target < -20
    assert [one.lufs for one in found] == pytest.approx([target, target])
    peaks = [np.abs(soundfile.read(io.BytesIO(one.data))[0]).max() for one in found]
    assert max(peaks) == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_one_click_does_not_silence_the_others(tmp_path: Path) -> None:
    click = tone(0.0008)
    click[0, 9000:9003] = 0.9
    target, found = levelled(tmp_path, (click, 16_000), (tone(0.3), 16_000))
    assert target == -30.0
    assert found[0].lufs is not None
    assert found[0].lufs < -30
    assert found[1].lufs == -30.0


def test_silence_stays_silent(tmp_path: Path) -> None:
    target, found = levelled(tmp_path, (np.zeros((1, 20_000), np.float32), 16_000))
    assert (target, found[0].was_lufs, found[0].lufs) == (-20.0, None, None)
    assert not soundfile.read(io.BytesIO(found[0].data))[0].any()


def test_names_the_files_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        predictions(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"no \{pair_id\}.wav"):
        predictions(tmp_path)
    soundfile.write(tmp_path / "a.wav", tone(0.1)[0], 16_000)
    soundfile.write(tmp_path / "a.flac", tone(0.1)[0], 16_000)
    with pytest.raises(UsageError, match="for one pair"):
        predictions(tmp_path)
    (tmp_path / "b.wav").write_bytes(b"RIFF but no more")
    bench = Bench(tmp_path, 10.0)
    with pytest.raises(ClipError, match=r"b\.wav cannot be decoded"):
        bench.add_file(("m", "b"), tmp_path / "b.wav")
    with pytest.raises(ValueError, match="no clip"):
        _ = bench.shortest
