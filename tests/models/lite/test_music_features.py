import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artsound.models.lite.music_features import MusicFeatures, estimate_key, measure

RATE = 16_000


def tones(frequencies: list[float], seconds: float = 0.5) -> NDArray[np.float32]:
    """Plucked tones with overtones, one after another."""
    time = np.arange(round(seconds * RATE)) / RATE
    envelope = np.exp(-3.0 * time)
    notes = [
        sum(np.sin(2 * np.pi * f * n * time) / n**2 for n in (1, 2, 3)) * envelope * 0.3
        for f in frequencies
    ]
    return np.concatenate(notes).astype(np.float32)


def clicks(bpm: float, seconds: float = 10.0) -> NDArray[np.float32]:
    """Short noise bursts, one a beat."""
    noise = np.random.default_rng(0).standard_normal(round(0.02 * RATE))
    track = np.zeros(round(seconds * RATE))
    for beat in np.arange(0.1, seconds - 0.1, 60.0 / bpm):
        start = round(beat * RATE)
        track[start : start + len(noise)] += noise * np.linspace(0.4, 0.0, len(noise))
    return track.astype(np.float32)


def midi(*notes: int) -> list[float]:
    return [440.0 * 2.0 ** ((note - 69) / 12) for note in notes]


@pytest.mark.parametrize("bpm", [60.0, 75.0, 90.0, 100.0, 120.0, 140.0, 170.0])
def test_tempo_of_clicks(bpm: float) -> None:
    made = measure(clicks(bpm), RATE)
    assert made.tempo_bpm == pytest.approx(bpm, rel=0.015)
    assert made.pulse > 0.6


def test_noise_has_no_pulse() -> None:
    noise = np.random.default_rng(1).standard_normal(10 * RATE).astype(np.float32) * 0.1
    assert measure(noise, RATE).pulse < 0.3


@pytest.mark.parametrize(
    ("notes", "name"),
    [
        ((60, 64, 67, 72, 67, 64, 65, 69, 72, 67, 71, 74, 62, 60, 64, 67, 72, 60), "C major"),
        ((62, 66, 69, 74, 69, 66, 67, 71, 74, 69, 73, 76, 64, 62, 66, 69, 74, 62), "D major"),
        ((57, 60, 64, 69, 64, 60, 62, 65, 69, 64, 68, 71, 59, 57, 60, 64, 69, 57), "A minor"),
    ],
)
def test_key_of_arpeggios(notes: tuple[int, ...], name: str) -> None:
    key = measure(tones(midi(*notes)), RATE).key
    assert key is not None
    assert key.name == name
    assert key.correlation > 0.7


def test_profiles_are_their_own_keys() -> None:
    major = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
    key = estimate_key(np.roll(major, 10))
    assert key is not None
    assert key.name == "B-flat major"
    assert key.correlation == pytest.approx(1.0)
    assert estimate_key(np.ones(12)) is None


def test_level_of_a_sine() -> None:
    time = np.arange(3 * RATE) / RATE
    sine = (0.5 * np.sin(2 * np.pi * 1000.0 * time)).astype(np.float32)
    made = measure(sine, RATE)
    assert made.rms_dbfs == pytest.approx(-9.03, abs=0.01)
    assert made.dynamic_range_db < 0.1


def test_dynamic_range_and_tone() -> None:
    time = np.arange(5 * RATE) / RATE
    low = np.sin(2 * np.pi * 200.0 * time).astype(np.float32) * 0.4
    high = np.sin(2 * np.pi * 4000.0 * time).astype(np.float32) * 0.4
    assert measure(low, RATE).centroid_hz < 600.0 < 3000.0 < measure(high, RATE).centroid_hz
    assert measure(np.concatenate([low, 0.05 * low]), RATE).dynamic_range_db > 15.0


def test_percussive_and_sustained() -> None:
    time = np.arange(10 * RATE) / RATE
    waves = np.array([np.sin(2 * np.pi * f * time) for f in midi(57, 60, 64)])
    pad = 0.1 * waves.sum(axis=0).astype(np.float32)
    struck, held = measure(clicks(120.0), RATE), measure(pad, RATE)
    assert struck.percussive > 0.6 > 0.1 > held.percussive
    assert struck.onsets_per_s == pytest.approx(2.0, abs=0.3)


def test_silence() -> None:
    made = measure(np.zeros(RATE, np.float32), RATE)
    assert made.silent
    assert made.key is None
    assert made.pulse == made.tempo_bpm == 0.0


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(0, np.float32), np.array([np.inf], np.float32), np.zeros((2, 9), np.float32)],
)
def test_what_is_no_waveform(waveform: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="mono waveform"):
        measure(waveform, RATE)


def numbers(made: MusicFeatures) -> list[float]:
    key = [] if made.key is None else [made.key.correlation, made.key.margin]
    return [
        *(made.rms_dbfs, made.dynamic_range_db, made.centroid_hz, made.percussive),
        *(made.onsets_per_s, made.tempo_bpm, made.pulse, *key),
    ]


@settings(max_examples=60)
@given(
    samples=st.integers(1, 40_000),
    seed=st.integers(0, 2**16),
    gain=st.floats(0.0, 1.0),
    kind=st.sampled_from(["noise", "constant", "impulse", "square"]),
)
def test_never_nan(samples: int, seed: int, gain: float, kind: str) -> None:
    random = np.random.default_rng(seed)
    waveform = {
        "noise": random.uniform(-1, 1, samples),
        "constant": np.ones(samples),
        "impulse": np.eye(1, samples, int(random.integers(samples)))[0],
        "square": np.sign(np.sin(np.arange(samples) * random.uniform(0.01, 3.0))),
    }[kind]
    made = measure((gain * waveform).astype(np.float32), RATE)
    assert np.isfinite(numbers(made)).all()
    assert 0.0 <= made.percussive <= 1.0
    assert 0.0 <= made.pulse <= 1.0
    assert made.dynamic_range_db >= 0.0
    assert made.tempo_bpm == 0.0 or 45.0 < made.tempo_bpm < 210.0
