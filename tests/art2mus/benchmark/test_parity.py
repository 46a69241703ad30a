"""Equal to the reference code: `data/expected.npz` is what it made of `checkpoints`' weights.

Made with harritaylor/torchvggish, qiuqiangkong/audioset_tagging_cnn and haoheliu/audioldm_eval's
Cnn14 (torchlibrosa 0.1.0), the last one's `calculate_kl`, kadtk's `calc_kernel_audio_distance`,
fadtk's `calc_frechet_distance` and the 2024 Art2Mus code's `compute_kl_div`, on the same inputs.
Differences are relative to the largest value of an array.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from art2mus.benchmark.embedders import registry
from art2mus.benchmark.embedders.panns import Panns
from art2mus.benchmark.embedders.vggish import VGGish, log_mel
from art2mus.benchmark.metrics import (
    frechet_distance,
    kernel_distance,
    kl_divergence,
    spectrum_distribution,
    spectrum_kl,
)
from artsound.models.checkpoints import CheckpointError
from tests.art2mus.benchmark import checkpoints

EXPECTED = np.load(Path(__file__).parent / "data" / "expected.npz")


def same(found: NDArray[Any], name: str, tolerance: float = 1e-5) -> None:
    expected = EXPECTED[name]
    assert found.shape == expected.shape, name
    difference = float(np.abs(found - expected).max()) / float(np.abs(expected).max())
    assert difference <= tolerance, (name, difference)


@pytest.fixture(scope="module")
def vggish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vggish") / "vggish-10086976.pth"
    return checkpoints.write(path, checkpoints.vggish())


def test_vggish_is_the_reference(vggish: Path) -> None:
    model = VGGish.from_checkpoint(vggish)
    for number, waveform in enumerate(checkpoints.waveforms(16_000)):
        same(log_mel(waveform)[:, 0, ::8].numpy(), f"vggish_examples{number}")
        same(model.hear(waveform)["frames"], f"vggish_frames{number}")


def test_vggish_post_processed_is_the_reference(vggish: Path) -> None:
    pca = vggish.with_name("vggish_pca_params-970ea276.pth")
    arrays = checkpoints.vggish_pca()
    checkpoints.write(pca, {name: torch.from_numpy(array) for name, array in arrays.items()})
    paths = {"vggish-pca": str(vggish), "vggish-pca.pca": str(pca)}
    model = registry.load("vggish-pca", paths).embedder
    for number, waveform in enumerate(checkpoints.waveforms(16_000)):
        found = model.hear(waveform)["frames"]
        # A value that lies on the edge of a quantisation step may fall on either side.
        steps = np.abs(found - EXPECTED[f"vggish_pca{number}"])
        assert steps.max() <= 1
        assert steps.mean() < 0.01


@pytest.mark.parametrize(
    ("name", "rate", "window", "fmax"),
    [
        ("16k", 16_000, 512, 8_000),
        pytest.param("32k", 32_000, 1_024, 14_000, marks=pytest.mark.slow),
    ],
)
def test_panns_are_the_reference(
    name: str, rate: int, window: int, fmax: int, tmp_path: Path
) -> None:
    content = checkpoints.panns(rate, window, fmax)
    save = checkpoints.write if name == "32k" else checkpoints.write_as_of_2020
    path = save(tmp_path / "Cnn14.pth", content)
    model = Panns.from_checkpoint(f"panns-{name}", path)
    for number, waveform in enumerate(checkpoints.waveforms(rate)):
        found = model.hear(waveform)
        same(found["frames"], f"panns{name}_embedding{number}", 3e-5)
        same(found["logits"][None], f"panns{name}_logits{number}", 3e-5)
        clipwise = torch.from_numpy(found["logits"]).sigmoid().numpy()[None]
        assert np.abs(clipwise - EXPECTED[f"panns{name}_clipwise{number}"]).max() < 1e-3
    other = "panns-32k" if name == "16k" else "panns-16k"
    with pytest.raises(CheckpointError, match="not the one for"):
        Panns.from_checkpoint(other, path)


def test_label_divergence_is_audioldm_evals() -> None:
    random = np.random.RandomState(2)
    generated, truth = (2 * random.standard_normal((6, 527)).astype(np.float32) for _ in range(2))
    for activation in ("softmax", "sigmoid"):
        found = kl_divergence(truth, generated, activation).mean()
        assert found == pytest.approx(float(EXPECTED[f"kl_{activation}"]), rel=1e-5)


def test_distances_are_kadtks_and_fadtks() -> None:
    random = np.random.RandomState(2)
    random.standard_normal((12, 527))
    x, y = random.standard_normal((40, 16)), random.standard_normal((31, 16)) + 0.3
    assert kernel_distance(x, y) == pytest.approx(float(EXPECTED["kad"]), rel=1e-6)
    a = random.standard_normal((300, 24)) @ random.standard_normal((24, 24))
    b = random.standard_normal((250, 24)) @ random.standard_normal((24, 24)) + 0.5
    assert frechet_distance(a, b) == pytest.approx(float(EXPECTED["fadtk"]), rel=1e-9)


def test_spectrum_divergence_is_the_2024_codes() -> None:
    truth = spectrum_distribution(checkpoints.waveforms(16_000)[0])
    generated = spectrum_distribution(checkpoints.waveforms(44_100)[1])
    found = spectrum_kl(truth[None], generated[None])[0]
    assert found == pytest.approx(float(EXPECTED["spectrum_kl"]), rel=1e-4)


def test_a_pickle_that_holds_more_is_not_read(tmp_path: Path) -> None:
    content = {"model": {"a": torch.zeros(1)}, "sampler": Path}
    path = checkpoints.write(tmp_path / "Cnn14.pth", content)
    with pytest.raises(CheckpointError, match="not read"):
        Panns.from_checkpoint("panns-32k", path)


def test_a_file_of_another_model_is_named(vggish: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint of Cnn14"):
        Panns.from_checkpoint("panns-16k", vggish)
