"""`artsound.load`: what it opens and decodes, what it says is wrong; and the README's recipes."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import artsound
from artsound.errors import ArtsoundError, UsageError
from artsound.soundfile_audio import SoundfileAudio
from tests.hub import WRITE, LocalHub
from tests.tiny_release import RATE, samples, write_tiny_release

README = Path(__file__).parents[1] / "README.md"


def recipes() -> list[str]:
    """Return the code of the README's recipes."""
    section = README.read_text("utf-8").partition("\n## Recipes\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


pytestmark = pytest.mark.skipif(
    find_spec("torchcodec") is not None, reason="torchcodec decodes where it is installed"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_release(tmp_path_factory.mktemp("loading") / "artsound-lite")


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("streaming", [False, True])
def test_audio_is_decoded(tiny: Path, streaming: bool) -> None:
    rows = list(artsound.load(tiny, split="train", streaming=streaming))
    assert len(rows) == 8
    for number, row in enumerate(rows):
        assert set(row["audio"]) == {"array", "sampling_rate", "path"}
        assert row["audio"]["sampling_rate"] == RATE
        assert row["audio"]["path"] == f"{number}.flac"
        np.testing.assert_allclose(row["audio"]["array"], samples(number), atol=2e-5)
        assert row["image"].size == (24, 32)


def test_all_splits_and_other_configurations(tiny: Path) -> None:
    assert {name: len(split) for name, split in artsound.load(tiny).items()} == {
        "train": 8,
        "test": 1,
    }
    assert set(artsound.load(tiny, streaming=True)) == {"train", "test"}
    assert len(artsound.load(tiny, "train[:25%]+test")) == 3
    assert artsound.load(tiny, config="tracks", split="train")[2]["title"] == "Track 2"


def test_what_datasets_can_do_works_on_decoded_audio(tiny: Path, tmp_path: Path) -> None:
    train = artsound.load(tiny, split="train")
    loud = train.filter(lambda row: row["audio"]["array"].size > 0)
    assert len(loud) == 8
    seconds = train.map(
        lambda row: {"seconds": len(row["audio"]["array"]) / RATE}, remove_columns="audio"
    )
    assert seconds["seconds"][:] == [1.0] * 8
    # A row whose audio was looked at and kept is written anew, in an ordinary column.
    kept = train.select([1, 3]).map(lambda row: {"channels": row["audio"]["array"].shape[1]})
    np.testing.assert_allclose(kept[1]["audio"]["array"], samples(3), atol=2e-5)
    assert train.map(lambda row: {"x": row["style"]})[0]["audio"]["path"] == "0.flac"
    assert train.with_format("torch")[1]["audio"]["array"].shape == (RATE, 2)
    assert train.shuffle(seed=0).select([1])[0]["audio"]["sampling_rate"] == RATE
    train.save_to_disk(tmp_path / "saved")
    again = datasets.load_from_disk(str(tmp_path / "saved"))
    assert type(again.features["audio"]) is datasets.Audio
    one = SoundfileAudio().encode_example({"array": samples(1), "sampling_rate": RATE, "path": "a"})
    np.testing.assert_array_equal(SoundfileAudio().decode_example(one)["array"], samples(1))


def _refused(kind: type[ArtsoundError], *arguments: Any, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        artsound.load(*arguments, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("streaming", [False, True])
def test_errors_are_one_line_with_the_remedy(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    def refused(*arguments: Any, **options: Any) -> str:
        return _refused(UsageError, *arguments, **options, streaming=streaming)

    assert "did you mean 'tracks'? there is default, tracks" in refused(tiny, config="track")
    assert "did you mean 'train'? there is train, test" in refused(tiny, "trian")
    assert "no split 'tset'" in refused(tiny, "train[:10%]+tset[2:]")
    assert "did you mean" not in refused(tiny, "xyz")
    assert "no manifest.json in it" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "no such folder" in refused("./nowhere")
    assert "has no revisions" in refused(tiny, revision="v1")
    monkeypatch.chdir(tiny.parent)
    assert "no manifest.json" not in refused("artsound-lite", "trian")


def test_audio_that_is_not_there_or_cannot_be_decoded(tiny: Path) -> None:
    audio = SoundfileAudio()
    with pytest.raises(ArtsoundError, match=r"7.mp3: this release holds no audio.*hydrate"):
        audio.decode_example({"bytes": None, "path": "7.mp3"})
    with pytest.raises(ArtsoundError, match=r"7.xyz: soundfile cannot decode it"):
        audio.decode_example({"bytes": b"nothing that sounds", "path": "7.xyz"})


PLAIN = """
import sys
from datasets import Audio, load_dataset
for streaming in (False, True):
    rows = load_dataset("me/artsound", split="train", streaming=streaming)
    rows = list(rows.cast_column("audio", Audio(decode=False)))
    assert [row["pair_id"] for row in rows] == [f"{n:06d}-tiny" for n in range(8)]
    assert rows[0]["image"].size == (24, 32) and rows[0]["audio"]["bytes"][:4] == b"fLaC"
assert load_dataset("me/artsound", "tracks", split="train").num_rows == 8
assert not any(name.split(".")[0] == "artsound" for name in sys.modules)
"""
OURS = """
import artsound
for streaming in (False, True):
    row = next(iter(artsound.load("me/artsound", "train", streaming, revision="v1")))
    assert row["audio"]["array"].shape == (16000,)
for wrong in ({"path_or_repo": "me/nothing"}, {"path_or_repo": "me/artsound", "split": "trian"},
              {"path_or_repo": "me/artsound", "revision": "v9"}):
    try:
        artsound.load(**wrong)
    except artsound.errors.ArtsoundError as error:
        print(error)
"""

AGAIN = """
import artsound
try:
    print(artsound.load("me/artsound", "train").num_rows, "rows")
except artsound.errors.ArtsoundError as error:
    print(error)
"""


def test_a_pushed_release_opens_from_the_hub(tiny: Path, tmp_path: Path) -> None:
    with LocalHub() as hub:

        def run(*command: str, token: str | None = WRITE, home: str = "home") -> str:
            done = subprocess.run(
                [sys.executable, *command],
                env=hub.environment(tmp_path / home, token),
                capture_output=True,
                text=True,
                cwd=tmp_path,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        cli = ("-m", "artsound.cli", "push", str(tiny), "me/artsound", "--tag", "v1")
        run(*cli)
        run("-c", PLAIN, token=None)
        said = run("-c", OURS, token=None).splitlines()
        assert "me/nothing is neither a folder here nor a dataset on the Hub" in said[0]
        assert "HF_TOKEN" in said[0]
        assert "did you mean 'train'?" in said[1]
        assert "'v9'" in said[2]
        assert len(said) == 3
        assert "the Hub refuses the token" in run("-c", AGAIN, token="hf_wrong", home="other")
        hub.extra["HF_HUB_OFFLINE"] = "1"  # what was loaded is in the cache
        assert "8 rows" in run("-c", AGAIN)
        assert "the Hub cannot be reached" in run("-c", AGAIN, home="other")


@pytest.mark.skipif(not recipes(), reason="the README has no recipes")
def test_the_readmes_recipes_run(tiny: Path) -> None:
    script = f"""
for number, code in enumerate({recipes()!r}, 1):
    print("recipe", number, flush=True)
    exec(code, {{"__name__": "__main__"}})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tiny.parent, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.split(r"recipe \d+\n", done.stdout)[1:]
    assert len(printed) == len(recipes())
    assert all(printed), "each recipe shows something"
