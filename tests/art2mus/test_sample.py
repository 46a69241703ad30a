"""`art2mus sample`: names, records, resuming, real killed processes, bad input."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from art2mus.sampling.inputs import SUFFIXES, Artwork, FileInputs, ReleaseInputs, safe_name
from art2mus.sampling.loudness import encode
from art2mus.sampling.page.own import OwnFiles
from art2mus.sampling.records import FORMAT, plan
from art2mus.sampling.sample import LOCK, sample
from art2mus.sampling.settings import SampleSettings
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.art2mus.tiny_checkpoint import write_tiny_checkpoint
from tests.tiny_release import write_tiny_release

QUICK = SampleSettings(steps=2, duration_s=0.32)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name in ("cat.jpg", "dog.png", "more/cat.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(path)
    (folder / "notes.txt").write_text("no artwork")
    (folder / ".hidden.png").write_text("hidden")
    return folder


def record(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK
    }


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "art2mus.cli", "sample", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def test_a_folder_of_artworks(checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps: list[tuple[str, int, int]] = []
    done = sample(
        checkpoint,
        FileInputs([str(pictures)]),
        out,
        QUICK,
        batch=2,
        progress=lambda *told: steps.append(told),
    )
    # `more/cat.png` comes after `cat.jpg`, whose name it may not take.
    assert done.made == ["cat", "dog", "cat-2"]
    assert done.there == []
    assert [step for step in steps if step[0] == "sampling"][-1] == ("sampling", 6, 6)
    for name in done.made:
        samples, rate = soundfile.read(out / f"{name}.wav")
        assert (len(samples), rate) == (5120, 16_000)
        assert soundfile.info(out / f"{name}.wav").subtype == "PCM_16"
    about = record(out, "cat-2")
    assert about["format"] == FORMAT
    assert about["image"] == str(pictures / "more/cat.png")
    assert about["seed"] == 0
    assert about["settings"]["steps"] == 2
    assert about["settings"]["negative_prompt"] == "Low quality"
    assert about["checkpoint"]["encoder"] == "lite-conse"
    assert len(about["checkpoint"]["aligner_sha256"]) == 64
    assert about["toy_prior"] is False
    assert "licences" in about["licence_note"]
    before = contents(out)
    again = sample(checkpoint, FileInputs([str(pictures)]), out, QUICK, batch=2)
    assert (again.made, again.there) == ([], ["cat", "dog", "cat-2"])
    assert contents(out) == before
    # In another batch and alone the music is the same but for rounding.
    alone = sample(checkpoint, FileInputs([str(pictures / "dog.png")]), tmp_path / "alone", QUICK)
    assert alone.made == ["dog"]
    one = soundfile.read(tmp_path / "alone/dog.wav")[0]
    np.testing.assert_allclose(one, soundfile.read(out / "dog.wav")[0], atol=2e-4)


def test_grid_scores_and_flac(checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inputs = FileInputs([str(pictures / "cat.jpg")])
    settings = SampleSettings(steps=1, duration_s=3.0, format="flac")
    done = sample(checkpoint, inputs, out, settings, seeds=(5, 6))
    assert done.made == ["cat-seed5", "cat-seed6"]
    assert record(out, "cat-seed5")["scores"] == {}
    sounds = [(out / f"{name}.flac").read_bytes() for name in done.made]
    assert sounds[0] != sounds[1]
    scored = sample(checkpoint, inputs, out, settings, seeds=(5, 6), rank_by="encoder")
    assert scored.made == []
    values = [record(out, name)["scores"]["lite-conse"] for name in done.made]
    assert all(-1 <= value <= 1 for value in values)
    assert [(out / f"{name}.flac").read_bytes() for name in done.made] == sounds
    wider = sample(checkpoint, inputs, out, settings, seeds=(5, 6, 7), rank_by="encoder")
    assert (wider.made, wider.there) == (["cat-seed7"], ["cat-seed5", "cat-seed6"])


def test_other_settings_are_not_overwritten(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    inputs = FileInputs([str(pictures / "dog.png")])
    sample(checkpoint, inputs, out, QUICK, page=False)
    before = contents(out)
    assert set(before) == {"dog.json", "dog.wav"}
    other = SampleSettings(steps=3, duration_s=0.32, format="flac")
    with pytest.raises(UsageError, match=r"steps \(2, now 3\): give another --out, or --overwrite"):
        sample(checkpoint, inputs, out, other)
    with pytest.raises(UsageError, match=r"seed \(0, now 1\)"):
        sample(checkpoint, inputs, out, QUICK, seeds=(1,))
    assert contents(out) == before
    sample(checkpoint, inputs, out, other, overwrite=True, page=False)
    assert set(contents(out)) == {"dog.json", "dog.flac"}
    # The same checkpoint under another name makes the same.
    moved = tmp_path / "moved"
    moved.symlink_to(checkpoint)
    assert sample(moved, inputs, out, other).there == ["dog"]


def test_a_sound_of_somebody_else_is_not_overwritten(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    inputs = FileInputs([str(pictures / "dog.png")])
    sample(checkpoint, inputs, out, QUICK, page=False)
    (out / "dog.flac").write_text("theirs")
    other = SampleSettings(steps=1, duration_s=0.32, format="flac")
    with pytest.raises(UsageError, match=r"dog\.flac is not of dog\.json: move it away"):
        sample(checkpoint, inputs, out, other, overwrite=True, page=False)
    assert (out / "dog.flac").read_text() == "theirs"
    assert (out / "dog.wav").is_file()


def test_a_folder_with_other_peoples_files(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    theirs = {"page/chapter1.html": b"theirs", "page/old.png": b"theirs", "notes.json": b"{}"}
    for name, content in theirs.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)
    inputs = FileInputs([str(pictures / "dog.png"), str(pictures / "cat.jpg")])
    sample(checkpoint, inputs, site, QUICK)
    made = contents(site).keys() - theirs.keys()
    assert {"index.html", "dog.wav", "page/style.css", "page/files.json"} <= made
    (site / "dog.wav").unlink()
    sample(checkpoint, FileInputs([str(pictures / "cat.jpg")]), site, QUICK)
    after = contents(site)
    assert {name: after[name] for name in theirs} == theirs
    # The dog's thumbnail and spectrogram went, and all else of the page is there.
    assert len(made - after.keys()) == 3
    # The page's pictures are no artworks to those who sample the folder; other people's are.
    Image.new("RGB", (40, 40)).save(site / "page/old.png")
    found = FileInputs([str(site)], without=OwnFiles(site).paths())
    assert [artwork.stem for artwork in found.artworks] == ["old"]


@pytest.mark.parametrize("name", ["index.html", "page/style.css", "page/files.json", "page"])
def test_a_page_of_somebody_else_is_refused_before_anything_is_done(
    checkpoint: Path, pictures: Path, tmp_path: Path, name: str
) -> None:
    site = tmp_path / "site"
    (site / name).parent.mkdir(parents=True)
    (site / name).write_text("theirs")
    inputs = FileInputs([str(pictures / "dog.png")])
    with pytest.raises(ArtsoundError, match=r"give another --out") as caught:
        sample(checkpoint, inputs, site, QUICK)
    assert "\n" not in str(caught.value)
    assert contents(site) == {name: b"theirs"}
    if name == "index.html":
        sample(checkpoint, inputs, site, QUICK, page=False)
        assert set(contents(site)) == {name, "dog.wav", "dog.json"}


def test_a_list_that_points_outside_is_refused(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("theirs")
    listed = {"kind": "art2mus page of samples", "files": ["page/../../thesis.txt"]}
    (tmp_path / "out/page").mkdir(parents=True)
    (tmp_path / "out/page/files.json").write_text(json.dumps(listed))
    with pytest.raises(ArtsoundError, match="no file of a page"):
        sample(checkpoint, FileInputs([str(pictures / "dog.png")]), tmp_path / "out", QUICK)
    assert (tmp_path / "thesis.txt").is_file()


def test_two_commands_at_once(checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inputs = FileInputs([str(pictures / "dog.png")])
    refused: list[str] = []

    def second(what: str, done: int, total: int) -> None:
        if not refused:
            with pytest.raises(ArtsoundError, match="another `art2mus sample` is writing") as error:
                sample(checkpoint, inputs, out, QUICK)
            refused.append(str(error.value))

    assert sample(checkpoint, inputs, out, QUICK, progress=second).made == ["dog"]
    assert len(refused) == 1
    assert "\n" not in refused[0]
    assert sample(checkpoint, inputs, out, QUICK).there == ["dog"]


def test_a_release_is_named_by_its_pairs(checkpoint: Path, tmp_path: Path) -> None:
    from art2mus.data import open_release

    release = open_release(write_tiny_release(tmp_path / "release", pairs=4))
    inputs = ReleaseInputs(release, "train", limit=3)
    done = sample(checkpoint, inputs, tmp_path / "out", QUICK, seeds=(0,), batch=2)
    assert done.made == ["000000-tiny", "000001-tiny", "000002-tiny"]
    about = record(tmp_path / "out", "000001-tiny")
    assert about["release"]["artwork_caption"] == "A painting, number 1"
    with pytest.raises(UsageError, match="no split 'valid'"):
        ReleaseInputs(release, "valid")


NAMES = st.sampled_from(["a", "A", "a-2", "b", "a-seed0"])


@given(
    st.lists(st.tuples(NAMES, st.integers(0, 5)), min_size=1, max_size=8),
    st.sampled_from([(0,), (0, 1)]),
)
def test_every_sound_has_a_name_of_its_own(
    tmp_path_factory: pytest.TempPathFactory,
    given_images: list[tuple[str, int]],
    seeds: tuple[int, ...],
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    (folder / "b.wav").write_bytes(b"somebody's")
    artworks = [Artwork(f"{stem}.png", stem, str(digest)) for stem, digest in given_images]
    wanted: dict[str, Any] = {"checkpoint": {}, "settings": {}}
    items = plan(folder, artworks, seeds, wanted, overwrite=False)
    names = [item.name.lower() for item in items]
    assert len(set(names)) == len(names)
    assert "b" not in names
    assert items == plan(folder, artworks, seeds, wanted, overwrite=False)
    distinct = {(stem.lower(), digest) for stem, digest in given_images}
    assert len(items) == len(seeds) * len(distinct)


def test_names_stay_with_their_images(tmp_path: Path) -> None:
    """Whoever comes second in a later command does not take the first one's name."""
    settings = {"format": "wav"}
    wanted: dict[str, Any] = {"checkpoint": {}, "settings": settings}
    first, second = Artwork("x/a.png", "a", "1"), Artwork("y/a.png", "a", "2")
    for item in plan(tmp_path, [first, second], (0,), wanted, overwrite=False):
        about = {"format": FORMAT, "image_sha256": item.artwork.sha256, "seed": 0, **wanted}
        (tmp_path / f"{item.name}.json").write_text(json.dumps(about))
        (tmp_path / f"{item.name}.wav").write_bytes(b"")
    (alone,) = plan(tmp_path, [second], (0,), wanted, overwrite=False)
    assert (alone.name, alone.done) == ("a-2", True)


