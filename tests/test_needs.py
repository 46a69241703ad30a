"""`artsound models`: what recipes need, and what of it is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from artsound.errors import UsageError
from artsound.models.catalogue import CATALOGUE
from artsound.needs import everything, named, needs, needs_table, pull
from artsound.recipe import Recipe, shipped_recipes
from tests.test_cli import run


def test_the_lite_recipe_needs_nothing_that_is_not_installed() -> None:
    found = needs(Recipe.read("lite"))
    assert {need.setup.name for need in found} >= {"lite-artwork", "lite-music", "lite-conse"}
    assert {need.state for need in found} == {"yes"}
    assert all(need.gigabytes == 0 for need in found)
    said: list[str] = []
    assert pull(found, said.append) == []
    assert not said


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if name != "lite"])
def test_a_recipe_s_models_are_listed_with_their_terms(name: str) -> None:
    found = needs(Recipe.read(name))
    table = needs_table("t", found)
    assert len(table.rows) == len(found) >= 5
    assert all(row[4] for row in table.rows)
    assert {row[-1] for row in table.rows} == {"no"}
    assert all(need.gigabytes > 0 for need in found)


def test_what_the_recipe_says_is_what_is_listed(tmp_path: Path) -> None:
    settings = [
        f"models.clip-score.checkpoint={tmp_path}",
        "models.qwen3-14b.endpoint=http://localhost:1/v1",
        "models.bertscore-roberta-large.revision=v2",
        f"models.pac-score.companions.base={tmp_path}",
    ]
    found = {need.setup.name: need for need in needs(Recipe.read("paper", settings))}
    assert found["clip-score"].state == "yes"
    assert found["clip-score"].gigabytes == 0
    assert found["qwen3-14b"].state == "at http://localhost:1/v1"
    assert found["pac-score"].state == "all but weights"
    rows = {row[0]: row for row in needs_table("t", list(found.values())).rows}
    assert rows["bertscore-roberta-large"][3] == "v2"
    gone = Recipe.read("paper", [f"models.clip-score.checkpoint={tmp_path}/gone"])
    with pytest.raises(UsageError, match=r"models\.clip-score\.checkpoint = .*no such file"):
        needs_table("t", needs(gone))


def test_every_model_is_listed_and_found_by_name() -> None:
    assert len(everything()) == sum(map(len, CATALOGUE.values()))
    assert [need.role for need in named(["imagebind"])] == ["embedder"]
    with pytest.raises(UsageError, match="did you mean 'imagebind'"):
        named(["imagebnd"])


def test_the_commands() -> None:
    done = run("models", "list", "paper")
    assert done.returncode == 0
    assert "CC-BY-NC-SA-4.0" in done.stdout
    done = run("models", "pull", "--model", "imagebind", "--model", "pac-score")
    assert done.returncode == 1
    assert "get the file from https://github.com/aimagelab/pacscore" in done.stdout
    assert "--set models.imagebind.checkpoint=PATH" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("artsound: not all weights are here (")
    assert run("models", "pull").returncode == 2
    assert run("models", "list", "papr").returncode == 2
