"""Recipes, overrides and the arithmetic of steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.training.plan import BatchSampler, Plan
from art2mus.training.preview import preview
from art2mus.training.settings import TrainSettings
from artsound.errors import UsageError
from artsound.toml_settings import shipped

PAPER_ROWS = 95_295  # 90 % of 105,884 pairs


def test_the_paper_recipe_has_the_papers_numbers() -> None:
    paper = TrainSettings.read("paper")
    assert paper.encoder == "imagebind"
    assert paper.aligner.tokens == 16
    assert paper.prompt == "Music representing the content of this artwork"
    assert paper.negative_prompt == "Low quality"
    assert paper.optimizer.learning_rate == 2e-5
    assert (paper.optimizer.beta1, paper.optimizer.beta2) == (0.9, 0.999)
    assert (paper.optimizer.epsilon, paper.optimizer.weight_decay) == (1e-8, 0.01)
    assert paper.schedule.warmup_steps == 1324
    assert paper.loss.min_snr_gamma == 5.0
    assert paper.loss.guidance_scale is None
    assert paper.validation.artworks == 100
    assert paper.validation.generate
    assert (paper.validation.steps, paper.validation.duration_s) == (200, 10.0)
    assert (paper.batch.size, paper.batch.per_process) == (128, 32)


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_the_paper_recipe_takes_744_steps_an_epoch_and_37_200_in_all(processes: int) -> None:
    plan = Plan.make(PAPER_ROWS, TrainSettings.read("paper"), processes)
    assert plan.steps_per_epoch == 744
    assert plan.total_steps == 37_200
    assert plan.epochs == 50
    assert plan.per_process * plan.processes * plan.accumulation == 128
    assert plan.accumulation == (1 if processes >= 4 else 4 // processes)
    assert "744 steps = 95,295 rows" in plan.describe()
    assert "37,200 steps = 50 epochs" in plan.describe()


@pytest.mark.parametrize("name", ["cpu", "gpu", "lite", "paper"])
def test_every_recipe_can_be_read_and_shown(name: str) -> None:
    assert name in shipped("art2mus")
    recipe = TrainSettings.read(name)
    assert recipe.name == name
    shown = preview("me/artsound", recipe, Plan.make(PAPER_ROWS, recipe))
    assert f"recipe {name}: {recipe.summary}" in shown
    assert "optimizer.learning_rate = " in shown


def test_overrides_are_read_as_toml_or_else_as_text() -> None:
    given = ["batch.size=64", "encoder=clip", "loss.min_snr_gamma=none", "ema_decay=0.99"]
    recipe = TrainSettings.read("paper", [*given, "encoders.clip.checkpoint=some/folder"])
    assert recipe.batch.size == 64
    assert recipe.encoder == "clip"
    assert recipe.loss.min_snr_gamma is None
    assert recipe.ema_decay == 0.99
    assert recipe.encoders["clip"].checkpoint == "some/folder"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("aligner.tokens=0", "recipe lite: aligner.tokens: Input should be greater than 0"),
        ("batch.sise=3", "recipe lite: batch.sise: no such setting; did you mean 'size'?"),
        ("precision=fp16", "precision: Input should be 'fp32' or 'bf16'"),
        ("optimizer.clip_norm=-1", "optimizer.clip_norm"),
        ("optimizer.learning_rate=quick", "optimizer.learning_rate"),
        ("optimizer.learning_rate=inf", "optimizer.learning_rate: Input should be a finite number"),
        ("validation.guidance_scale=inf", "guidance_scale: Input should be a finite number"),
        ("loss.guidance_scale=nan", "loss.guidance_scale"),
        ("validation.duration_s=0.001", "validation.duration_s: Input should be greater than"),
        ("batch", "expected key=value"),
        ("seed.x=1", "'seed' is a value, not a section"),
        ("encoders.clip.chekpoint=x", "did you mean 'checkpoint'?"),
    ],
)
def test_a_wrong_setting_is_named(override: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrainSettings.read("lite", [override])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_best_by_a_metric_needs_music() -> None:
    with pytest.raises(UsageError, match="set generate = true"):
        TrainSettings.read("lite", ["validation.generate=false", "validation.best=spectrum-kl"])


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nbackbone = "b"\nencoder = "lite"\n')
    assert TrainSettings.read(path).name == "mine"
    path.write_text("name =")
    with pytest.raises(UsageError, match="is not TOML"):
        TrainSettings.read(path)
    with pytest.raises(UsageError, match="did you mean 'paper'"):
        TrainSettings.read("papr")


def test_only_what_changes_weights_stands_in_the_way_of_going_on() -> None:
    recipe = TrainSettings.read("paper")
    same = TrainSettings.read(
        "paper", ["device=cpu", "batch.workers=0", "batch.per_process=4", "schedule.epochs=60"]
    )
    assert recipe.differences(same) == []
    watched = ["checkpoints.every_steps=7", "validation.steps=20", "validation.artworks=5"]
    assert recipe.differences(TrainSettings.read("paper", watched)) == []
    other = TrainSettings.read("paper", ["optimizer.learning_rate=1e-4", "aligner.tokens=4"])
    assert recipe.differences(other) == ["aligner.tokens", "optimizer.learning_rate"]
    spread = TrainSettings.read("paper", ["stand_ins.spread=0.5"])
    assert recipe.differences(spread) == []  # nothing stands in
    half, all_ = (TrainSettings.read("paper", [f"stand_ins.share={n}"]) for n in (0.5, 1))
    assert half.differences(all_) == ["stand_ins.share"]
    assert half.differences(spread) == ["stand_ins.share", "stand_ins.spread"]
    longer = [TrainSettings.read("lite", [f"schedule.epochs={n}"]) for n in (3, 4)]
    assert longer[0].differences(longer[1]) == ["schedule.epochs"]  # its rate decays


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ("artworks=5", True),
        ("timesteps=3", True),
        ("best=spectrum-kl", True),
        ("split=test", True),
        ("steps=20", False),  # of the music, which the loss does not hear
        ("every_epochs=2", False),
        ("batch=3", False),
    ],
)
def test_what_the_best_is_judged_by(change: str, other: bool) -> None:
    before, now = (TrainSettings.read("lite", given).validation
                   for given in ([], [f"validation.{change}"]))  # fmt: skip
    assert (before.judged_by() != now.judged_by()) == other


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, TrainSettings, int]:
    """Return rows, settings and processes that fit one another."""
    processes = draw(st.integers(1, 4))
    size = processes * draw(st.integers(1, 6))
    rows = draw(st.integers(size, 60))
    given = [
        f"batch.size={size}",
        f"batch.per_process={draw(st.integers(1, 8))}",
        f"schedule.steps={draw(st.integers(1, 30))}",
        f"seed={draw(st.integers(0, 5))}",
    ]
    return rows, TrainSettings.read("lite", given), processes


@settings(max_examples=100)
@given(plans(), st.data())
def test_processes_and_resuming_change_nothing_about_the_steps(
    given_plan: tuple[int, TrainSettings, int], data: st.DataObject
) -> None:
    rows, recipe, processes = given_plan
    plan = Plan.make(rows, recipe, processes)
    alone = Plan.make(rows, recipe, 1)
    whole = steps_of(alone, 0)
    assert len(whole) == plan.total_steps
    assert plan.per_process <= recipe.batch.per_process
    finished = data.draw(st.integers(0, plan.total_steps))
    assert steps_of(plan, finished) == whole[finished:]
    for epoch in range(plan.total_steps // plan.steps_per_epoch):
        begin = epoch * plan.steps_per_epoch
        taken = [one for step in whole[begin : begin + plan.steps_per_epoch] for one in step]
        assert {number for number, _ in taken} == {epoch}
        assert len({row for _, row in taken}) == len(taken)  # no row twice in an epoch
        assert all(0 <= row < rows for _, row in taken)


def steps_of(plan: Plan, finished: int) -> list[frozenset[tuple[int, int]]]:
    """Return what each step takes, over all processes and passes."""
    shares = [list(BatchSampler(plan, process, finished)) for process in range(plan.processes)]
    assert {len(share) for share in shares} == {len(BatchSampler(plan, 0, finished))}
    passes = [[one for share in shares for one in share[n]] for n in range(len(shares[0]))]
    per = plan.accumulation
    return [
        frozenset(one for batch in passes[begin : begin + per] for one in batch)
        for begin in range(0, len(passes), per)
    ]


def test_the_order_changes_with_the_epoch_and_the_seed() -> None:
    plans_ = [Plan.make(500, TrainSettings.read("lite", [f"seed={n}"])) for n in (0, 1)]
    orders = [tuple(plan.order(epoch)) for plan in plans_ for epoch in range(3)]
    assert len(set(orders)) == 6
    assert all(sorted(order) == list(range(500)) for order in orders)


def test_a_batch_that_does_not_fit_is_refused() -> None:
    recipe = TrainSettings.read("lite", ["batch.size=29"])
    with pytest.raises(UsageError, match=r"larger than the split 'train', which has 28 rows"):
        Plan.make(28, recipe)
    with pytest.raises(UsageError, match=r"evenly over 3 processes: make it a multiple of 3"):
        Plan.make(100, recipe, 3)