@given(st.text(max_size=200))
def test_safe_names_are_names(text: str) -> None:
    name = safe_name(text)
    assert name
    assert len(name) <= 100
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert name == name.strip(" .")


@given(st.lists(st.floats(-4, 4, width=32), max_size=50), st.sampled_from(["wav", "flac"]))
def test_encoding_never_clips(values: list[float], kind: Any) -> None:
    wave = np.asarray([*values, 0.5], np.float32)
    file = encode(wave, 16_000, kind)
    back, _ = soundfile.read(io.BytesIO(file.data), dtype="int16")
    gain = min(1.0, 1 / float(np.abs(wave).max()))
    np.testing.assert_allclose(back, wave.astype(np.float64) * gain * 32767, atol=0.51)
    assert file.gain_db == pytest.approx(20 * np.log10(gain), abs=1e-3)


def test_bad_input_ends_before_anything_is_loaded(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "readme.txt").write_text("nothing")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((pictures / "cat.jpg").read_bytes()[:200])
    for images, kind, message in (
        ([str(empty)], UsageError, "no artwork in"),
        ([str(tmp_path / "none.jpg")], UsageError, "no such file"),
        ([str(tmp_path / "*.gif")], UsageError, "nothing matches"),
        ([], UsageError, "no images"),
        ([str(pictures), str(broken)], ArtsoundError, "broken.jpg is no image"),
    ):
        with pytest.raises(kind, match=message):
            FileInputs(images)
    inputs = FileInputs([str(pictures / "dog.png")])
    out = tmp_path / "out"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"checkpoint": tmp_path / "none"}, "no checkpoint"),
        ({"checkpoint": empty}, "no Art2Mus checkpoint"),
        ({"encoder": "clip"}, "lite-conse"),
        ({"encoder": "clop"}, "unknown embedder"),
        ({"rank_by": "clip"}, "embeds no music"),
        ({"backbone": empty}, "empty"),
        ({"settings": SampleSettings(steps=0)}, "steps = 0"),
        ({"settings": SampleSettings(duration_s=-1)}, "duration = -1"),
        ({"settings": SampleSettings(scheduler="euler")}, "scheduler 'euler'"),
        ({"settings": SampleSettings(duration_s=1e7)}, "duration = 10000000.0: give 0.1 to 600"),
        ({"settings": SampleSettings(duration_s=0.001)}, "duration = 0.001"),
        ({"settings": SampleSettings(guidance=float("inf"))}, "guidance = inf"),
        ({"seeds": (2**63 - 1, 2**63)}, "seed 9223372036854775808"),
        ({"seeds": (3, 3)}, "none of them twice"),
        ({"batch": 0}, "batch = 0"),
    ]
    for options, message in cases:
        arguments: dict[str, Any] = {"checkpoint": checkpoint, "settings": QUICK, **options}
        with pytest.raises(ArtsoundError, match=message) as caught:
            sample(arguments.pop("checkpoint"), inputs, out, **arguments)
        assert "\n" not in str(caught.value)
    assert not out.exists()


