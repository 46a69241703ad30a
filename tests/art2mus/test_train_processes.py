"""Trainings in real processes: killed and gone on with, and two at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from art2mus.checkpoint import load_checkpoint
from art2mus.train import train
from art2mus.training.state import read_position
from tests.art2mus.training_runs import PAIRS, Ground, entries, kill_after, weights
from tests.hub import LocalHub
from tests.hub_store import Blob, Repo

pytestmark = pytest.mark.slow  # each process imports torch, diffusers and transformers anew

# An average, moved embeddings, music in artworks' places, accumulation, checkpoints within an epoch
# and generated music: all has to come back.
MORE = (
    "checkpoints.every_steps=1",
    "ema_decay=0.9",
    "embedding_noise=0.3",
    "stand_ins.share=0.5",
    "validation.generate=true",
    "validation.steps=1",
    "validation.duration_s=1",
    "validation.metrics=['spectrum-kl']",
)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def through(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that ran through, in this process, on one thread as the others do."""
    out = tmp_path_factory.mktemp("through") / "checkpoint"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(ground.release, out, ground.settings(*MORE), cache=ground.cache)
    finally:
        torch.set_num_threads(before)
    return out


def test_a_training_killed_twice_ends_in_the_same_bits(
    ground: Ground, through: Path, tmp_path: Path
) -> None:
    out = tmp_path / "checkpoint"
    for steps in (2, 6):  # within the first epoch and within the second
        kill_after(ground.command(out, *MORE), out, steps)
        position = read_position(out / "training")
        assert position is not None
        assert position.step in {steps - 1, steps}
    said = ground.run(out, *MORE)
    assert "going on after step" in said
    assert "trained" in said
    assert weights(out) == weights(through)
    assert weights(out / "training/last") == weights(through / "training/last")
    for name in ("training/log.jsonl", "art2mus.json", "README.md"):
        assert (out / name).read_bytes() == (through / name).read_bytes()
    states = [load_file(folder / "training/state.safetensors") for folder in (out, through)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(name.startswith("average.") for name in states[0])


def test_two_processes_train_as_one(ground: Ground, through: Path, tmp_path: Path) -> None:
    """The same global batch; only the order in which floats are summed may tell them apart.

    Losses agree to 1e-5, relative; weights to 1 % of how far they have moved, because AdamW divides
    each gradient by its own size and so makes much of the rounding of those that are nearly zero.
    """
    out = tmp_path / "checkpoint"
    said = ground.run(out, *MORE, processes=2)
    assert "2 = 1 x 2 processes x 1 accumulated" in said
    assert said.count("trained ") == 1
    one, two = entries(through), entries(out)
    assert [entry.keys() for entry in one] == [entry.keys() for entry in two]
    for mine, other in zip(two, one, strict=True):
        assert mine["step"] == other["step"]
        for name, value in {**other, **other.get("validation", {})}.items():
            if isinstance(value, float):
                found = {**mine, **mine.get("validation", {})}[name]
                # The spectrum is of samples rounded to 16 bits.
                tolerance = 1e-3 if name in {"grad_norm", "spectrum-kl"} else 1e-5
                assert found == pytest.approx(value, rel=tolerance, abs=1e-9), name
    first = read_first(ground)
    aligners = [load_checkpoint(folder / "training/last")[0] for folder in (through, out)]
    moved = distance(aligners[0], first)
    assert moved > 0
    assert distance(*aligners) < 0.01 * moved


def test_two_processes_say_that_the_caches_are_built(ground: Ground, tmp_path: Path) -> None:
    other = dataclasses.replace(ground, cache=tmp_path / "cache")
    for number in range(2):
        said = other.run(
            tmp_path / f"out{number}", "schedule.steps=1", "validation.split=none", processes=2
        )
        assert said.count(f"caches of train: {PAIRS} of {PAIRS}") == (number == 0)


def test_a_release_on_the_hub_is_streamed(ground: Ground, tmp_path: Path) -> None:
    """The caches are the same, and nothing of the release stays on the disk."""
    release = Path(ground.release)
    files = {
        path.relative_to(release).as_posix(): Blob(path.read_bytes(), lfs=True)
        for path in release.rglob("*")
        if path.is_file()
    }
    with LocalHub() as hub:
        hub.repos["me/artsound"] = Repo(private=False)
        hub.repos["me/artsound"].commit("main", files)
        remote = dataclasses.replace(
            ground,
            release="me/artsound",
            cache=tmp_path / "cache",
            environment=hub.environment(tmp_path / "home", None),
        )
        options = ("schedule.steps=1", "validation.split=none")
        remote.run(tmp_path / "streamed", *options, options=("--streaming",))
    ground.run(tmp_path / "local", *options)
    assert weights(tmp_path / "streamed") == weights(tmp_path / "local")
    assert (tmp_path / "home").is_dir()
    assert not list((tmp_path / "home").rglob("*.parquet"))


def read_first(ground: Ground) -> torch.nn.Module:
    """Return an aligner as it was before the first step."""
    from art2mus.backbone import Backbone
    from art2mus.encoders import VisualEncoder
    from art2mus.train import new_aligner

    encoder = VisualEncoder.load("lite")
    return new_aligner(ground.settings(*MORE), encoder, Backbone.open(ground.backbone))


def distance(one: torch.nn.Module, other: torch.nn.Module) -> float:
    """Return the Euclidean distance of two aligners' weights."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    squares = [(a - b).detach().square().sum() for a, b in pairs]
    return float(torch.stack(squares).sum().sqrt())
