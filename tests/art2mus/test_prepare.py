"""Preparing a release: what is cached is what the models say, whoever was killed or waited."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from filelock import FileLock
from torch.utils.data import DataLoader

from art2mus.backbone import Backbone
from art2mus.conditioning import NEGATIVE_PROMPT, PROMPT, PromptEncoder
from art2mus.data import Release, open_release
from art2mus.data.build_caches import ahead
from art2mus.data.caches import ArrayCache
from art2mus.data.prepare import Prepared, prepare
from art2mus.encoders import VisualEncoder
from art2mus.mel import log_mel, training_clip
from art2mus.training.aligner_inputs import AlignerInputs
from art2mus.training.examples import Examples
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.models.tiny_clip import DIMENSION, write_clip
from tests.tiny_release import write_tiny_manifest, write_tiny_release

ROWS = 9
Prepare = Callable[..., Prepared]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone, an encoder, and a release whose row 7 has the media of row 2."""
    folder = tmp_path_factory.mktemp("prepare")
    write_tiny_backbone(folder / "backbone")
    write_clip(folder / "clip")
    write_tiny_release(folder / "release", pairs=ROWS, shards=2, seconds=11.0)
    second = folder / "release/data/train-00001-of-00002.parquet"
    first = pq.read_table(folder / "release/data/train-00000-of-00002.parquet").to_pylist()
    table = pq.read_table(second)
    rows = table.to_pylist()
    rows[2] |= {name: first[2][name] for name in ("image", "audio")}
    pq.write_table(type(table).from_pylist(rows, table.schema), second, row_group_size=2)
    write_tiny_manifest(folder / "release")
    return folder


@pytest.fixture(scope="module")
def backbone(place: Path) -> Backbone:
    return Backbone.open(place / "backbone")


@pytest.fixture(scope="module")
def encoder(place: Path) -> VisualEncoder:
    return VisualEncoder.load("clip", checkpoint=str(place / "clip"))


@pytest.fixture(scope="module")
def run(place: Path, backbone: Backbone, encoder: VisualEncoder) -> Prepare:
    def call(cache: Path, splits: tuple[str, ...] = ("train", "test"), **options: Any) -> Prepared:
        release = options.pop("release", None) or open_release(place / "release")
        chosen: dict[str, Any] = {"backbone": backbone, "encoder": encoder, "batch": 2} | options
        return prepare(release, splits, cache=cache, **chosen)

    return call


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, run: Prepare) -> Path:
    """A cache of both splits, built in one go."""
    folder = tmp_path_factory.mktemp("cache")
    run(folder)
    return folder


