"""Distances of small sets against the truth: what is biased, what is not, and what intervals say.

Clips have several frames that are alike, as those of music are: without that a metric may count
them as independent and no test sees it.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from art2mus.benchmark.metrics import METRICS
from art2mus.benchmark.metrics.base import Measurement
from art2mus.benchmark.statistics import Statistics, accumulate

Array = NDArray[np.float64]


def music(
    random: np.random.Generator, clips: int, frames: int, d: int, shared: float
) -> list[Array]:
    """Return clips of standard normal frames, of whose variance so much is common to a clip."""
    common = np.sqrt(shared) * random.normal(size=(clips, 1, d))
    return list(common + np.sqrt(1 - shared) * random.normal(size=(clips, frames, d)))


def measured(
    metric: str, seed: int, clips: int, frames: int, d: int, shift: float = 0.0, shared: float = 0.5
) -> Measurement:
    random = np.random.default_rng(seed)
    generated = [clip + shift for clip in music(random, clips, frames, d, shared)]
    reference = music(random, clips, frames, d, shared)
    return METRICS[metric].measure(generated, reference, random)


def value(found: Measurement) -> float:
    assert found.value is not None, found.details
    return found.value


@pytest.mark.parametrize("shift", [pytest.param(0.0, marks=pytest.mark.slow), 0.2])
def test_fad_infinity_is_the_truth_at_128_dimensions(shift: float) -> None:
    """FAD of 1000 single frames a side lies 8.5 above it."""
    truth = 128 * shift**2
    found = measured("fad-infinity", 0, 1000, 1, 128, shift, 0.0)
    assert value(measured("fad", 0, 1000, 1, 128, shift, 0.0)) > truth + 8
    assert value(found) == pytest.approx(truth, abs=0.7)
    assert found.interval is not None
    assert found.interval[0] <= truth <= found.interval[1]
    assert found.details["r2"] > 0.98


def test_fad_infinity_of_frames_that_are_alike() -> None:
    values = [value(measured("fad-infinity", seed, 80, 6, 16, 0.3, 0.7)) for seed in range(8)]
    plain = [value(measured("fad", seed, 80, 6, 16, 0.3, 0.7)) for seed in range(8)]
    assert np.mean(plain) > 16 * 0.09 + 1
    assert np.mean(values) == pytest.approx(16 * 0.09, abs=0.35)


def test_fad_infinity_of_too_few() -> None:
    """Without as many frames as dimensions no line leads anywhere, and it says so."""
    found = measured("fad-infinity", 0, 28, 5, 200)
    assert found.value is None
    assert "half of the clips have 70 frames" in found.details["undefined"]
    noted = measured("fad-infinity", 0, 60, 10, 64)
    assert "fewer than the 64 dimensions" in noted.details["note"]


def test_fad_infinity_is_never_negative() -> None:
    found = [measured("fad-infinity", seed, 200, 1, 4, 0.0, 0.0) for seed in range(8)]
    below = [one for one in found if one.details["extrapolated"] < 0]
    assert below
    for one in below:
        assert one.value == 0
        assert "below zero" in one.details["note"]
        assert one.interval is not None
        assert one.interval[0] == 0


@pytest.mark.parametrize("metric", ["kad", "kid"])
@pytest.mark.parametrize("clips", [30, 100])
def test_kernel_distances_are_unbiased_over_clips(metric: str, clips: int) -> None:
    """Six frames a clip, alike: counted as independent, KAD was 1.4 and 0.4 instead of 0."""
    values = [value(measured(metric, seed, clips, 6, 8, 0.0, 0.8)) for seed in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_kernel_distance_of_a_set_to_itself_in_any_order_is_zero() -> None:
    random = np.random.default_rng(0)
    clips = music(random, 40, 5, 8, 0.5)
    rounded = [clip + 1e-4 * random.normal(size=clip.shape) for clip in clips]  # another codec
    for other in (clips, rounded, rounded[1:] + rounded[:1]):
        found = METRICS["kad"].measure(other, clips, np.random.default_rng(1))
        assert value(found) == pytest.approx(0, abs=1e-2)
        assert found.details["in_both"] == 40


def test_kernel_distance_of_one_clip_only() -> None:
    found = measured("kad", 0, 1, 6, 4)
    assert found.value is None
    assert "two clips" in found.details["undefined"]


def test_the_bandwidth_is_of_the_whole_reference() -> None:
    """The first half of the reference is one sound over and over: its own median is near zero."""
    random = np.random.default_rng(0)
    reference = [1e-3 * random.normal(size=(4, 4)) for _ in range(700)]
    reference += [random.normal(size=(4, 4)) for _ in range(700)]
    generated = [random.normal(size=(4, 4)) for _ in range(1400)]
    found = METRICS["kad"].measure(generated, reference, random)
    assert found.details["bandwidth"] > 0.5


@pytest.mark.parametrize(
    ("metric", "shift"),
    [
        ("fad", 0.3),
        pytest.param("fad-infinity", 0.3, marks=pytest.mark.slow),
        ("kad", 0.3),
        ("fad", 0.0),
    ],
)
def test_intervals_are_as_wide_as_values_vary(metric: str, shift: float) -> None:
    """Of sixty clips, over thirty worlds: half of it is 1.5 to 3.5 standard deviations."""
    found = [measured(metric, seed, 60, 6, 16, shift) for seed in range(30)]
    values = np.array([value(one) for one in found])
    upper = np.array([one.interval[1] for one in found if one.interval is not None])
    half = float(np.mean(upper - values))
    assert 1.5 < half / values.std(ddof=1) < 3.5
    covered = np.mean(upper >= values.mean())
    assert covered >= 0.9


def test_intervals_say_what_they_are_of() -> None:
    for metric in ("fad", "fad-infinity", "kad", "kid"):
        assert (
            measured(metric, 0, 40, 6, 8).details["interval_of"].startswith("both sets, by pairs")
        )
    assert "bias" in measured("fad", 0, 40, 6, 8).details["interval_of"]
    vectors = [clip[0] for clip in music(np.random.default_rng(0), 30, 1, 8, 0.0)]
    others = [clip[0] for clip in music(np.random.default_rng(1), 30, 1, 8, 0.0)]
    for metric in ("score-music", "kl-softmax", "retrieval-r1", "retrieval-median-rank"):
        found = METRICS[metric].measure(vectors, others, np.random.default_rng(0))
        assert found.interval is not None
        assert found.details["interval_of"].startswith("the pairs")
        alone = METRICS[metric].measure(vectors[:1], others[:1], np.random.default_rng(0))
        assert alone.interval is None
        assert "interval_of" not in alone.details


@pytest.mark.parametrize("d", [4, 3000])
def test_clips_are_accumulated_a_few_at_a_time(d: int) -> None:
    random = np.random.default_rng(0)
    clips = [random.normal(size=(int(size), d)) for size in random.integers(1, 40, 90)]
    whole, found = Statistics.of(np.concatenate(clips)), accumulate(clips)
    assert found.count == whole.count
    np.testing.assert_allclose(found.mean, whole.mean, atol=1e-12)
    assert found.total_variance == pytest.approx(whole.total_variance)
