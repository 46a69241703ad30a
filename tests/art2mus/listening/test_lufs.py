"""Loudness against the standard's own test signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.listening.lufs import RATE, integrated_loudness


def sine(seconds: float, frequency: float = 997.0, dbfs: float = 0.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def loudness(samples: np.ndarray) -> float:
    found = integrated_loudness(samples)
    assert found is not None
    return found


def test_a_full_scale_sine_is_what_the_standard_says() -> None:
    # BS.1770-4, annex 1: 0 dB FS at 997 Hz in one channel reads -3.01 LKFS.
    assert loudness(sine(5)) == pytest.approx(-3.01, abs=0.01)


def test_gates_as_ebu_tech_3341_asks() -> None:
    # Case 3: 10 s at -36, 60 s at -23, 10 s at -36 dBFS in both channels; -23 LUFS; one channel
    # alone is 3.01 LU less.
    clip = np.concatenate([sine(10, 1000, -36), sine(60, 1000, -23), sine(10, 1000, -36)])
    assert loudness(clip) == pytest.approx(-23 - 3.01, abs=0.1)
    # Case 4: what is below -70 LUFS counts for nothing.
    clip = np.concatenate([sine(10, 1000, -72), clip, sine(10, 1000, -72)])
    assert loudness(clip) == pytest.approx(-23 - 3.01, abs=0.1)


def test_hears_less_of_the_lowest_notes() -> None:
    assert loudness(sine(2, 30)) < loudness(sine(2, 997)) - 3
    assert loudness(sine(2, 4000)) > loudness(sine(2, 997)) + 2


def test_silence_has_none() -> None:
    assert integrated_loudness(np.zeros(RATE, np.float32)) is None
    with pytest.raises(ValueError, match="fewer than a block"):
        integrated_loudness(np.zeros(100, np.float32))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(-20, 0))
def test_a_gain_moves_it_by_as_much(seed: int, gain: float) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.2, RATE).astype(np.float32)
    louder = (noise * 10 ** (gain / 20)).astype(np.float32)
    assert loudness(louder) - loudness(noise) == pytest.approx(gain, abs=1e-3)
