"""Recipes: what is read, what is overridden, what is refused and how."""

from pathlib import Path

import pytest

from artsound.errors import UsageError
from artsound.models import registry
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
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


def test_settings_of_models_mean_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ck" / "clip").mkdir(parents=True)
    read = Recipe.read("paper", ["models.clip-score.checkpoint=ck/clip"]).models["clip-score"]
    assert read.checkpoint == str(tmp_path / "ck" / "clip")
    named = 'models."qwen2.5-vl-7b".seed=1'
    assert Recipe.read("paper", [named]).models["qwen2.5-vl-7b"].seed == 1
    for setting, said in (
        ("models.qwen3-14b.chat_template_kwargs.enable_thinking=False", "write false"),
        (f"models.clip-score={{checkpoint='{tmp_path}', revision='v1'}}", "has no revision"),
        ("models.qwen3-14.seed=1", "did you mean 'qwen3-14b'"),
        ("models.qwen3-14b.endpont='http://x'", "did you mean 'endpoint'"),
    ):
        with pytest.raises(UsageError, match=said):
            Recipe.read("paper", [setting])
    model = Models({"clip-score": ModelSettings(checkpoint=str(tmp_path), options={"x": 1})})
    with pytest.raises(UsageError, match="clip-score has no options"):
        model.load("image_text_scorer", "clip-score")


def test_where_a_model_runs_does_not_shape_a_recipe() -> None:
    plain = Recipe.read("paper").shaping()
    runtime = [
        "models.qwen3-14b.endpoint=http://localhost:1/v1",
        "models.qwen3-14b.concurrency=2",
        "models.imagebind.device=cpu",
        "models.imagebind.checkpoint=/somewhere/imagebind_huge.pth",
        "pairing.backend=faiss",
    ]
    assert Recipe.read("paper", runtime).shaping() == plain
    assert Recipe.read("paper", ["models.qwen3-14b.temperature=0.5"]).shaping() != plain
    published = Recipe.read("paper", runtime).published()["models"]
    assert published["imagebind"]["checkpoint"] == "imagebind_huge.pth"
    assert "endpoint" not in published["qwen3-14b"]
