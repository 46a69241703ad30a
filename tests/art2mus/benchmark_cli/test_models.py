"""Every model of the registry makes music, from tiny checkpoints in the official formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from art2mus.benchmark.models.base import Sound, Task, sound_of
from art2mus.benchmark.models.controls import derangement
from art2mus.benchmark.models.registry import MODELS, make, settings_of
from art2mus.data import Media, Pair, Release, open_release
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.benchmark_cli.parts import write_release
from tests.art2mus.benchmark_cli.tiny_musicgen import write_tiny_musicgen
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.art2mus.tiny_checkpoint import write_tiny_checkpoint
from tests.chat_server import ChatServer

CHAT = "Qwen/Qwen3-14B"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return open_release(write_release(tmp_path_factory.mktemp("models") / "release"))


def task(release: Release, cache: Path, seconds: float = 1.0) -> Task:
    return Task(release, "train", seconds, 0, "cpu", cache)


def generated(
    name: str, release: Release, cache: Path, seeds: Sequence[int], **options: str
) -> tuple[list[Sound], list[Media]]:
    """Generate a second for as many rows of the release as there are seeds."""
    model = make(name, options).model
    model.open(task(release, cache))
    model.about()
    model.load()
    items = list(release.media("train", range(len(seeds))))
    return list(model.generate(items, 1.0, seeds)), items


def same(one: Sound, other: Sound) -> bool:
    return one.samples.shape == other.samples.shape and bool((one.samples == other.samples).all())


def test_the_registry_documents_its_models() -> None:
    assert list(MODELS)[:4] == ["art2mus", "audioldm2", "audioldm2-music", "mozarts-touch"]
    assert [n for n, e in MODELS.items() if e.kind == "control"] == [
        "ground-truth",
        "shuffled",
        "silence",
        "noise",
    ]
    for entry in MODELS.values():
        assert entry.takes
        assert entry.weights
        assert entry.license
        assert entry.summary
        settings_of(entry)
    assert settings_of(MODELS["mozarts-touch"])["endpoint"] is ...


def test_controls(release: Release, tmp_path: Path) -> None:
    truth, items = generated("ground-truth", release, tmp_path, [1, 2, 3])
    for sound, item in zip(truth, items, strict=True):
        music, rate = item.audio()
        assert sound.sample_rate == rate
        np.testing.assert_array_equal(sound.samples, music[:, :rate])
    shuffled, _ = generated("shuffled", release, tmp_path, [1, 2, 3])
    own = [item.pair.pair_id for item in items]
    assert all(s.notes["music_of"] != name for s, name in zip(shuffled, own, strict=True))
    everyone = {m.pair.pair_id: m for m in release.media("train")}
    for sound in shuffled:
        music, rate = everyone[sound.notes["music_of"]].audio()
        np.testing.assert_array_equal(sound.samples, music[:, :rate])
    silence, _ = generated("silence", release, tmp_path, [1, 2])
    assert [float(np.abs(one.samples).max()) for one in silence] == [0.0, 0.0]
    noise, _ = generated("noise", release, tmp_path, [1, 2, 1])
    assert same(noise[0], noise[2])
    assert not same(noise[0], noise[1])
    assert np.std(noise[0].samples) == pytest.approx(0.1, rel=0.02)


def pairs(shared: Sequence[int]) -> list[Pair]:
    return [Pair(f"p{n}", f"a{one}", n, "", "", "", 0.0) for n, one in enumerate(shared)]


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_a_derangement_gives_nobody_their_own(count: int, seed: int) -> None:
    order = derangement(pairs(range(count)), seed)
    assert sorted(order.tolist()) == list(range(count))
    assert all(place != other for place, other in enumerate(order.tolist()))
    assert order.tolist() == derangement(pairs(range(count)), seed).tolist()


def test_a_derangement_avoids_the_same_artwork() -> None:
    shared = [0, 0, 1, 1, 2, 2, 3, 3]
    for seed in range(10):
        order = derangement(pairs(shared), seed)
        assert all(shared[place] != shared[other] for place, other in enumerate(order))


def test_art2mus(release: Release, tmp_path: Path) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path)
    options = {"steps": "2", "guidance": "2"}
    name = f"art2mus:{checkpoint}"
    made, items = generated(name, release, tmp_path, [5, 6], **options)
    again, _ = generated(
        "art2mus", release, tmp_path, [5, 6], checkpoint=str(checkpoint), **options
    )
    assert all(same(one, other) for one, other in zip(made, again, strict=True))
    from art2mus.pipeline import Art2MusPipeline

    pipeline = Art2MusPipeline.from_pretrained(checkpoint)
    wanted: Any = pipeline(
        [item.image() for item in items],
        duration_s=1.0,
        num_inference_steps=2,
        guidance_scale=2.0,
        seed=[5, 6],
    )
    for sound, samples in zip(made, wanted.audios, strict=True):
        assert sound.sample_rate == 16_000
        np.testing.assert_array_equal(sound.samples[0], samples)
    model = make(name, {}).model
    model.open(task(release, tmp_path))
    assert model.about()["tokens"] == 4
    assert model.about()["encoder"] == "lite-conse"


@pytest.mark.parametrize("declared", ["GPT2Model", "GPT2LMHeadModel"])
def test_audioldm2_is_diffusers_own(declared: Any, release: Release, tmp_path: Path) -> None:
    folder = write_tiny_backbone(tmp_path / "backbone", language_model=declared)
    made, items = generated(
        "audioldm2-music", release, tmp_path, [5, 6], checkpoint=str(folder), steps="2"
    )
    assert [one.notes["prompt"] for one in made] == [item.pair.artwork_caption for item in items]
    official = write_tiny_backbone(tmp_path / "official", language_model="GPT2LMHeadModel")
    from diffusers import AudioLDM2Pipeline

    kind: Any = AudioLDM2Pipeline
    pipeline = kind.from_pretrained(official)
    wanted = pipeline(
        [item.pair.artwork_caption for item in items],
        negative_prompt=["Low quality"] * 2,
        audio_length_in_s=1.0,
        num_inference_steps=2,
        generator=[torch.Generator().manual_seed(seed) for seed in (5, 6)],
    ).audios
    for sound, samples in zip(made, wanted, strict=True):
        # To rounding: the two load their parts with other kernels of attention.
        np.testing.assert_allclose(sound.samples[0], samples, atol=1e-6)


def test_mozarts_touch(release: Release, tmp_path: Path) -> None:
    folder = write_tiny_musicgen(tmp_path / "musicgen")
    with ChatServer(
        [CHAT], reply=lambda body: "<think>\n\n</think>\n\nA slow  piano piece."
    ) as chat:
        options = {"endpoint": chat.url, "checkpoint": str(folder)}
        made, _ = generated("mozarts-touch", release, tmp_path, [5, 6, 5], **options)
        asked = chat.questions
        again, _ = generated("mozarts-touch", release, tmp_path, [5], **options)
        assert len(chat.questions) == len(asked) == 3  # the second time they came from the cache
    assert "A painting, number 1" in str(asked)
    assert asked[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert {one.notes["prompt"] for one in made} == {"A slow piano piece."}
    assert {(one.sample_rate, one.samples.shape) for one in made} == {(32_000, (1, 32_000))}
    assert same(made[0], made[2])
    assert not same(made[0], made[1])
    assert same(made[0], again[0])


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("art2mu", {}, "did you mean 'art2mus'"),
        ("art2mus", {}, "checkpoint=...: has to be given"),
        ("audioldm2", {"step": "3"}, "step=...: no such setting; its settings: checkpoint, rev"),
        ("silence", {"loud": "1"}, "no such setting; its settings: none"),
        ("nowhere:Model", {}, "no module 'nowhere'"),
        ("json:Model", {}, "Model is not there; json has JSONDecoder"),
        ("json:dumps", {}, "dumps is no class"),
        ("fractions:Fraction", {}, "lacks load() and generate(images, seconds, seeds)"),
    ],
)
def test_wrong_models_are_named(name: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        make(name, options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_models_that_are_not_there(release: Release, tmp_path: Path) -> None:
    backbone = write_tiny_backbone(tmp_path / "backbone")
    with ChatServer(["another"]) as chat:
        for options, said in (
            ({"endpoint": chat.url, "checkpoint": str(backbone)}, "serves another, not"),
            ({"endpoint": "nonsense", "checkpoint": str(backbone)}, "is no endpoint"),
        ):
            with pytest.raises(ArtsoundError, match=said):
                make("mozarts-touch", options).model.open(task(release, tmp_path))
        options = {"endpoint": chat.url, "chat_model": "another", "checkpoint": str(backbone)}
        with pytest.raises(UsageError, match=r"no config\.json"):
            make("mozarts-touch", options).model.open(task(release, tmp_path))
        with pytest.raises(UsageError, match="up to 30 s"):
            make("mozarts-touch", options).model.open(task(release, tmp_path, seconds=31))
    with pytest.raises(ArtsoundError, match="nowhere"):
        make("audioldm2", {"checkpoint": str(tmp_path / "nowhere")}).model.open(
            task(release, tmp_path)
        )
    one = open_release(write_release(tmp_path / "one", pairs=1))
    with pytest.raises(UsageError, match="needs two pairs or more"):
        make("shuffled", {}).model.open(task(one, tmp_path))


MODULE = """
import numpy as np