def test_patterns_and_folders(pictures: Path) -> None:
    def stems(*given: str) -> list[str]:
        return [artwork.stem for artwork in FileInputs(list(given)).artworks]

    assert stems(str(pictures)) == ["cat", "dog", "cat"]
    assert stems(str(pictures / "*.png")) == ["dog"]
    assert stems(str(pictures / "**/*.png")) == ["dog", "cat"]
    assert stems(str(pictures / "dog.png"), str(pictures / "d*")) == ["dog"]
    assert ".svg" not in SUFFIXES


def test_a_toy_prior_is_labelled(pictures: Path, tmp_path: Path) -> None:
    backbone = write_tiny_backbone(tmp_path / "toy")
    index = backbone / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "art2mus_toy": True}))
    checkpoint = write_tiny_checkpoint(tmp_path, backbone)
    done = sample(checkpoint, FileInputs([str(pictures / "dog.png")]), tmp_path / "out", QUICK)
    assert done.toy
    assert record(tmp_path / "out", "dog")["toy_prior"] is True
    assert "Toy prior." in (tmp_path / "out/index.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_command_leaves_whole_files_and_goes_on(
    checkpoint: Path, pictures: Path, tmp_path: Path, number: signal.Signals
) -> None:
    settings = SampleSettings(steps=3, duration_s=0.32)
    inputs = FileInputs([str(pictures)])
    whole, out = tmp_path / "whole", tmp_path / "out"
    sample(checkpoint, inputs, whole, settings, seeds=(0, 1))
    options = ("--batch", "1", "--steps", "3", "--duration", "0.32", "--grid", "2")
    command = [sys.executable, "-m", "art2mus.cli", "sample", str(checkpoint), str(pictures)]
    process = subprocess.Popen(
        [*command, *options, "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell would hand down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until = time.monotonic() + 180
    while not list(out.glob("[!.]*.wav")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    made = list(out.glob("[!.]*.wav"))
    assert made
    for path in made:
        assert path.read_bytes() == (whole / path.name).read_bytes()
        assert json.loads(path.with_suffix(".json").read_text())["format"] == FORMAT
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "stopped; run the same command again to continue" in said
        assert not list(out.rglob(".tmp-*"))
    done = sample(checkpoint, inputs, out, settings, seeds=(0, 1))
    assert len(done.made) + len(done.there) == 6
    assert done.there
    assert contents(out) == contents(whole)


def test_command_line(checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    done = run(checkpoint, "dog.png", "--out", tmp_path / "out", "--steps", "1", "--duration",
               "0.32", cwd=pictures)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "made 1 sound in" in done.stdout
    assert "sampling: 1 of 1" in done.stderr
    assert "\n\n" not in done.stderr
    assert f"open {tmp_path / 'out/index.html'}" in done.stdout
    failures: list[tuple[tuple[str | Path, ...], int, str]] = [
        ((checkpoint, "none.png"), 2, "no such file"),
        ((checkpoint, "notes.txt"), 1, "no image that can be used"),
        ((tmp_path / "none", "dog.png"), 2, "no checkpoint"),
    ]
    for arguments, code, message in failures:
        failed = run(*arguments, "--out", tmp_path / "no", cwd=pictures)
        assert failed.returncode == code, failed.stderr
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_bad_image_in_a_folder_is_left_out_and_said(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "art.png").write_bytes((pictures / "dog.png").read_bytes())
    (mixed / "bad.jpg").write_bytes(b"no image")
    for several in (mixed, mixed / "*"):
        inputs = FileInputs([str(several)])
        assert [artwork.stem for artwork in inputs.artworks] == ["art"]
        assert len(inputs.skipped) == 1
        assert "bad.jpg is no image that can be used" in inputs.skipped[0]
    for named in ([str(mixed / "bad.jpg")], [str(mixed), str(mixed / "bad.jpg")]):
        with pytest.raises(ArtsoundError, match=r"bad.jpg is no image"):
            FileInputs(named)
    done = run(checkpoint, mixed, "--out", tmp_path / "out", "--steps", "1", "--duration", "0.32")
    assert done.returncode == 1
    assert (tmp_path / "out/art.wav").is_file()
    assert "made 1 sound in" in done.stdout
    assert "bad.jpg is no image that can be used" in done.stderr
    assert "left out 1 of 2 images" in done.stderr.splitlines()[-1]
    (mixed / "art.png").unlink()
    with pytest.raises(ArtsoundError, match=r"bad.jpg is no image"):
        FileInputs([str(mixed)])
