"""A training from a release to a checkpoint, in this process; what it refuses, and when."""

from __future__ import annotations

import io
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import load_checkpoint
from art2mus.train import train
from art2mus.training.folder import RunFolder
from art2mus.training.frozen import Watch, check_only_learns
from art2mus.training.log import check_tracker
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import TrainSettings
from art2mus.training.state import read_position
from artsound.errors import ArtsoundError, MissingDependency, UsageError
from tests.art2mus.training_runs import PAIRS, Ground, entries, weights
from tests.models.tiny_clip import write_clip

# An average of the weights, and embeddings that are moved, some of them of music.
AVERAGED = ("ema_decay=0.9", "embedding_noise=0.3", "stand_ins.share=0.5")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def trained(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch with an average of the weights and TensorBoard's log."""
    out = tmp_path_factory.mktemp("trained") / "checkpoint"
    settings = ground.settings("schedule.epochs=1", *AVERAGED)
    done = train(ground.release, out, settings, cache=ground.cache, log="tensorboard")
    assert done.step == 4
    assert done.best is not None
    assert done.best.step == 4
    assert done.metrics["loss"] == done.best.value
    assert done.seconds > 0
    return out


def test_the_checkpoint_says_what_it_is(ground: Ground, trained: Path) -> None:
    aligner, said = load_checkpoint(trained)
    assert (aligner.embedding_dim, aligner.tokens) == (384, 2)
    assert said.encoder == "lite-conse"
    assert said.step == 4
    assert said.seed == 0
    assert said.recipe["batch"]["size"] == 2
    assert said.backbone_fingerprint == Backbone.open(ground.backbone).fingerprint
    assert said.metrics["loss"] == entries(trained)[-1]["validation"]["loss"]
    assert (trained / "README.md").is_file()


def test_the_average_is_published_and_the_state_goes_on_from_the_weights(trained: Path) -> None:
    published = load_file(trained / "aligner/diffusion_pytorch_model.safetensors")
    state = load_file(trained / "training/state.safetensors")
    for name, tensor in published.items():
        assert torch.equal(tensor, state[f"average.{name}"])
        assert not torch.equal(tensor, state[f"aligner.{name}"])
        assert state[f"optimizer.{name}.exp_avg"].shape == tensor.shape


def test_the_log_has_a_line_a_step_and_one_a_validation(trained: Path) -> None:
    found = entries(trained)
    assert [entry["step"] for entry in found] == [1, 2, 3, 4, 4]
    assert all(entry["epoch"] == 0 for entry in found)
    steps = found[:4]
    assert all(entry["loss"] > 0 and entry["grad_norm"] > 0 for entry in steps)
    assert steps[0]["lr"] == 0  # the warm-up begins at nothing
    assert steps[1]["lr"] == pytest.approx(1e-3 / 2)
    assert found[4]["validation"].keys() == {"loss", "loss@250", "loss@750"}
    assert list((trained / "training/tensorboard").glob("events.out.tfevents.*"))


class _Stops(TrainingProgress):
    """Ends a training after a step, as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        super().__init__(quiet=True)
        self.after = after

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        if what == "train" and done == self.after:
            raise KeyboardInterrupt


def test_a_training_that_was_stopped_goes_on_to_the_same_bits(
    ground: Ground, trained: Path, tmp_path: Path
) -> None:
    """`test_train_processes` kills real processes; this is quicker."""
    settings = ground.settings(
        "schedule.epochs=1", *AVERAGED, "checkpoints.every_steps=2", "batch.per_process=1"
    )
    with pytest.raises(KeyboardInterrupt):
        train(ground.release, tmp_path, settings, cache=ground.cache, progress=_Stops(3))
    position = read_position(tmp_path / "training")
    assert position is not None
    assert position.step == 2
    assert [entry["step"] for entry in entries(tmp_path)] == [1, 2, 3]
    train(ground.release, tmp_path, settings, cache=ground.cache, resume=True)
    assert weights(tmp_path) == weights(trained)
    assert entries(tmp_path) == entries(trained)


def test_a_finished_training_is_not_trained_again(ground: Ground, trained: Path) -> None:
    before = (trained / "training/log.jsonl").read_bytes(), weights(trained)
    settings = ground.settings("schedule.epochs=1", *AVERAGED)
    assert train(ground.release, trained, settings, cache=ground.cache).step == 4
    assert before == ((trained / "training/log.jsonl").read_bytes(), weights(trained))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("encoder=imagebind", "was trained with encoder = 'lite-conse', not 'imagebind'"),
        ("aligner.tokens=3", "was trained with aligner.tokens = 2, not 3"),
    ],
)
def test_going_on_otherwise_is_refused(
    ground: Ground, trained: Path, override: str, said: str
) -> None:
    settings = ground.settings("schedule.epochs=1", *AVERAGED, override)
    for resume in (None, True):
        with pytest.raises(UsageError) as caught:
            train(ground.release, trained, settings, cache=ground.cache, resume=resume)
        assert said in str(caught.value)
        assert "--restart" in str(caught.value)


def test_going_on_with_another_release_is_refused(
    ground: Ground, trained: Path, tmp_path: Path
) -> None:
    from tests.tiny_release import write_tiny_release

    other = write_tiny_release(tmp_path / "other", pairs=PAIRS, seconds=0.5)
    settings = ground.settings("schedule.epochs=1", *AVERAGED)
    with pytest.raises(UsageError, match="was trained with another release"):
        train(other, trained, settings, cache=ground.cache)


def test_nothing_to_resume_and_other_peoples_checkpoints(
    ground: Ground, trained: Path, tmp_path: Path
) -> None:
    settings = ground.settings()
    with pytest.raises(UsageError, match="holds no training to resume"):
        train(ground.release, tmp_path / "new", settings, resume=True)
    copied = shutil.copytree(trained, tmp_path / "copied")
    shutil.rmtree(copied / "training")
    with pytest.raises(UsageError, match="a checkpoint and no training to go on with"):
        train(ground.release, copied, settings)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        train(ground.release, tmp_path / "file", settings)


def _files(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found}


@pytest.mark.parametrize("resume", [None, False])
@pytest.mark.parametrize(
    "theirs",
    [
        ["README.md"],
        ["training/validation/my_data.csv", "training/last/notes", "training/log.jsonl"],
        ["aligner/thesis.txt"],
        ["training/training.json"],
    ],
)
def test_a_folder_with_other_files_is_not_taken(
    ground: Ground, tmp_path: Path, theirs: list[str], resume: bool | None
) -> None:
    out = tmp_path / "project"
    for name in theirs:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    before = _files(out)
    with pytest.raises(UsageError, match=r"holds .* and no training: name a new or an empty"):
        train(ground.release, out, ground.settings(), cache=ground.cache, resume=resume)
    assert _files(out) == before


def test_hidden_files_and_empty_folders_are_in_nobodys_way(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("mine")
    (tmp_path / "training").mkdir()  # as of a training that was killed as it began
    settings = ground.settings("schedule.steps=1", "validation.split=none")
    assert train(ground.release, tmp_path, settings, cache=ground.cache).step == 1
    assert (tmp_path / ".git/HEAD").read_text() == "mine"


def test_restarting_deletes_what_a_training_wrote_alone(
    ground: Ground, trained: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(trained, tmp_path / "again")
    mine = ["notes.md", "aligner/thesis.txt", "training/last/notes", "training/validation/a.csv"]
    for name in mine:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    (out / "training/validation/000001-old.wav").touch()
    settings = ground.settings("schedule.steps=1", "validation.split=none", "seed=5")
    train(ground.release, out, settings, cache=ground.cache, resume=False)
    assert all((out / name).read_text() == "mine" for name in mine)
    assert not (out / "training/validation/000001-old.wav").exists()
    assert load_checkpoint(out)[1].seed == 5


def test_two_trainings_do_not_share_a_folder(ground: Ground, tmp_path: Path) -> None:
    settings = ground.settings("schedule.steps=2", "validation.split=none")
    refused = []

    class Second(TrainingProgress):
        def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
            if what == "train" and done == 1:
                with pytest.raises(
                    ArtsoundError, match="another `art2mus train` is writing into"
                ) as caught:
                    train(ground.release, tmp_path, settings, cache=ground.cache)
                refused.append(caught.value)

    train(ground.release, tmp_path, settings, cache=ground.cache, progress=Second(quiet=True))
    assert len(refused) == 1
    assert [entry["step"] for entry in entries(tmp_path)] == [1, 2]


def test_a_state_that_another_training_has_replaced_is_not_gone_on_from(
    trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    folder = RunFolder(out)
    position = folder.check(resume=None)
    assert position is not None
    (out / "training/state.safetensors").unlink()  # as by --restart, between the look and the lock
    with (
        pytest.raises(UsageError, match=r"another training has written to .* meanwhile"),
        folder.taken(position),
    ):
        pass
    assert (out / "art2mus.json").is_file()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what shows the progress (seconds since the last, done, total) as lines."""
    monkeypatch.setattr("art2mus.training.progress._LINE_S", 0.0)

    def call(*steps: tuple[float, int, int]) -> list[str]:
        said = io.StringIO()
        with TrainingProgress(console=Console(file=said, width=200)) as progress:
            for pause, done, total in steps:
                time.sleep(pause)
                progress("train", done, total)
        return said.getvalue().splitlines()

    return call


def test_what_is_said_to_be_left_has_a_unit_that_fits(lines: Callable[..., list[str]]) -> None:
    few, many = lines((0, 0, 10), (0.02, 5, 10), (0, 5, 10**7))[-2:]
    assert re.search(r"train: 5 of 10, .*, about 1 s left$", few)
    assert re.search(r"about \d+ min left$", many)


def test_what_begins_anew_is_timed_anew(lines: Callable[..., list[str]]) -> None:
    def rate(line: str) -> float:
        return float(re.findall(r"([\d.]+)/s", line)[0])

    first, again = lines((0, 1, 100), (0.5, 100, 100), (0, 1, 100), (0.01, 100, 100))[1::2]
    assert rate(first) <= 198 < rate(again)
    # To wait is not to begin anew: the half second counts.
    assert rate(lines((0, 1, 100), (0.5, 1, 100), (0, 100, 100))[-1]) <= 198


def test_a_bar_of_what_begins_anew_runs_again() -> None:
    with TrainingProgress(console=Console(file=io.StringIO(), force_terminal=True)) as progress:
        for done in (1, 10, 1):
            progress("fold", done, 10)
        assert progress._bars is not None
        (task,) = progress._bars.tasks
        assert (task.completed, task.finished) == (1, False)


def test_restarting_leaves_nothing_of_before(ground: Ground, trained: Path, tmp_path: Path) -> None:
    out = shutil.copytree(trained, tmp_path / "again")
    settings = ground.settings("schedule.steps=1", "validation.split=none", "seed=5")
    done = train(ground.release, out, settings, cache=ground.cache, resume=False)
    assert (done.step, done.best, done.metrics) == (1, None, {})
    assert [entry["step"] for entry in entries(out)] == [1]
    assert not (out / "training/tensorboard").exists()
    # Without validation the last checkpoint is the one that is published.
    assert weights(out) == weights(out / "training/last") != weights(trained)
    assert load_checkpoint(out)[1].seed == 5


def test_how_it_is_saved_and_validated_may_change(
    ground: Ground, trained: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(trained, tmp_path / "watched")
    settings = ["schedule.epochs=1", *AVERAGED, "checkpoints.every_steps=1"]
    before = load_checkpoint(out)[1]
    same = ground.settings(*settings, "validation.every_epochs=2", "validation.batch=1")
    done = train(ground.release, out, same, cache=ground.cache)
    assert done.best is not None
    assert load_checkpoint(out)[1] == before
    # Another mean is no better and no worse: the weights are judged anew.
    done = train(
        ground.release, out, ground.settings(*settings, "validation.timesteps=3"),
        cache=ground.cache,
    )  # fmt: skip
    found = [entry["validation"] for entry in entries(out) if "validation" in entry]
    assert [sorted(one) for one in found] == [
        ["loss", "loss@250", "loss@750"],
        ["loss", "loss@166", "loss@500", "loss@833"],
    ]
    assert done.best is not None
    assert (done.best.value, done.best.step) == (found[1]["loss"], 4)
    assert load_checkpoint(out)[1].metrics == found[1]
    assert weights(out) == weights(trained)


def test_the_last_checkpoint_says_when_its_metrics_were_taken(
    ground: Ground, tmp_path: Path
) -> None:
    settings = ground.settings("checkpoints.every_steps=2")
    with pytest.raises(KeyboardInterrupt):
        train(ground.release, tmp_path, settings, cache=ground.cache, progress=_Stops(7))
    said = load_checkpoint(tmp_path / "training/last")[1]
    assert (said.step, said.validated, said.validation_split) == (6, 4, "test")
    assert said.metrics == entries(tmp_path)[4]["validation"]
    card = (tmp_path / "training/last/README.md").read_text()
    assert "Taken after step 4: these weights are of step 6" in card
    assert "on the release's split `test`" in card
    published = (tmp_path / "README.md").read_text()
    assert "Taken after step 4; on the release's split `test`, 1 artwork." in published


def test_without_a_best_the_last_is_published(
    ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny toy is silent before it is trained, and a silent clip has no spectrum."""
    from typer import Typer
    from typer.testing import CliRunner

    from art2mus.train_app import register

    silent = _silent_backbone(ground.backbone, tmp_path / "silent")
    app = Typer()
    register(app)
    command = ["train", str(ground.release), "--out", str(tmp_path / "out"), "--recipe", "lite"]
    for setting in ground.overrides(
        f"backbone={silent}",
        "schedule.steps=1",
        "validation.generate=true",
        "validation.steps=1",
        "validation.duration_s=1",
        "validation.metrics=['spectrum-kl']",
        "validation.best=spectrum-kl",
    ):
        command += ["--set", setting]
    done = CliRunner().invoke(app, [*command, "--cache", str(ground.cache)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "none is best, as spectrum-kl was undefined: this is the last" in " ".join(
        done.output.split()
    )
    assert load_checkpoint(tmp_path / "out")[1].step == 1
    assert weights(tmp_path / "out") == weights(tmp_path / "out/training/last")


def _silent_backbone(backbone: Path, to: Path) -> Path:
    """Copy a backbone, its vocoder's last layer set to nothing."""
    from safetensors.torch import save_file

    shutil.copytree(backbone, to)
    path = to / "vocoder/model.safetensors"
    tensors = load_file(path)
    for name in tensors:
        if name.startswith("conv_post"):
            tensors[name] = torch.zeros_like(tensors[name])
    save_file(tensors, path, {"format": "pt"})
    return to


def test_the_encoder_is_let_go_before_the_steps(ground: Ground, tmp_path: Path) -> None:
    import gc
    import weakref

    from artsound.models.registry import Models

    held = weakref.ref(Models().load("embedder", "lite-conse"))
    seen = []

    class Looks(TrainingProgress):
        def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
            if what == "train":
                gc.collect()
                seen.append(held())

    settings = ground.settings("schedule.steps=1", "validation.split=none")
    train(ground.release, tmp_path, settings, cache=ground.cache, progress=Looks(quiet=True))
    assert seen == [None]


def test_a_damaged_state_is_named(ground: Ground, trained: Path, tmp_path: Path) -> None:
    out = shutil.copytree(trained, tmp_path / "damaged")
    state = out / "training/state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ArtsoundError, match=r"state.safetensors is damaged .* --restart"):
        train(ground.release, out, ground.settings(), cache=ground.cache)


def test_bf16_and_guidance_train_too(ground: Ground, tmp_path: Path) -> None:
    settings = ground.settings(
        "precision=bf16", "loss.guidance_scale=3.5", "schedule.steps=2", "batch.workers=1"
    )
    done = train(ground.release, tmp_path / "out", settings, cache=ground.cache)
    assert done.step == 2
    state = load_file(tmp_path / "out/training/state.safetensors")
    assert all(tensor.dtype == torch.float32 for tensor in state.values())


def test_an_encoder_of_images_alone_is_trained_with(ground: Ground, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip")
    cache = tmp_path / "cache"
    settings = ground.settings(
        "encoder=clip", f"encoders.clip.checkpoint={clip}", "stand_ins.share=0", "schedule.epochs=1"
    )
    done = train(ground.release, tmp_path / "out", settings, cache=cache)
    assert done.step == 4
    assert load_checkpoint(done.folder)[1].encoder == "clip-vit-b-32"
    assert not (cache / "music").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["batch.size=9"], "batch.size = 9 is larger than the split 'train', which has 8 rows"),
        (["split=training"], "has no split 'training'"),
        (["validation.split=dev"], "has no split 'dev'"),
        (["encoder=clap-music"], "does not embed images"),
        (["encoder=clip"], "clip-vit-b-32 does not embed music; --set stand_ins.share=0, or take"),
        (["encoder=imagebnd"], "did you mean 'imagebind'"),
        (["aligner.tokens=500"], "take fewer tokens"),
        (["backbone=no/such/folder/here"], "no/such/folder/here"),
        (["device=cuda"], "no usable GPU"),
        (["validation.generate=true", "validation.metrics=psnr"], "psnr"),
        (
            ["validation.generate=true", "validation.best=fad-vggish"],
            "validation.best = 'fad-vggish' is not measured",
        ),
        (
            ["validation.generate=true", "validation.steps=5000"],
            "validation.steps: 5000 sampling steps: give 1 to 1000",
        ),
        (
            ["validation.generate=true", "validation.best=fad-lite-musicnn"],
            "validation.best = 'fad-lite-musicnn' compares sets of clips, and there will be one",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(
    ground: Ground, tmp_path: Path, overrides: list[str], said: str
) -> None:
    if overrides == ["device=cuda"] and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ArtsoundError) as caught:
        train(ground.release, tmp_path / "out", ground.settings(*overrides), cache=ground.cache)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_release_without_audio_is_refused(ground: Ground, tmp_path: Path) -> None:
    release = shutil.copytree(ground.release, tmp_path / "texts")
    manifest = json.loads((release / "manifest.json").read_text())
    (release / "manifest.json").write_text(json.dumps({**manifest, "media": "none"}))
    with pytest.raises(UsageError, match="without media"):
        train(release, tmp_path / "out", ground.settings(), cache=ground.cache)


def test_a_loss_that_is_no_number_ends_it(ground: Ground, tmp_path: Path) -> None:
    settings = ground.settings("optimizer.learning_rate=1e30", "schedule.warmup_steps=0")
    with pytest.raises(ArtsoundError, match=r"step \d has a loss of .*learning_rate"):
        train(ground.release, tmp_path / "out", settings, cache=ground.cache)


def test_trackers_that_are_not_there_are_said_first() -> None:
    from importlib.util import find_spec

    check_tracker("none")
    check_tracker("tensorboard")
    with pytest.raises(UsageError, match="choose one of"):
        check_tracker("mlflow")
    if find_spec("wandb") is None:
        with pytest.raises(MissingDependency, match="pip install wandb"):
            check_tracker("wandb")


def test_only_the_aligner_may_learn(ground: Ground) -> None:
    backbone = Backbone.open(ground.backbone)
    aligner = ImageAligner(20, 3, backbone.hidden_dim, staging_dim=24)
    frozen = {"unet": backbone.unet, "language_model": backbone.language_model}
    optimizer = torch.optim.AdamW(aligner.parameters())
    check_only_learns(aligner, optimizer, frozen)
    with pytest.raises(ArtsoundError, match="not hold exactly the aligner's"):
        check_only_learns(aligner, torch.optim.AdamW(backbone.unet.parameters()), frozen)
    with pytest.raises(ArtsoundError, match="not hold exactly the aligner's"):
        check_only_learns(aligner, torch.optim.AdamW([aligner.start]), frozen)
    aligner.start.requires_grad_(False)
    with pytest.raises(ArtsoundError, match=r"aligner.start is frozen"):
        check_only_learns(aligner, optimizer, frozen)
    aligner.start.requires_grad_(True)
    backbone.unet.conv_in.bias.requires_grad_(True)
    with pytest.raises(ArtsoundError, match=r"unet.conv_in.bias is not frozen"):
        check_only_learns(aligner, optimizer, frozen)


def test_a_frozen_part_that_changes_is_seen(ground: Ground) -> None:
    backbone = Backbone.open(ground.backbone)
    unet: Any = backbone.unet
    watch = Watch({"unet": unet, "language_model": backbone.language_model})
    watch.check()
    with torch.no_grad():
        unet.conv_in.weight[0, 0, 0, 0] += 1e-3
    with pytest.raises(ArtsoundError, match="the frozen unet has changed"):
        watch.check()
    with torch.no_grad():
        unet.conv_in.weight[0, 0, 0, 0] -= 1e-3
    again = Watch({"unet": unet})
    unet.conv_in.bias.grad = torch.zeros(8)
    with pytest.raises(ArtsoundError, match=r"unet.conv_in.bias has a gradient"):
        again.check()


def test_dry_run_prints_the_papers_arithmetic_for_95295_rows(tmp_path: Path) -> None:
    """On a release of texts alone, of the size of the paper's training split."""
    from typer import Typer
    from typer.testing import CliRunner

    from art2mus.train_app import register

    release = write_texts(tmp_path / "release", 95_295)
    app = Typer()
    register(app)
    command = ["train", str(release), "--out", str(tmp_path / "out"), "--dry-run"]
    said = CliRunner().invoke(app, [*command, "--processes", "4"], catch_exceptions=False)
    assert said.exit_code == 0
    assert "batch: 128 = 32 x 4 processes x 1 accumulated" in said.output
    assert "epoch: 744 steps = 95,295 rows // 128" in said.output
    assert "training: 37,200 steps = 50 epochs" in said.output
    assert "optimizer.learning_rate = 2e-05" in said.output
    with pytest.raises(UsageError, match="--processes 4 only describes a --dry-run"):
        CliRunner().invoke(app, [*command[:-1], "--processes", "4"], catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def write_texts(folder: Path, rows: int) -> Path:
    """Write a release without media, of so many training rows and 100 for validation."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.tiny_release import write_tiny_manifest

    card = ["---", "configs:", "- config_name: default", "  default: true", "  data_files:"]
    for split, count in (("train", rows), ("validation", 100)):
        name = f"data/{split}-00000-of-00001.parquet"
        card += [f"  - split: {split}", f"    path: {name}"]
        (folder / "data").mkdir(parents=True, exist_ok=True)
        ids = [f"{split}-{number}" for number in range(count)]
        pq.write_table(
            pa.table({"pair_id": ids, "artwork_caption": ["A painting"] * count}), folder / name
        )
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    write_tiny_manifest(folder)
    return folder


def test_a_recipe_is_checked_before_the_release_is_opened() -> None:
    with pytest.raises(UsageError, match=r"aligner\.tokens"):
        TrainSettings.read("paper", ["aligner.tokens=0"])
