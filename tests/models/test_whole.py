"""Weights that were cut off are found before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from artsound.errors import ArtsoundError
from artsound.models.whole import check_whole


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "old.pth"])
def test_a_file_that_lacks_its_end_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = {"a": torch.arange(1000.0), "b": torch.ones(3)}
    if path.suffix == ".safetensors":
        save_file(content, path, metadata={"format": "pt"})
    else:
        torch.save(content, path, _use_new_zipfile_serialization=name != "old.pth")
    check_whole(path)
    check_whole(tmp_path)
    whole = path.read_bytes()
    # An old pickle has no directory: only that it begins as one can be told.
    for cut in (0, 1, 5, len(whole) // 2, len(whole) - 1) if name != "old.pth" else (0,):
        path.write_bytes(whole[:cut])
        with pytest.raises(ArtsoundError, match=f"{name} is damaged or no checkpoint"):
            check_whole(path)
    path.write_bytes(b"<html>Not found</html>" * 100)
    with pytest.raises(ArtsoundError, match="download it again"):
        check_whole(path)


def test_an_empty_checkpoint_and_other_files_are_passed_over(tmp_path: Path) -> None:
    save_file({}, tmp_path / "w.safetensors")
    (tmp_path / "config.json").write_text("{")
    check_whole(tmp_path)
