"""Classes of the user's: what they may return, and what is said of what they raise."""

from __future__ import annotations

import textwrap
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from art2mus.benchmark.models.base import Task, sound_of
from art2mus.benchmark.models.registry import make
from art2mus.data import Release, open_release
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.benchmark_cli.parts import benchmark, pair_id, write_release

RATE = 16_000


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return open_release(write_release(tmp_path_factory.mktemp("custom") / "release"))


def tone() -> Any:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


@pytest.mark.parametrize(
    ("made", "step"),
    [
        (np.round(tone() * 2**15).astype(np.int16), 2**-15),
        (np.round(tone() * 2**31).astype(np.int32), 2**-23),
        (np.round(tone() * 128 + 128).astype(np.uint8), 2**-7),
        (torch.from_numpy(np.round(tone() * 2**15).astype(np.int16)), 2**-15),
        (torch.from_numpy(tone()).to(torch.bfloat16), 2**-8),
        (tone().tolist(), 1e-7),
    ],
)
def test_integers_of_wav_files_are_brought_to_full_scale(made: Any, step: float) -> None:
    found = sound_of(made, RATE, "it").samples
    assert found.dtype == np.float32
    assert found.shape == (1, RATE)
    np.testing.assert_allclose(found[0], tone(), atol=step)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tone() * 20_000, "it has a peak of 10000, and full scale is 1: divide 16-bit samples by"),
        (np.round(tone() * 20_000).astype(np.int64), "it is of int64, whose full scale nobody"),
        (tone() > 0, "it is of bool"),
        (tone().astype(np.complex64), "it is of complex64"),
        ([[0.1] * RATE, [0.2]], "it is no sound"),
    ],
)
def test_samples_of_no_known_scale_are_refused(made: Any, said: str) -> None:
    with pytest.raises(ArtsoundError) as error:
        sound_of(made, RATE, "it")
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_some_overshoot_is_taken() -> None:
    assert np.abs(sound_of(tone() * 6, RATE, "it").samples).max() == pytest.approx(3.0, abs=1e-3)


RAISES = """
class Fine:
    sample_rate = 8000

    def load(self): ...

    def generate(self, images, seconds, seeds): ...


def deeper():
    raise RuntimeError("boom\\nand more")


class Generates(Fine):
    def generate(self, images, seconds, seeds):
        return sorted([1, 2], key=lambda one: deeper())


class Loads(Fine):
    def load(self):
        open("weights.bin")


class Made(Fine):
    def __init__(self):
        assert False


class About(Fine):
    @property
    def about(self):
        return self.known["encoder"]

    known = {}
"""


def test_what_a_class_raises_is_one_line_with_its_place(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises.py").write_text(RAISES)
    monkeypatch.chdir(tmp_path)
    items = list(release.media("train", [0]))
    for name, said in (
        (
            "Generates",
            "Generates.generate raised RuntimeError: boom and more (raises.py:11)",
        ),
        ("Loads", "raises:Loads.load raised FileNotFoundError: [Errno 2] No such file or director"),
        ("Made", "raises:Made() raised AssertionError (raises.py:26)"),
        ("About", "raises:About.about raised KeyError: 'encoder' (raises.py:32)"),
    ):
        model = make(f"raises:{name}", {}).model
        with pytest.raises(ArtsoundError) as error:  # noqa: PT012
            model.open(Task(release, "train", 1.0, 0, "cpu", tmp_path))
            model.about()
            model.load()
            model.generate(items, 1.0, [0])
        assert said in str(error.value)
        assert str(error.value).endswith("; --debug shows all")
        assert "\n" not in str(error.value)
        assert error.value.__cause__ is not None


@pytest.mark.parametrize(
    ("source", "said", "kind"),
    [
        ("x = 1\ny = 1 / 0\n", "ZeroDivisionError: division by zero (*.py:2)", ArtsoundError),
        ("def f(:\n", "raised SyntaxError: invalid syntax (*.py, line 1)", ArtsoundError),
        ("import json\njson.loads('')\n", "Expecting value: line 1 column 1 (char 0) (*.py:2)",
         ArtsoundError),
        ("import nowhere_at_all\n", "install what it needs", UsageError),
        ("from json import nothing_of_it\n", "cannot be imported: cannot import name", UsageError),
    ],
)  # fmt: skip
def test_modules_that_cannot_be_imported(
    source: str, said: str, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"imported_{zlib.crc32(source.encode())}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind) as error:
        make(f"{name}:Model", {})
    assert said.replace("*", name) in str(error.value)
    assert "\n" not in str(error.value)


def test_names_that_no_module_has() -> None:
    for name in (":Model", "a..b:Model", "my-model:Model"):
        with pytest.raises(UsageError, match="is no module's name: write module:Class"):
            make(name, {})


def test_the_command_line(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    (tmp_path / "raising.py").write_text(RAISES)
    common = ("--split", "train", "--seconds", "1", "--metric", "spectrum-kl", "-q")
    done = benchmark(
        "run", "raising:Generates", "release", "--out", "out", *common,
        "--cache", tmp_path / "cache", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "art2mus benchmark: raising:Generates.generate raised RuntimeError: boom and more"
        " (raising.py:11); --debug shows all"
    ]
    assert not list((tmp_path / "out").glob(f"{pair_id(0)}*"))
    listed = benchmark("models", cwd=tmp_path).stdout
    for words in ("int16", "full scale 1", "(channels, samples)", "class Mine:", "sample_rate ="):
        assert words in listed
    example = textwrap.dedent(listed[listed.index("    class Mine:") :])
    compile(example, "example.py", "exec")