def _files(cache: Path) -> dict[str, str]:
    return {
        path.relative_to(cache).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(cache.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_what_is_cached_is_what_the_models_say(
    place: Path, tmp_path: Path, run: Prepare, backbone: Backbone, encoder: VisualEncoder
) -> None:
    said: list[tuple[str, int, int]] = []
    prepared = run(tmp_path / "c", progress=lambda *told: said.append(told))
    assert prepared.splits == {"train": ROWS, "test": 1}
    assert said[-1] == ("caches of test", 1, 1)
    assert [told for told in said if "train" in told[0]][-1] == ("caches of train", ROWS, ROWS)
    for split in ("train", "test"):
        for media in open_release(place / "release").media(split):
            moments = torch.tensor(prepared.moments(split)[media.row])
            embedding = torch.tensor(prepared.embeddings(split)[media.row])
            samples, rate = media.audio()
            spectrogram = log_mel(training_clip(torch.from_numpy(samples), rate))
            latents = backbone.vae.encode(spectrogram[:, None]).latent_dist
            wanted = torch.cat([latents.mean, latents.logvar], dim=1)[0]
            assert moments.shape == (16, 256, 16)
            assert moments.dtype == torch.float16
            torch.testing.assert_close(moments.float(), wanted, atol=1e-3, rtol=1e-3)
            assert embedding.shape == (DIMENSION,)
            torch.testing.assert_close(embedding, encoder.embed([media.image()])[0])
    texts = PromptEncoder(backbone)
    for mine, wanted in zip(prepared.prompt, texts.text([PROMPT]), strict=True):
        torch.testing.assert_close(mine, wanted)
    away = texts.negative([NEGATIVE_PROMPT])
    torch.testing.assert_close(prepared.negative.loa, away.loa)
    torch.testing.assert_close(prepared.negative.text, away.text)
    assert torch.equal(prepared.negative.text_mask, away.text_mask)


def test_the_negative_goes_by_the_recipes_prompt(
    tmp_path: Path, run: Prepare, cache: Path, backbone: Backbone
) -> None:
    shutil.copytree(cache, tmp_path / "c")
    prompt = f"{PROMPT}, in its own style"
    away = run(tmp_path / "c", prompt=prompt).negative
    wanted = PromptEncoder(backbone).negative([NEGATIVE_PROMPT], prompt=prompt)
    torch.testing.assert_close(away.loa, wanted.loa)
    assert away.text.shape == wanted.text.shape
    assert away.text.shape[1] > run(tmp_path / "c").negative.text.shape[1]


def test_equal_media_are_computed_once(cache: Path, run: Prepare) -> None:
    prepared = run(cache)
    for view in (prepared.moments("train"), prepared.embeddings("train")):
        np.testing.assert_array_equal(view[2], view[7])
        assert not np.array_equal(view[2], view[6])
        held = np.prod(view.shape) * view.dtype.itemsize
        assert view.path.stat().st_size == ROWS * held  # 9 + 1 rows, of which one is a copy
        assert ArrayCache.stored(view.path.parent) == (view.shape, view.dtype)


def test_a_second_run_reads_and_computes_nothing(place: Path, cache: Path, run: Prepare) -> None:
    before = _files(cache)
    said: list[object] = []
    fresh = Backbone.open(place / "backbone")

    class Sealed(Release):
        def media(self, *_: object, **__: object) -> Iterator[Any]:
            raise AssertionError("media are read")

    release = Sealed(open_release(place / "release").shards)
    run(cache, release=release, backbone=fresh, progress=lambda *told: said.append(told))
    assert said == []
    assert fresh._loaded == {}
    assert _files(cache) == before


def test_other_models_have_other_caches(place: Path, tmp_path: Path, run: Prepare) -> None:
    cache = tmp_path / "c"
    run(cache, ("test",))
    before = _files(cache)
    other = Backbone.open(write_tiny_backbone(tmp_path / "other", seed=1))
    second = run(cache, ("test",), backbone=other)
    half = Backbone.open(place / "backbone", dtype=torch.bfloat16)
    third = run(cache, ("test",), backbone=half)
    after = _files(cache)
    assert before.items() <= after.items()
    assert len(list((cache / "moments").iterdir())) == 3
    assert len(list((cache / "embeddings").iterdir())) == 1
    assert len(list((cache / "prompts").iterdir())) == 3
    assert not np.array_equal(second.moments("test")[0], third.moments("test")[0])
    run(cache, ("test",), prompt="Something else")
    assert len(list((cache / "prompts").iterdir())) == 4


def test_music_is_embedded_where_it_is_asked_for(place: Path, tmp_path: Path, run: Prepare) -> None:
    lite = VisualEncoder.load("lite")
    without = run(tmp_path / "c", encoder=lite)
    before = _files(tmp_path / "c")
    with pytest.raises(UsageError, match="'train' was not prepared"):
        without.music("train")
    said: list[tuple[str, int, int]] = []
    prepared = run(
        tmp_path / "c", encoder=lite, music=["train"], progress=lambda *told: said.append(told)
    )
    after = _files(tmp_path / "c")
    assert before.items() <= after.items()  # the rest was there already
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"music"}
    assert said[-1] == ("caches of train", ROWS, ROWS)
    for media in open_release(place / "release").media("train"):
        samples, rate = media.audio()
        clip = training_clip(torch.from_numpy(samples), rate)
        assert clip[16_000:].abs().max() == 0 < clip[:16_000].abs().max()  # 11 s, from 10 s on
        (wanted,) = lite.embedder.embed_audio([clip[:48_000].numpy()], 16_000)
        found = prepared.music("train")[media.row]
        assert found == pytest.approx(wanted, abs=1e-5)
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(prepared.music("train")[7], prepared.music("train")[2])
    with pytest.raises(UsageError, match="'test' was not prepared"):
        prepared.music("test")
    with pytest.raises(UsageError, match="music of the split 'valid', which is not prepared"):
        run(tmp_path / "c", encoder=lite, music=["train", "valid"])


def test_music_that_was_stopped_goes_on_to_the_same_bytes(
    place: Path, tmp_path: Path, run: Prepare
) -> None:
    lite = VisualEncoder.load("lite")

    def stop(_: str, done: int, __: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    for name in ("whole", "stopped"):
        with pytest.raises(KeyboardInterrupt) if name == "stopped" else nullcontext():
            report = stop if name == "stopped" else lambda *_: None
            run(tmp_path / name, ("train",), encoder=lite, music=["train"], progress=report)
    (partial,) = (tmp_path / "stopped/music").iterdir()
    assert 0 < (partial / "keys.txt").read_text().count("\n") < 4
    run(tmp_path / "stopped", ("train",), encoder=lite, music=["train"])
    assert _files(tmp_path / "stopped") == _files(tmp_path / "whole")


def test_a_changed_release_computes_only_what_is_new(
    place: Path, tmp_path: Path, run: Prepare
) -> None:
    run(tmp_path / "c")
    moments = next((tmp_path / "c/moments").iterdir()) / "keys.txt"
    lines = moments.read_text().split()
    larger = write_tiny_release(tmp_path / "larger", pairs=ROWS + 3, shards=1, seconds=11.0)
    prepared = run(tmp_path / "c", ("train",), release=open_release(larger))
    assert prepared.splits == {"train": ROWS + 3}
    now = moments.read_text().split()
    assert now[: len(lines)] == lines
    assert len(now) == len(lines) + 3  # row 7's own, and the two that are in neither split


def test_workers_read_the_maps(cache: Path, run: Prepare) -> None:
    prepared = run(cache)
    rows = Examples(prepared.moments("train"), AlignerInputs(prepared.embeddings("train")), seed=0)
    whole = {n: rows[0, n] for n in range(ROWS)}
    sent = pickle.dumps(rows)  # as a worker that is spawned gets it
    assert len(sent) < 5000
    batches = [[(0, n) for n in part] for part in ([0, 1, 2, 3], [4, 5, 6, 7], [8])]
    options: dict[str, Any] = {"batch_sampler": batches}
    loader: Any = DataLoader(rows, num_workers=2, **options)
    read = [*loader, *DataLoader(pickle.loads(sent), **options)]
    for asked, batch in zip([*batches, *batches], read, strict=True):
        for at, (_, row) in enumerate(asked):
            for name in ("moments", "embedding", "noise"):
                assert torch.equal(batch[name][at], whole[row][name])


_CLIENT = """
import sys
from pathlib import Path
from art2mus.backbone import Backbone
from art2mus.data import open_release
from art2mus.encoders import VisualEncoder
from art2mus.data.prepare import prepare
place, cache = Path(sys.argv[1]), Path(sys.argv[2])
encoder = VisualEncoder.load("clip", checkpoint=str(place / "clip"))
prepared = prepare(open_release(place / "release"), ["train", "test"],
                   Backbone.open(place / "backbone"), encoder, cache=cache, batch=2)
print(float(prepared.moments("train")[:].astype("float64").sum()))
"""


def _start(place: Path, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _CLIENT, str(place), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _committed(cache: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in cache.glob("moments/*/keys.txt"))


def _reaches(process: subprocess.Popen[str], cache: Path, batches: int) -> None:
    """Wait until so many batches of latents are committed."""
    while process.poll() is None and _committed(cache) < batches:
        time.sleep(0.001)


def test_killed_and_continued_by_two_processes_it_is_the_same_bytes(
    place: Path, tmp_path: Path, run: Prepare
) -> None:
    # Also in a process of its own: the last bits of a network's output depend on the threads and
    # the memory that a process has, and this one has run other tests.
    cache = tmp_path / "whole"
    _start(place, cache).communicate()
    killed = tmp_path / "killed"
    process = _start(place, killed)
    _reaches(process, killed, 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    after = _committed(killed)
    assert 1 <= after < _committed(cache)
    process = _start(place, killed)
    _reaches(process, killed, after + 1)
    mine = run(killed)  # waits for the other, or takes over what it has left
    assert float(process.communicate()[0]) == float(mine.moments("train")[:].astype(float).sum())
    assert process.returncode == 0
    assert _files(killed) == _files(cache)


def test_who_waits_for_another_process_says_how_far_it_is(
    place: Path, tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("art2mus.data.prepare._TELL_S", 0.05)
    cache = tmp_path / "c"
    cache.mkdir()
    other = FileLock(cache / ".lock", is_singleton=False)
    other.acquire()
    said: list[tuple[str, int, int]] = []

    def told(*what: Any) -> None:
        said.append(what)
        if len(said) == 3:
            other.release()

    assert run(cache, progress=told).splits == {"train": ROWS, "test": 1}
    assert said[:3] == [("caches, by another process", 0, ROWS + 1)] * 3
    assert said[3] == ("caches of train", 1, ROWS)
    # All but the music of the training split is there: the test split's row is ready.
    said.clear()
    other.acquire()
    assert run(cache, encoder=VisualEncoder.load("lite"), music=["train"], progress=told).splits
    assert said[:3] == [("caches, by another process", 0, ROWS + 1)] * 3  # another encoder's
    said.clear()
    other.acquire()
    shutil.rmtree(next((cache / "music").iterdir()))
    assert run(cache, encoder=VisualEncoder.load("lite"), music=["train"], progress=told).splits
    assert said[:3] == [("caches, by another process", 1, ROWS + 1)] * 3


def test_what_cannot_be_prepared_is_one_line(
    place: Path, tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = write_tiny_release(tmp_path / "broken", pairs=4, shards=1, seconds=11.0)
    path = broken / "data/train-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[3]["audio"]["bytes"] = b"nothing that sounds"
    pq.write_table(type(table).from_pylist(rows, table.schema), path)
    with pytest.raises(ArtsoundError, match=r"pair 000003-tiny .*audio cannot be decoded"):
        run(tmp_path / "c", ("train",), release=open_release(broken))
    keys = next((tmp_path / "c/moments").iterdir()) / "keys.txt"
    assert len(keys.read_text().split()) == 2  # the batch before it stays
    bare = write_tiny_release(tmp_path / "bare", pairs=4, shards=1, seconds=1.0)
    for file in bare.glob("data/*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(["image", "audio"]), file)
    with pytest.raises(UsageError, match="artsound hydrate"):
        run(tmp_path / "d", ("train",), release=open_release(bare))
    with pytest.raises(UsageError, match="no split 'valid'"):
        run(tmp_path / "d", ("train", "valid"))
    assert not (tmp_path / "d").exists()
    with pytest.raises(UsageError, match="'test' was not prepared: there is train"):
        run(tmp_path / "c", ("train",)).moments("test")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(ArtsoundError, match="name a cache folder on a larger one"):
        run(tmp_path / "e", ("train",))


def test_latents_that_are_not_finite_are_refused(place: Path, tmp_path: Path, run: Prepare) -> None:
    damaged = Backbone.open(place / "backbone")
    with torch.no_grad():
        next(damaged.vae.parameters()).fill_(float("nan"))
    with pytest.raises(ArtsoundError, match="not finite"):
        run(tmp_path / "c", ("test",), backbone=damaged)
    assert not list((tmp_path / "c").glob("moments/*/keys.txt"))


def test_threads_work_ahead_in_order_and_no_further() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(30):
            taken.append(number)
            yield number

    found = []
    for value in ahead(lambda number: number * 2, source(), 3, 4):
        found.append(value)
        assert len(taken) <= len(found) + 4
    assert found == [2 * number for number in range(30)]
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda number: 1 // number, [1, 0, 1], 2, 2))
