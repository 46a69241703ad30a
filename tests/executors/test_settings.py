"""What the recipe asks of a cluster, and that it does not shape what is built."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from artsound.errors import UsageError
from artsound.executors.settings import seconds
from artsound.executors.slurm import SlurmStage
from artsound.recipe import Recipe
from tests.executors.toys import Numbers, Total, toy_build


def _asked(folder: Path, *settings: str, whole: bool = False) -> str:
    toys = toy_build(folder, *(f"executor.slurm.{setting}" for setting in settings))
    if whole:
        return SlurmStage(toys, Total(), [0], 0, {}).batch().text()
    return SlurmStage(toys, Numbers(), range(4), 3, {}).batch().text()


def test_the_executor_shapes_and_publishes_nothing() -> None:
    plain = Recipe.read("lite")
    other = Recipe.read("lite", ["executor.slurm.account=mine", "executor.ray.cpus=2"])
    assert other.executor.slurm.account == "mine"
    assert plain.shaping() == other.shaping()
    assert plain.published() == other.published()
    assert "mine" not in str(other.published())


def test_a_sharded_stage_is_an_array_and_a_whole_one_a_job(tmp_path: Path) -> None:
    assert "#SBATCH --array=0-3%3\n" in _asked(tmp_path)
    assert "#SBATCH --array=0-1%3\n" in _asked(tmp_path, "array_size=2")
    assert "--array" not in _asked(tmp_path, whole=True)


def test_what_the_recipe_says_reaches_sbatch(tmp_path: Path) -> None:
    script = _asked(
        tmp_path,
        "partition=gpu",
        "account=music",
        "time=24:00:00",
        "memory_gb=16",
        "sbatch.qos=long",
        "setup=module load cuda",
        "grace_s=300",
    )
    for line in (
        "#SBATCH --partition=gpu",
        "#SBATCH --account=music",
        "#SBATCH --time=24:00:00",
        "#SBATCH --mem=16G",
        "#SBATCH --qos=long",
        "#SBATCH --signal=B:USR1@300",
        "#SBATCH --requeue",
        "export HF_HUB_OFFLINE=1",
        "export OMP_NUM_THREADS=1",
        "module load cuda",
    ):
        assert f"{line}\n" in script
    assert "HF_HUB_OFFLINE" not in _asked(tmp_path, "offline=false")


def test_arguments_of_sbatch_may_have_no_value_and_blanks(tmp_path: Path) -> None:
    script = _asked(
        tmp_path / "my work 100%",
        "sbatch.exclusive=true",
        'sbatch.contiguous=""',
        "sbatch.requeue=false",
        "sbatch.nice=0",
        "sbatch.reservation=two words",
    )
    assert "#SBATCH --exclusive\n" in script
    assert "#SBATCH --contiguous\n" in script
    assert "--requeue" not in script
    assert "#SBATCH --nice=0\n" in script
    assert "#SBATCH '--reservation=two words'\n" in script
    assert "/my work 100%%/work/slurm/numbers/output/%A_%a.out'\n" in script
    assert "#SBATCH --open-mode=append\n" in script


@pytest.mark.parametrize(
    ("time", "limit"),
    [
        (90, 5400),
        ("90", 5400),
        ("2:30", 180),
        ("1:00:30", 3660),
        ("1-0", 86400),
        ("2-3:04", 183840),
        ("0-0:01:01", 120),
        ("UNLIMITED", math.inf),
        (0, math.inf),
    ],
)
def test_time_limits_are_read_as_sbatch_reads_them(time: int | str, limit: float) -> None:
    assert seconds(time) == limit


def test_a_time_limit_that_leaves_no_time_is_refused() -> None:
    with pytest.raises(UsageError, match=r"executor.slurm: time = 3 is 180 s.* grace_s = 120 s"):
        Recipe.read("lite", ["executor.slurm.time=3"])
    with pytest.raises(UsageError, match=r"stages.tracks.time = 0:30 is 60 s"):
        Recipe.read("lite", ["executor.slurm.stages.tracks.time=0:30"])
    with pytest.raises(UsageError, match=r"executor.slurm.time: '1h' is no time: minutes, or days"):
        Recipe.read("lite", ["executor.slurm.time=1h"])
    for given in (["time=4"], ["time=2", "grace_s=30"], ["time=1", "grace_s=0"]):
        Recipe.read("lite", [f"executor.slurm.{setting}" for setting in given])


def test_a_stage_may_ask_for_something_else(tmp_path: Path) -> None:
    common = ("cpus=2", "sbatch.qos=long", "sbatch.nice=5", "partition=cpu")
    own = ("stages.total.cpus=16", "stages.total.sbatch.qos=short")
    sharded, whole = _asked(tmp_path, *common, *own), _asked(tmp_path, *common, *own, whole=True)
    assert "--cpus-per-task=2\n" in sharded
    assert "--cpus-per-task=16\n" in whole
    assert "export OMP_NUM_THREADS=16\n" in whole
    assert "--qos=long\n" in sharded
    assert "--qos=short\n" in whole
    assert "--nice=5\n" in whole
    assert "--partition=cpu\n" in whole


def test_only_stages_that_compute_on_a_gpu_get_one(tmp_path: Path) -> None:
    from artsound.captions.artworks import ImageCaptionsStage

    def gpus(recipe: str, *settings: str) -> list[str]:
        toys = toy_build(tmp_path, *settings, recipe=recipe)
        batch = SlurmStage(toys, ImageCaptionsStage(), [0], 0, {}).batch()
        return [name for name in batch.arguments() if name == "gpus"]

    assert gpus("lite") == []
    assert gpus("paper") == ["gpus"]
    assert gpus("paper", "executor.slurm.gpus=0") == []


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(UsageError, match=r"executor.slurm.partitoin: .*did you mean 'partition'"):
        Recipe.read("lite", ["executor.slurm.partitoin=gpu"])
    with pytest.raises(UsageError, match=r"executor.slurm.array_size"):
        Recipe.read("lite", ["executor.slurm.array_size=0"])
