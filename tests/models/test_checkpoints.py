"""Checkpoint files: what is read, what is refused, and in which words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from artsound.models.checkpoints import CheckpointError, load_into, read_tensors
from artsound.models.digests import digest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ARTSOUND_CACHE", str(folder))
    return folder


def tensors() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def equal(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[k], wanted[k]) for k in wanted)


def test_safetensors_and_pickles_are_read_alike(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "w.safetensors")
    torch.save(tensors(), tmp_path / "w.pth")
    torch.save(tensors(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("w.safetensors", "w.pth", "old.pt"):
        assert equal(read_tensors(tmp_path / name), tensors())


def test_a_pickle_is_converted_once(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": tensors(), "epoch": 3}, path)
    nested = {f"state_dict.{name}": tensor for name, tensor in tensors().items()}
    assert equal(read_tensors(path), nested)
    [converted] = (cache / "converted").glob("*.safetensors")
    before = converted.stat().st_mtime_ns
    assert equal(read_tensors(path), nested)
    assert converted.stat().st_mtime_ns == before
    torch.save({"state_dict": {"b": torch.zeros(1)}}, path)
    assert read_tensors(path).keys() == {"state_dict.b"}


def test_tensors_that_share_storage_and_views_survive(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    torch.save({"whole": whole, "same": whole, "part": whole[3:6]}, tmp_path / "w.pth")
    found = read_tensors(tmp_path / "w.pth")
    assert torch.equal(found["same"], whole)
    assert torch.equal(found["part"], whole[3:6])


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"a": torch.ones(1), "b": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="could run code"):
        read_tensors(tmp_path / "w.pth")
    assert not (tmp_path / "harm").exists()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "w.safetensors")
    torch.save(tensors(), tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(CheckpointError, match=f"{name} is damaged.*download it again"):
            read_tensors(path)
    (tmp_path / "page.pth").write_text("<html>Not found</html>")
    with pytest.raises(CheckpointError, match=r"page\.pth is"):
        read_tensors(tmp_path / "page.pth")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_tensors(tmp_path / "empty.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        read_tensors(tmp_path / "nothing.pth")
    (tmp_path / "w.txt").write_text("")
    with pytest.raises(CheckpointError, match="is no checkpoint: expected"):
        read_tensors(tmp_path / "w.txt")


def test_loading_refuses_what_does_not_fit(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    good = {"weight": torch.zeros(2, 3), "bias": torch.ones(2)}
    load_into(module, good, tmp_path)
    assert torch.equal(module.bias, torch.ones(2))
    for wrong, said in (
        ({"weight": good["weight"]}, "bias is missing"),
        (good | {"more": torch.ones(1)}, "more is not expected"),
        (good | {"bias": torch.ones(3)}, r"bias has the shape \(3,\), not \(2,\)"),
        ({"x": torch.ones(1)}, r"bias is missing \(and 2 more\)"),
    ):
        with pytest.raises(CheckpointError, match=f"not a checkpoint of Linear: {said}"):
            load_into(module, wrong, tmp_path / "w.pth")
    with torch.device("meta"):
        unmade = torch.nn.Linear(3, 2)
    load_into(unmade, good, tmp_path)
    assert torch.equal(unmade(torch.zeros(1, 3)), torch.ones(1, 2))


def test_a_digest_is_of_the_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "w.bin").write_bytes(b"x" * 5_000_000)
        (folder / "config.json").write_text("{}")
    assert digest(first) == digest(second)
    (second / "sub" / "w.bin").write_bytes(b"x" * 4_999_999 + b"y")
    assert digest(first) != digest(second)
    (second / "sub" / "w.bin").write_bytes(b"x" * 5_000_000)
    (second / ".cache").mkdir()
    (second / ".cache" / "lock").write_text("")
    assert digest(first) == digest(second)
