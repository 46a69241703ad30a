"""Settings in TOML, as recipes are: found by name or path, overridden by `key=value`, explained.

`artsound.recipe` and art2mus's training settings are read alike.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from artsound.errors import UsageError


def shipped(package: str) -> list[str]:
    """Return the names of the recipes that ship with a package, in its folder `recipes`."""
    names = (item.name for item in (resources.files(package) / "recipes").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def read_toml(name_or_path: str | Path, package: str) -> tuple[str, dict[str, Any]]:
    """Return what a recipe is called in errors, and its content.

    Args:
        name_or_path: a recipe that ships with the package, or a TOML file.
        package: the package.

    Raises:
        UsageError: there is no such recipe, or it is not TOML.
    """
    where, text = _text(str(name_or_path), package)
    try:
        return where, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}") from error


def _text(name: str, package: str) -> tuple[str, str]:
    names = shipped(package)
    if name in names:
        source = resources.files(package) / "recipes" / f"{name}.toml"
        return f"recipe {name}", source.read_text("utf-8")
    path = Path(name)
    if path.is_file():
        try:
            return str(path), path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read recipe {path}: {error}") from error
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no recipe {name!r}: {hint}give a TOML file or one of {', '.join(names)}")


def override(
    data: dict[str, Any],
    setting: str,
    example: str,
    split: Callable[[str], list[str]] = lambda key: key.split("."),
) -> None:
    """Set one value of a recipe, in place.

    Args:
        data: the recipe.
        setting: `key=value`; the value is read as TOML, and as a plain string where it is not TOML.
        example: one, for the error.
        split: cuts a key into its parts.

    Raises:
        UsageError: it has no key, or the key leads through a value.
    """
    key, equals, raw = setting.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set {setting!r}: expected key=value, as in {example}")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    *path, last = split(key.strip())
    for part in path:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise UsageError(f"--set {setting!r}: {part!r} is a value, not a section")
    data[last] = value


def explain(model: type[BaseModel], problem: Any, named: type[BaseModel]) -> str:
    """Say what is wrong, and for an unknown key which one was probably meant.

    Args:
        model: the settings.
        problem: one of pydantic's errors.
        named: what the one section holds whose keys are names and not settings.
    """
    if problem["type"] != "extra_forbidden":
        return str(problem["msg"]).removeprefix("Value error, ")
    *path, key = problem["loc"]
    fields = model.model_fields
    for part in path:
        section = fields[str(part)].annotation if str(part) in fields else named
        fields = section.model_fields if isinstance(section, type) else {}
    near = difflib.get_close_matches(str(key), fields, n=1)
    return f"no such setting; did you mean {near[0]!r}?" if near else "no such setting"
