"""Recipes: what is read, what is overridden, what is refused and how."""

from pathlib import Path

import pytest

from artsound.errors import UsageError
from artsound.models import registry
from artsound.pipeline import stages
from artsound.recipe import Recipe, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_name_registered_models(name: str) -> None:
    recipe = Recipe.read(name)
    assert recipe.name == name
    for stage in stages(recipe):
        for role, model in stage.models(recipe):
            assert registry.entry(role, model).license


def test_settings_are_read_as_toml_and_else_as_text() -> None:
    recipe = Recipe.read(
        "lite",
        ["image_captions.keep=last", "audio_captions.threshold=0.5", "seed=7", 'summary="a=b"'],
    )
    assert recipe.image_captions.keep == "last"
    assert recipe.audio_captions.threshold == 0.5
    assert recipe.seed == 7
    assert recipe.summary == "a=b"


def test_a_path_is_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((Path(__file__).parents[1] / "artsound/recipes/lite.toml").read_text())
    assert Recipe.read(path) == Recipe.read("lite")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("image_captions.treshold=0.5", "did you mean 'threshold'"),
        ("image_captions.threshold=1.5", "image_captions.threshold: .*less than or equal to 1"),
        ("shard_rows=0", "shard_rows: .*greater than 0"),
        ("pairing.embedder=clip", "'clip' is not one of embeddings.embedders"),
        ("pairing.released=image_audio_caption", "not one of strategies"),
        ("nonsense", "expected key=value"),
        ("seed.deep=1", "'seed' is a value, not a section"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recipe.read("lite", [setting])


def test_an_unknown_recipe_suggests_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'lite'"):
        Recipe.read("lit")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("name = ")
    with pytest.raises(UsageError, match=r"broken\.toml is not TOML"):
        Recipe.read(path)


def test_an_unknown_model_suggests_one() -> None:
    with pytest.raises(UsageError, match="unknown embedder 'lite-cons': did you mean 'lite-conse'"):
        registry.require("embedder", "lite-cons")
