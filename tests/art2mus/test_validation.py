"""Validation: the loss at fixed noise, and generated music scored by the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.train import train
from art2mus.training.objective import Guidance
from art2mus.training.validation import fixed_timesteps, summary, validation_losses
from tests.art2mus.training_parts import EMBEDDING, SHAPE, objective_of
from tests.art2mus.training_runs import Ground, entries


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("training"))


def test_the_timesteps_stand_in_the_middle_of_equal_parts() -> None:
    assert fixed_timesteps(10) == [50, 150, 250, 350, 450, 550, 650, 750, 850, 950]
    assert fixed_timesteps(1) == [500]
    assert fixed_timesteps(1000) == list(range(1000))


def test_losses_do_not_depend_on_the_batch_the_rows_or_guidance(ground: Ground) -> None:
    backbone = Backbone.open(ground.backbone)
    objective = objective_of(backbone)
    torch.manual_seed(0)
    aligner = ImageAligner(EMBEDDING, 2, backbone.hidden_dim, staging_dim=24)
    moments = list(torch.randn(5, 2 * SHAPE[0], *SHAPE[1:]).numpy())
    embeddings = list(torch.randn(5, EMBEDDING).numpy())

    def losses(rows: list[int], batch: int, guidance: Guidance | None = None) -> torch.Tensor:
        return validation_losses(
            objective_of(backbone, guidance=guidance),
            aligner,
            moments,
            embeddings,
            timesteps=[100, 900],
            rows=rows,
            batch=batch,
        )

    whole = losses([0, 1, 2, 3, 4], 4)
    assert whole.shape == (5, 2)
    assert torch.allclose(losses([1, 3], 1), whole[[1, 3]], rtol=1e-5)
    assert not objective.text.requires_grad
    found = summary(whole, [100, 900])
    assert found["loss"] == pytest.approx(float(whole.mean()))
    assert found["loss@900"] == pytest.approx(float(whole[:, 1].mean()))
    assert torch.equal(whole, losses([0, 1, 2, 3, 4], 4))


def test_music_is_generated_and_scored(ground: Ground, tmp_path: Path) -> None:
    settings = ground.settings(
        "schedule.steps=1",
        "validation.generate=true",
        "validation.steps=2",
        "validation.duration_s=2",
        "validation.metrics=['spectrum-kl', 'score-music-lite-conse', 'fad-lite-musicnn']",
        "validation.best=score-music-lite-conse",
    )
    done = train(ground.release, tmp_path / "out", settings, cache=ground.cache)
    logged = entries(tmp_path / "out")[-1]["validation"]
    assert logged["spectrum-kl"] > 0
    assert -1 <= logged["score-music-lite-conse"] <= 1
    assert done.best is not None
    assert done.best.metric == "score-music-lite-conse"
    assert done.best.value == logged["score-music-lite-conse"]
    music = sorted((tmp_path / "out/training/validation").glob("*.wav"))
    assert [path.stem for path in music] == ["000008-tiny"]
    waveform, rate = soundfile.read(music[0])
    assert (rate, waveform.shape) == (16_000, (32_000,))
