from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from artsound.models.lite import musicnn
from artsound.models.lite.musicnn import Dataset, MusiCNN

EXPECTED = Path(__file__).parent / "data" / "musicnn_expected.npz"
DATASETS: tuple[Dataset, ...] = ("mtt", "msd")


@cache
def expected() -> dict[str, NDArray[np.float32]]:
    """Six seconds of drums, their log-mel by librosa, and the original graph's outputs."""
    with np.load(EXPECTED) as arrays:
        return {name: arrays[name] for name in arrays.files}


def clip() -> NDArray[np.float32]:
    return expected()["pcm"].astype(np.float32) / 32768.0


def test_front_end_equals_librosas() -> None:
    made = musicnn.log_mel(clip()).numpy()
    assert made.shape == (376, 96)
    np.testing.assert_allclose(made, expected()["log_mel"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("dataset", DATASETS)
def test_outputs_equal_the_original_graph(dataset: Dataset) -> None:
    log_mel = expected()["log_mel"]
    patches = torch.from_numpy(np.stack([log_mel[:187], log_mel[187:374]]))
    with torch.inference_mode():
        made = MusiCNN.from_pretrained(dataset)(patches)
    assert np.abs(made.tags.numpy() - expected()[f"{dataset}_tags"]).max() <= 1e-5
    assert np.abs(made.penultimate.numpy() - expected()[f"{dataset}_penultimate"]).max() <= 1e-5


@pytest.mark.parametrize("dataset", DATASETS)
def test_from_waveform_to_tags(dataset: Dataset) -> None:
    mean = musicnn.tag_audio([clip()], 16_000, dataset)[0]
    np.testing.assert_allclose(mean, expected()[f"{dataset}_tags"].mean(axis=0), atol=2e-5)
    features = musicnn.penultimate([clip()], 16_000, dataset)[0]
    wanted = expected()[f"{dataset}_penultimate"].mean(axis=0)
    np.testing.assert_allclose(features, wanted, atol=1e-4)


def test_the_clip_is_heard_as_drums() -> None:
    magna, _ = musicnn.tag_probabilities([clip()], 16_000)
    assert musicnn.MTT_LABELS[int(magna[0].argmax())] == "drums"


def test_labels() -> None:
    for labels in (musicnn.MTT_LABELS, musicnn.MSD_LABELS):
        assert len(labels) == len(set(labels)) == 50


def test_a_result_depends_on_its_waveform_only() -> None:
    one, two = clip(), clip()[::-1].copy()
    together = musicnn.tag_probabilities([one, two], 16_000)
    alone = musicnn.tag_probabilities([two], 16_000)
    for both, single in zip(together, alone, strict=True):
        assert both.shape == (2, 50)
        assert both.dtype == np.float32
        np.testing.assert_array_equal(both[1], single[0])


def test_no_waveforms() -> None:
    magna, million = musicnn.tag_probabilities([], 16_000)
    assert magna.shape == million.shape == (0, 50)


def test_patches_follow_the_hop() -> None:
    assert musicnn.patches(clip(), 16_000).shape == (2, 187, 96)
    halves = musicnn.patches(clip(), 16_000, hop_frames=94)
    assert halves.shape == (3, 187, 96)
    assert len(musicnn.taggram(clip(), 16_000, "mtt", hop_frames=94).tags) == 3


@pytest.mark.parametrize("samples", [1, 300, 16_000, 47_000])
def test_a_short_clip_is_repeated(samples: int) -> None:
    made = musicnn.patches(clip()[:samples], 16_000)
    assert made.shape == (1, 187, 96)
    assert torch.isfinite(made).all()


def test_other_rates_are_resampled() -> None:
    time = np.arange(48_000 * 4) / 48_000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32) * 0.3
    fast = musicnn.patches(tone, 48_000)
    slow = musicnn.patches(tone[::3].copy(), 16_000)
    # The resampler's edges aside.
    assert (fast - slow)[:, 2:-2].abs().max() < 0.01


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(0, np.float32), np.full(50_000, np.nan, np.float32), np.zeros((2, 9), np.float32)],
)
def test_what_is_no_waveform(waveform: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="mono waveform"):
        musicnn.tag_probabilities([waveform], 16_000)


def test_silence_is_tagged_without_nan() -> None:
    for tags in musicnn.tag_probabilities([np.zeros(160_000, np.float32)], 16_000):
        assert np.isfinite(tags).all()
