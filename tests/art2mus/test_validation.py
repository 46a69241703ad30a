"""Validation: the loss at fixed noise, and generated music scored by the benchmark."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.benchmark.evaluate import evaluate
from art2mus.checkpoint import load_checkpoint, save_checkpoint
from art2mus.data import open_release
from art2mus.train import train
from art2mus.training.objective import Guidance
from art2mus.training.settings import Validation
from art2mus.training.validation import (
    check_metrics,
    fixed_timesteps,
    summary,
    validation_losses,
)
from art2mus.validate import validate, validation_table
from artsound.errors import UsageError
from tests.art2mus.training_parts import EMBEDDING, SHAPE, objective_of
from tests.art2mus.training_runs import Ground, entries
from tests.tiny_release import write_tiny_release


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


MUSIC = ("schedule.steps=1", "validation.generate=true", "validation.steps=2")


@pytest.fixture(scope="module")
def trained(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that was validated on 2 s of music, of which the release has 4."""
    base = tmp_path_factory.mktemp("trained")
    release = write_tiny_release(base / "release", pairs=8, seconds=4.0)
    here = Ground(release, ground.backbone, base / "cache")
    settings = here.settings(
        *MUSIC, "validation.duration_s=2", "validation.metrics=['spectrum-kl']"
    )
    train(release, base / "ckpt", settings, cache=here.cache)
    return base


def test_as_much_is_heard_of_the_truth_as_was_generated(trained: Path) -> None:
    release = open_release(trained / "release")
    (music,) = (trained / "ckpt/training/validation").glob("*.wav")
    assert soundfile.info(music).subtype == "FLOAT"  # as predictions are: nothing is clipped
    found = {
        seconds: evaluate(
            {music.stem: music}, release, "test", suite=["spectrum-kl"], clip_s=seconds
        )[0].value
        for seconds in (2.0, 10.0)
    }
    logged = entries(trained / "ckpt")[-1]["validation"]["spectrum-kl"]
    assert logged == found[2.0] != found[10.0]


def test_a_checkpoint_has_the_values_that_its_training_wrote(trained: Path) -> None:
    release, cache = open_release(trained / "release"), trained / "cache"
    found = validate(trained / "ckpt", release, cache=cache)
    assert found.metrics == pytest.approx(entries(trained / "ckpt")[-1]["validation"], rel=1e-5)
    table = validation_table(found)
    assert table.columns[4:] == ("spectrum-kl", "Validation loss")
    assert table.rows[0][:4] == ("ckpt", "lite-conse", 2, 1)
    quick = validate(
        trained / "ckpt", release, overrides=["validation.generate=false"], cache=cache
    )
    assert quick.metrics["loss"] == pytest.approx(found.metrics["loss"])
    assert "spectrum-kl" not in quick.metrics
    for setting, said in (
        ("aligner.tokens=4", "the checkpoint is as it was trained"),
        ("validation.steps=0", "validation.steps: Input should be greater"),
        ("validation.step=2", "did you mean 'steps'"),
        ("validation.split=validation", "has no split 'validation'"),
    ):
        with pytest.raises(UsageError, match=said):
            validate(trained / "ckpt", release, overrides=[setting], cache=cache)


def test_music_that_is_none_is_said_and_not_scored(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aligner, description = load_checkpoint(trained / "ckpt")
    with torch.no_grad():
        for parameter in aligner.parameters():
            parameter.fill_(float("nan"))
    save_checkpoint(tmp_path / "nan", aligner, dataclasses.replace(description, step=2))
    with caplog.at_level(logging.WARNING):
        found = validate(
            tmp_path / "nan", open_release(trained / "release"), cache=trained / "cache"
        )
    assert "spectrum-kl" not in found.metrics
    assert "NaN or infinite" in found.undefined["music"]
    assert "music is not measured: the music for 000008-tiny" in caplog.text


def test_an_undefined_best_is_said(
    ground: Ground, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A vocoder of zeros makes silence, which has no spectrum."""
    backbone = tmp_path / "silent"
    shutil.copytree(ground.backbone, backbone)
    (path,) = (backbone / "vocoder").glob("*.safetensors")
    zeros = {name: torch.zeros_like(tensor) for name, tensor in load_file(path).items()}
    save_file(zeros, path, metadata={"format": "pt"})
    silent = Ground(ground.release, backbone, tmp_path / "cache")
    settings = silent.settings(
        *MUSIC,
        "validation.duration_s=1",
        "validation.metrics=['spectrum-kl']",
        "validation.best=spectrum-kl",
    )
    with caplog.at_level(logging.WARNING):
        done = train(silent.release, tmp_path / "out", settings, cache=silent.cache)
    assert done.best is None
    assert "spectrum-kl is not measured: 1 clip is silent" in caplog.text
    assert "the best checkpoint goes by spectrum-kl: this one cannot be the best" in caplog.text


def test_the_best_has_a_better_end() -> None:
    wanted = Validation(
        generate=True,
        metrics=("kl-sigmoid-lite-musicnn",),
        best="kl-sigmoid-lite-musicnn",
    )
    with pytest.raises(UsageError, match="neither end of it is the better one"):
        check_metrics(wanted, "cpu")
