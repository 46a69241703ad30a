from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import TextToImage
from artsound.models.diffusion import DiffusersTextToImage, StableDiffusion35Medium, seed_of
from artsound.models.registry import Models, text_to_image
from artsound.models.settings import ModelSettings
from tests.models.tiny_diffusion import write_tiny_stable_diffusion_3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_stable_diffusion_3(tmp_path_factory.mktemp("sd3"))


def test_an_image_depends_on_its_prompt_and_seed_alone(folder: Path) -> None:
    model = DiffusersTextToImage(folder, steps=2, guidance=2.0)
    assert isinstance(model, TextToImage)
    together = model.generate(["calm piano", "loud drums"], [1, 2])
    alone = model.generate(["loud drums"], [2])
    np.testing.assert_array_equal(np.asarray(together[1]), np.asarray(alone[0]))
    for prompt, seed in (("loud drums", 3), ("calm piano", 2)):
        other = model.generate([prompt], [seed])[0]
        assert other.mode == "RGB"
        assert (np.asarray(other) != np.asarray(alone[0])).any()


def test_a_folder_is_a_model(folder: Path, tmp_path: Path) -> None:
    assert text_to_image(str(folder)).name == folder.name
    with pytest.raises(UsageError, match=r"no folder \./mymodel"):
        text_to_image("./mymodel")
    with pytest.raises(UsageError, match=r"has no model_index\.json"):
        text_to_image(str(tmp_path))
    with pytest.raises(UsageError, match=r"did you mean 'stable-diffusion-3\.5-medium'"):
        text_to_image("stable-diffusion-3-medium")


def test_only_safetensors_are_read(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "pickled"
    shutil.copytree(folder, copy)
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ArtsoundError, match="cannot load the text-to-image model"):
        DiffusersTextToImage(copy)


def test_the_paper_s_model_is_loaded_from_the_recipe_s_folder(folder: Path) -> None:
    with pytest.raises(ArtsoundError, match="is not on this machine and cannot be downloaded"):
        text_to_image("stable-diffusion-3.5-medium")
    settings = {"stable-diffusion-3.5-medium": ModelSettings(checkpoint=str(folder))}
    model = text_to_image("stable-diffusion-3.5-medium", Models(settings))
    assert model.name == "stable-diffusion-3.5-medium"
    assert isinstance(model, StableDiffusion35Medium)
    assert model.settings == {"num_inference_steps": 40, "guidance_scale": 4.5}


def test_seeds_are_the_items_own() -> None:
    assert seed_of(0, 12) == seed_of(0, "12") != seed_of(1, 12)
    assert 0 <= seed_of(0, "x") < 2**63
