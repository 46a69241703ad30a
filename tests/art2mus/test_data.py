"""Reading a release: from a folder and the Hub, and what is said of bad ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.data import Media, check_release, open_release
from artsound.errors import ArtsoundError, UsageError
from tests.hub import LocalHub
from tests.hub_store import Blob, Repo
from tests.tiny_release import RATE, samples, write_tiny_manifest, write_tiny_release


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 training rows in three files, of row groups of five; one test row."""
    folder = write_tiny_release(
        tmp_path_factory.mktemp("data") / "tiny", pairs=23, shards=3, seconds=0.1
    )
    for path in folder.glob("data/*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=5)
    write_tiny_manifest(folder)
    return folder


def _copy(tiny: Path, to: Path) -> Path:
    shutil.copytree(tiny, to)
    return to


def _facts(folder: Path, **facts: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_what_a_release_says_of_itself(tiny: Path, tmp_path: Path) -> None:
    release = open_release(str(tiny))
    assert (release.name, release.revision, release.version) == ("tiny", None, "")
    assert release.splits == {"train": 23, "test": 1}
    assert release.fingerprint == open_release(_copy(tiny, tmp_path / "elsewhere")).fingerprint
    other = write_tiny_release(tmp_path / "other", pairs=22, shards=3, seconds=0.1)
    assert release.fingerprint != open_release(other).fingerprint


def test_pairs_are_texts(tiny: Path) -> None:
    pairs = open_release(tiny).pairs("train")
    assert len(pairs) == 23
    assert [pair.pair_id for pair in pairs] == [f"{number:06d}-tiny" for number in range(23)]
    assert pairs[3].music_caption == "A tone, number 3"
    assert pairs[-1] == pairs[22] == pairs[20:][2]
    assert pairs[1].similarity == 0.1
    assert (pairs[0].style, pairs[0].artwork_id, pairs[0].track_id) == ("realism", "", -1)
    assert pairs.column("style")[:2] == ["realism", "baroque"]
    with pytest.raises(IndexError):
        pairs[23]


def _check(media: Media, number: int) -> None:
    assert media.row == number
    assert media.pair.pair_id == f"{number:06d}-tiny"
    music, rate = media.audio()
    wanted = samples(number, 0.1)
    assert rate == RATE
    assert music.dtype == np.float32
    assert music.flags.c_contiguous
    np.testing.assert_allclose(music, wanted.T if wanted.ndim == 2 else wanted[None], atol=2e-5)
    image = media.image()
    assert (image.mode, image.size) == ("RGB", (24, 32))


def test_media_in_order(tiny: Path) -> None:
    release = open_release(tiny)
    found = list(release.media("train"))
    assert len(found) == 23
    for number, media in enumerate(found):
        _check(media, number)
    assert len({media.audio_key for media in found} | {media.image_key for media in found}) == 46
    raw = pq.read_table(tiny / "data" / "train-00000-of-00003.parquet").to_pylist()[2]
    assert found[2].image_key == hashlib.sha256(raw["image"]["bytes"]).hexdigest()
    assert found[2].audio_key == hashlib.sha256(raw["audio"]["bytes"]).hexdigest()


@settings(max_examples=20)
@given(st.lists(st.integers(0, 22), max_size=12))
def test_rows_come_in_the_order_asked_for(tiny: Path, rows: list[int]) -> None:
    found = list(open_release(tiny).media("train", rows))
    assert [media.row for media in found] == rows
    assert [media.pair.pair_id for media in found] == [f"{row:06d}-tiny" for row in rows]


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    folder = write_tiny_release(tmp_path / "r", pairs=24, shards=2, seconds=20.0)
    for path in folder.glob("data/*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=1)
    whole = sum(path.stat().st_size for path in folder.glob("data/*.parquet"))
    release = open_release(folder)
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    keys = set()
    for media in release.media("train"):
        keys.add(media.audio_key)
        assert pa.total_allocated_bytes() - before < whole / 3
    assert len(keys) == 24
    assert tracemalloc.get_traced_memory()[1] < whole / 2
    tracemalloc.stop()
    (folder / "data/train-00001-of-00002.parquet").unlink()  # the first twelve are not in it
    assert next(iter(open_release(folder).media("train", [11]))).row == 11


def _refused(kind: type[ArtsoundError], call: object) -> str:
    assert callable(call)
    with pytest.raises(kind) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_what_is_no_release(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(where: str | Path, **options: str) -> str:
        return _refused(UsageError, lambda: open_release(where, **options))  # type: ignore[arg-type]

    assert "no manifest.json in it" in refused(tmp_path)
    assert "there is no such folder" in refused(tmp_path / "nowhere")
    assert "there is no such folder" in refused("./nowhere")
    assert "has no revisions" in refused(tiny, revision="v1")
    assert "NAMESPACE/NAME" in refused("a:b")
    monkeypatch.chdir(tiny.parent)
    assert open_release("tiny").splits["train"] == 23
    release = open_release(tiny)
    assert "no split 'trian': there is train, test" in _refused(
        UsageError, lambda: release.pairs("trian")
    )
    with pytest.raises(IndexError, match="no row 23"):
        list(release.media("train", [23]))
    for text in ("{", "[]", '{"files": 3}'):
        (tmp_path / "manifest.json").write_text(text)
        assert "get it again" in _refused(ArtsoundError, lambda: open_release(tmp_path))
    (tmp_path / "manifest.json").write_text('{"files": {}}')
    assert "no data/*.parquet" in _refused(UsageError, lambda: open_release(tmp_path).splits)


def test_a_release_is_checked_before_it_is_read(tiny: Path, tmp_path: Path) -> None:
    release = open_release(tiny)
    check_release(release, batch=23)
    assert "a batch of 24 is larger than its split train of 23 rows" in _refused(
        UsageError, lambda: check_release(release, batch=24)
    )
    assert "no split 'validation'" in _refused(
        UsageError, lambda: check_release(release, split="validation")
    )
    none = _copy(tiny, tmp_path / "none")
    for path in none.glob("data/*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(["audio"]), path)
    bare = open_release(none)
    line = _refused(UsageError, lambda: check_release(bare))
    assert "no audio" in line
    assert "artsound hydrate" in line
    assert "artsound hydrate" in _refused(UsageError, lambda: next(bare.media("train")))
    check_release(bare, needs_audio=False)
    _facts(none, media="none")
    stated = open_release(none)
    shutil.rmtree(none / "data")  # the manifest says it
    assert "artsound hydrate" in _refused(UsageError, lambda: check_release(stated))


def test_missing_and_damaged_media_are_named(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path / "holes")
    path = folder / "data/train-00001-of-00003.parquet"
    table = pq.read_table(path)
    music, pictures = table["audio"].to_pylist(), table["image"].to_pylist()
    music[1] = None
    music[2]["bytes"] = None
    music[3]["bytes"] = b"nothing that sounds"
    pictures[4]["bytes"] = pictures[4]["bytes"][:60]
    for name, cells in (("audio", music), ("image", pictures)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(cells, table.schema.field(name).type))
    pq.write_table(table, path, row_group_size=5)
    release = open_release(folder)
    assert "holes train: pair 000009-tiny has no audio: `artsound hydrate`" in _refused(
        ArtsoundError, lambda: check_release(release)
    )
    check_release(release, needs_audio=False)
    found = list(release.media("train", [9, 10, 11, 12]))
    assert [media.row for media in found] == [9, 10, 11, 12]
    for place in (0, 1):
        line = _refused(ArtsoundError, found[place].audio)
        assert f"pair {9 + place:06d}-tiny (row {9 + place}) has no audio" in line
        assert found[place].image().size == (24, 32)
    assert "its audio cannot be decoded" in _refused(ArtsoundError, found[2].audio)
    assert "pair 000012-tiny (row 12): its image cannot be decoded" in _refused(
        ArtsoundError, found[3].image
    )
    path.write_bytes(path.read_bytes()[:1000])
    assert "train-00001-of-00003.parquet is missing or damaged" in _refused(
        ArtsoundError, lambda: open_release(folder).pairs("train")
    )


_CLIENT = """
import sys
from art2mus.data import check_release, open_release
from artsound.errors import ArtsoundError
try:
    streaming = sys.argv[1] == "streaming"
    release = open_release(sys.argv[2], revision=sys.argv[3] or None, streaming=streaming)
    check_release(release, batch=8)
    print(release.name, release.revision, release.fingerprint)
    print(*(pair.pair_id for pair in release.pairs("test")))
    print(*(media.audio_key for media in release.media("train", [22, 3])))
    next(iter(release.media("train")))
except ArtsoundError as error:
    print(type(error).__name__, error)
"""


def test_a_release_on_the_hub(tiny: Path, tmp_path: Path) -> None:
    files = {
        path.relative_to(tiny).as_posix(): Blob(path.read_bytes(), path.suffix == ".parquet")
        for path in tiny.rglob("*")
        if path.is_file()
    }
    local = open_release(tiny)
    with LocalHub() as hub:
        repo = hub.repos["me/artsound"] = Repo(private=False)
        commit = repo.commit("main", files)
        repo.tags["v1"] = commit
        repo.commit("main", files | {"README.md": Blob(b"changed", lfs=False)})
        hub.repos["me/empty"] = Repo(private=False)
        hub.repos["me/empty"].commit("main", {"README.md": Blob(b"none", lfs=False)})

        def run(how: str, name: str, revision: str = "v1", home: str = "home") -> list[str]:
            done = subprocess.run(
                [sys.executable, "-c", _CLIENT, how, name, revision],
                env=hub.environment(tmp_path / home, None),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        wanted = [
            f"me/artsound {commit} {local.fingerprint}",
            "000023-tiny",
            " ".join(media.audio_key for media in local.media("train", [22, 3])),
        ]
        assert run("streaming", "me/artsound") == wanted
        assert not list((tmp_path / "home").rglob("*.parquet"))
        assert run("whole", "me/artsound") == wanted
        assert "UsageError me/artsound has no revision 'v9'" in run("whole", "me/artsound", "v9")[0]
        assert "me/nothing is neither a folder" in run("whole", "me/nothing", "")[0]
        assert "UsageError me/empty holds no release" in run("whole", "me/empty", "")[0]
        hub.extra["HF_HUB_OFFLINE"] = "1"
        assert run("whole", "me/artsound") == wanted
        assert "cannot be reached" in run("whole", "me/artsound", "v1", "elsewhere")[0]


@pytest.mark.slow
def test_the_samples_release(released: Path) -> None:
    release = open_release(released)
    check_release(release, batch=8)
    pairs = release.pairs("train")
    assert len(pairs) == release.splits["train"]
    for pair, media in zip(pairs, release.media("train"), strict=True):
        assert media.pair == pair
        assert pair.artwork_id
        assert pair.track_id > 0
        assert len(pair.music_caption) > 20
    music, rate = media.audio()
    assert music.shape[1] >= 5 * rate
