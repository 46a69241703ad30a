"""Weights are told by their content: equal ones are the same wherever they lie, others are not."""

from __future__ import annotations

import hashlib
import shutil
from importlib import resources
from pathlib import Path

from art2mus.benchmark.embedders import registry
from art2mus.benchmark.embedders.content import conse_content, content, together
from tests.art2mus.benchmark import checkpoints


def folder_of(path: Path, weights: bytes = b"weights") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    return path


def test_a_file_is_told_by_its_own_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"weights")
    assert content(path) == hashlib.sha256(b"weights").hexdigest()
    assert together({"": "ab"}) == "ab"
    assert together({"": "ab", "pca": "cd"}) != together({"": "cd", "pca": "ab"})


def test_a_snapshot_of_the_hub_and_a_copy_of_it_are_the_same(tmp_path: Path) -> None:
    blobs = folder_of(tmp_path / "blobs")
    snapshot = tmp_path / "models--m-a-p--MERT-v1-95M" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in blobs.iterdir():
        (snapshot / file.name).symlink_to(file)
    copy = folder_of(tmp_path / "copy")
    (copy / "README.md").write_text("the model card")
    (copy / "pytorch_model.bin").write_bytes(b"the same, in the other format")
    assert content(snapshot) == content(copy)
    assert content(folder_of(tmp_path / "other", b"other weights")) != content(copy)
    (copy / "config.json").write_text('{"layers": 3}')
    assert content(snapshot) != content(copy)


def test_lite_weights_are_told_by_their_files() -> None:
    data = resources.files("artsound.models.lite") / "data" / "musicnn" / "mtt.safetensors"
    expected = hashlib.sha256(data.read_bytes()).hexdigest()
    loaded = registry.load("lite-musicnn")
    assert loaded.weights == expected
    assert expected in loaded.embedder.fingerprint
    conse = registry.load("lite-conse")
    assert conse.weights == conse_content()
    assert conse.weights in conse.embedder.fingerprint
    assert registry.load("spectrum").weights == "none"


def test_given_weights_are_told_by_their_content(tmp_path: Path) -> None:
    path = checkpoints.write(tmp_path / "vggish-10086976.pth", checkpoints.vggish())
    copied = shutil.copy(path, tmp_path / "renamed.pth")
    loaded = [registry.load("vggish", {"vggish": str(one)}) for one in (path, copied)]
    assert loaded[0].weights == loaded[1].weights == content(path)
    assert loaded[0].embedder.fingerprint == loaded[1].embedder.fingerprint