class Whole:
    sample_rate = 8000
    about = {"encoder": "eyes", "training_hours": 3}

    def __init__(self, pitch=440.0):
        self.pitch = pitch

    def load(self):
        self.loaded = True

    def generate(self, images, seconds, seeds):
        assert self.loaded
        time = np.arange(int(seconds * 8000)) / 8000
        return [np.sin(2 * np.pi * (self.pitch + seed) * time) for seed in seeds]


class NoGenerate:
    def load(self): ...


class WrongArguments(Whole):
    def generate(self, images): ...


class NeedsMore(Whole):
    def __init__(self, weights): ...


class NoRate(Whole):
    sample_rate = None


class TooFew(Whole):
    def generate(self, images, seconds, seeds):
        return []


class Short(Whole):
    def generate(self, images, seconds, seeds):
        return [np.zeros(3)] * len(images)


class NotFinite(Whole):
    def generate(self, images, seconds, seeds):
        return [np.full(8000, np.nan)] * len(images)


class Transposed(Whole):
    def generate(self, images, seconds, seeds):
        return [np.zeros((8000, 2))] * len(images)


class NotReady(Whole):
    def generate(self, images, seconds, seeds):
        return "music"
"""


def test_a_class_of_the_users(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    made, _ = generated("of_mine:Whole", release, tmp_path, [1, 2], pitch="220.5")
    assert [one.samples.shape for one in made] == [(1, 8000), (1, 8000)]
    model = make("of_mine:Whole", {}).model
    identity = model.open(task(release, tmp_path))
    assert (identity["class"], identity["options"]) == ("of_mine:Whole", {})
    assert model.about() == {"encoder": "eyes", "training_hours": 3}
    for name, said in (
        ("NoGenerate", "lacks generate(images, seconds, seeds): a model has both"),
        ("WrongArguments", "generate(self, images) cannot be called as generate(images, seconds"),
        ("NeedsMore", "(weights) cannot be made with nothing"),
        ("NoRate", "has no sample_rate"),
        ("TooFew", "returned 0 waveforms for 2 images"),
        ("NotReady", "returned 5 waveforms for 2 images"),
        ("Short", "lasts 0.00 s"),
        ("NotFinite", "NaN or infinite"),
        ("Transposed", "has shape (8000, 2): return (samples,) or (channels, samples)"),
    ):
        with pytest.raises(ArtsoundError) as error:
            generated(f"of_mine:{name}", release, tmp_path, [1, 2])
        assert said in str(error.value), name


def test_tensors_are_sounds() -> None:
    made = sound_of(torch.ones(2, 16_000, dtype=torch.float64, requires_grad=True), 16_000, "it")
    assert made.samples.dtype == np.float32
    assert made.samples.shape == (2, 16_000)
    with pytest.raises(ArtsoundError, match="is no sound"):
        sound_of("music", 16_000, "it")
