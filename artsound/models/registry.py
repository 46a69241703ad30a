"""Names for models: looking them up, and loading them as a recipe wants them.

The entries are in `catalogue`. Targets are import paths, so that nothing heavy is imported before
it is used.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from artsound.errors import MissingDependency, UsageError
from artsound.models.base import TextToImage
from artsound.models.catalogue import CATALOGUE
from artsound.models.entry import Entry
from artsound.models.settings import ModelSettings
from artsound.models.setup import Setup

_loaded: Final[dict[str, Any]] = {}
_loading: Final = threading.Lock()


@dataclass(frozen=True)
class Models:
    """The models of a build, as its recipe wants them; small, and picklable to worker processes.

    Attributes:
        settings: what the recipe says, by registry name.
        requests: the folder of the request caches; None for none.
        served: base URLs of the servers that the build has started, by registry name.
        pins: `repository@commit` of the weights that the workspace was begun with, likewise.
    """

    settings: Mapping[str, ModelSettings] = field(default_factory=dict)
    requests: Path | None = None
    served: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)

    def setup(self, role: str, name: str) -> Setup:
        """Return how the recipe wants a model.

        Raises:
            UsageError: the role has no model of that name.
        """
        return Setup(
            name,
            entry(role, name),
            self.settings.get(name, ModelSettings()),
            self.served.get(name),
            self.requests / name if self.requests else None,
            self.pins.get(name, ""),
        )

    def load(self, role: str, name: str) -> Any:
        """Return the model of that name, built on first use and kept for the life of the process.

        Raises:
            UsageError: the role has no model of that name, or the recipe's settings do not fit it.
            ArtsoundError: its weights or its endpoint are not there.
        """
        setup = self.setup(role, name)
        settings = setup.settings.model_dump_json()
        where = (str(setup.served_at), str(setup.cache), setup.pin)
        key = "\n".join((setup.entry.target, name, settings, *where))
        with _loading:
            if key not in _loaded:
                _loaded[key] = _build(setup)
            return _loaded[key]

    def identity(self, role: str, name: str) -> dict[str, Any] | None:
        """Return what a model's results depend on; None for one that comes with a package."""
        setup = self.setup(role, name)
        if not (setup.entry.weights or setup.entry.served):
            return None
        return setup.identity()


def forget() -> None:
    """Let go of the models that were loaded, and of the memory of the GPU that they took."""
    with _loading:
        _loaded.clear()
    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def entry(role: str, name: str) -> Entry:
    """Look a model up.

    Raises:
        UsageError: the role has no model of that name; the message suggests the nearest one.
    """
    known = CATALOGUE[role]
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"unknown {role.replace('_', ' ')} {name!r}: {hint}available: {', '.join(sorted(known))}"
    )


def load(role: str, name: str) -> Any:
    """Return the model of that name with the registry's settings, as `Models.load` does."""
    return Models().load(role, name)


def _build(setup: Setup) -> Any:
    module, _, attribute = setup.entry.target.partition(":")
    model = getattr(importlib.import_module(module), attribute)
    return model.from_recipe(setup) if hasattr(model, "from_recipe") else model()


def require(role: str, name: str) -> Entry:
    """Look a model up and check that its packages are installed, without loading it.

    Raises:
        UsageError: no model of that name.
        MissingDependency: a package is missing; the message says how to install it.
    """
    found = entry(role, name)
    if any(find_spec(package) is None for package in found.packages):
        raise MissingDependency(f"{role.replace('_', ' ')} {name!r}", found.install)
    return found


def text_to_image(name_or_folder: str, models: Models | None = None) -> TextToImage:
    """Return a text-to-image model by its name, or a diffusers pipeline by its folder.

    Args:
        name_or_folder: the name or the folder.
        models: what a recipe says of its models; as the registry has them if None.

    Raises:
        UsageError: neither a known name nor a folder with a pipeline.
        MissingDependency: diffusers is not installed.
    """
    model: TextToImage
    if Path(name_or_folder).is_dir():
        from artsound.models.diffusion import DiffusersTextToImage

        model = DiffusersTextToImage(name_or_folder)
    elif "/" in name_or_folder:
        raise UsageError(
            f"no folder {name_or_folder}: give a folder with a diffusers pipeline, or one of"
            f" {', '.join(sorted(CATALOGUE['text_to_image']))}"
        )
    else:
        require("text_to_image", name_or_folder)
        model = (models or Models()).load("text_to_image", name_or_folder)
    return model
