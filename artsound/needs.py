"""What recipes need of models, and how much of it is on this machine: `artsound models`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from artsound.errors import ArtsoundError, UsageError
from artsound.models import weights
from artsound.models.catalogue import CATALOGUE
from artsound.models.registry import Models
from artsound.models.setup import Setup
from artsound.pipeline import stages
from artsound.prepare import terms_of
from artsound.recipe import Recipe
from artsound.table import Table


@dataclass(frozen=True)
class Need:
    """A model that a recipe loads or asks.

    Attributes:
        role: the role that it plays.
        setup: the model as the recipe wants it.
    """

    role: str
    setup: Setup

    @property
    def parts(self) -> list[str]:
        """What is loaded: the weights, as the empty name, and their companions."""
        entry = self.setup.entry
        return ["", *entry.companions] if entry.weights else []

    @property
    def missing(self) -> list[str]:
        """Return the parts that are not on this machine."""
        found = []
        for part in self.parts:
            wanted = self.setup.weights(part)
            if wanted is None:
                self.setup.checkpoint(part)  # a path of the recipe's, which must exist
            elif weights.find(self.setup.name, wanted) is None:
                found.append(part)
        return found

    @property
    def state(self) -> str:
        """Say what of it is here, in a word or two."""
        entry, settings = self.setup.entry, self.setup.settings
        if any(find_spec(package) is None for package in entry.packages):
            return f"package missing: {entry.install}"
        if entry.served and settings.endpoint:
            return f"at {settings.endpoint}"
        if entry.served and entry.weights is None:
            return "needs an endpoint"
        missing = self.missing
        if missing:
            whole = len(missing) == len(self.parts)
            return "no" if whole else f"all but {', '.join(part or 'weights' for part in missing)}"
        return "yes"

    @property
    def gigabytes(self) -> float:
        """The size of all parts that are downloads, about."""
        wanted = [self.setup.weights(part) for part in self.parts]
        return sum(part.gigabytes for part in wanted if part)


def needs(recipe: Recipe) -> list[Need]:
    """Return what a build of a recipe loads and asks, each once, in the order of the stages."""
    models = Models(recipe.models)
    wanted = {(role, name) for stage in stages(recipe) for role, name in stage.models(recipe)}
    order = [(role, name) for role, names in CATALOGUE.items() for name in names]
    return [Need(role, models.setup(role, name)) for role, name in order if (role, name) in wanted]


def everything() -> list[Need]:
    """Return every registered model, as the registry has it."""
    return [
        Need(role, Models().setup(role, name))
        for role, names in CATALOGUE.items()
        for name in names
    ]


def named(names: Sequence[str], recipe: Recipe | None = None) -> list[Need]:
    """Return models by their registry names, one role of each.

    Raises:
        UsageError: there is no model of a name; suggests the nearest.
    """
    known = {need.setup.name: need.role for need in everything()}
    models = Models(recipe.models if recipe else {})
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`artsound models list` names them"
            raise UsageError(f"no model {name!r}: {hint}")
    return [Need(known[name], models.setup(known[name], name)) for name in names]


def needs_table(title: str, wanted: Sequence[Need]) -> Table:
    """Return the table of what is needed and what of it is here."""
    rows = []
    for need in wanted:
        found = need.setup.weights()
        revision = found.revision[:8] or "main" if found and found.repository else ""
        entry = need.setup.entry
        rows.append(
            (
                need.setup.name,
                need.role.replace("_", " "),
                found.source if found else need.setup.settings.checkpoint or entry.source,
                revision,
                entry.license,
                f"{need.gigabytes:.1f}" if need.gigabytes else "",
                f"{entry.memory_gb:g}" if entry.memory_gb else "",
                need.state,
            )
        )
    columns = ("model", "role", "weights", "revision", "licence", "GB", "memory", "here")
    notes = ("Sizes in GB, about; the memory of chat models is a GPU's, in bfloat16.",)
    return Table("models", title, columns, tuple(rows), notes)


def pull(wanted: Sequence[Need], say: Callable[[str], None]) -> list[str]:
    """Download what is not on this machine; everything that can be, whatever cannot.

    Args:
        wanted: the models.
        say: told what is downloaded, a line each.

    Returns:
        A line for each model that cannot be downloaded: why, and what to do.
    """
    problems = []
    for need in wanted:
        if need.setup.entry.served and need.setup.settings.endpoint:
            continue
        if terms := terms_of(need.setup.name, need.setup.entry):
            say(terms)
        for part in need.parts:
            found = need.setup.weights(part)
            try:
                if found is None:
                    need.setup.checkpoint(part)
                else:
                    weights.pull(need.setup.name, found, part, say)
            except ArtsoundError as error:
                problems.append(str(error))
    return problems
