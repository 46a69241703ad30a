"""What models need, seen to before any work is done: packages, weights, endpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from artsound.models import registry, weights
from artsound.models.entry import Entry, Weights
from artsound.models.registry import Models
from artsound.models.setup import Setup
from artsound.models.whole import check_whole
from artsound.release.terms import non_commercial
from artsound.stage import Build, Stage

Say = Callable[[str], None]


def prepare(models: Models, wanted: Iterable[tuple[str, str]], say: Say) -> None:
    """See that models can be used, downloading the weights that are not on this machine.

    Whatever can be found to be missing without a download is found before the first one.

    Args:
        models: what the recipe says of its models.
        wanted: (role, registry name) of each.
        say: told what is downloaded, and the terms of weights that not everyone may use.

    Raises:
        ArtsoundError: a package, weights or an endpoint is missing; says what to do.
    """
    downloads: list[tuple[str, Weights, str]] = []
    told = set()
    for role, name in wanted:
        entry = registry.require(role, name)
        terms = terms_of(name, entry)
        if terms and name not in told:
            told.add(name)
            say(terms)
        setup = models.setup(role, name)
        if entry.served:
            from artsound.models.chat import serving  # not for recipes without chat models

            serving.check(setup)
            if setup.settings.endpoint:
                continue
        for companion in ["", *entry.companions] if entry.weights else []:
            source = setup.weights(companion)
            if source is None or source.page:
                check_whole(setup.checkpoint(companion))
            else:
                downloads.append((name, source, companion))
    for name, source, companion in downloads:
        check_whole(weights.pull(name, source, companion, say))


def prepare_stages(
    build: Build, stages: Sequence[Stage], say: Say, redone: Collection[str] = ()
) -> None:
    """See that the models of a build's stages can be used.

    The weights of a stage that has parts already are not asked for: they were there when it began,
    and are looked for when one of its parts must be made.

    Args:
        build: the build.
        stages: those that will run.
        say: told what is downloaded, and the terms of weights that not everyone may use.
        redone: the tables of stages that will be made again from nothing.

    Raises:
        ArtsoundError: see `prepare`.
    """
    needed: dict[tuple[str, str], None] = {}
    for stage in stages:
        if stage.table in redone or not build.workspace.shards(stage.table):
            needed |= dict.fromkeys(stage.models(build.recipe))
    prepare(build.models, needed, say)


def terms_of(name: str, entry: Entry) -> str | None:
    """Return what the user of a model's weights is told of their licence; None for nothing."""
    if not non_commercial(entry.license):
        return None
    return (
        f"{name}: its weights ({entry.source}) are licensed {entry.license}: not for commercial"
        " use, and what they make inherits those terms"
    )


def identities(
    build: Build, stages: Iterable[Stage], before: Mapping[str, Any]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the results of the stages' models depend on, by (role, name).

    Args:
        build: the build.
        stages: its stages.
        before: what was recorded when the workspace was last built, by `role/name`: it stands in
            for weights that are no longer on this machine.
    """
    found = {}
    for stage in stages:
        for role, name in stage.models(build.recipe):
            identity = build.models.identity(role, name)
            if identity is not None:
                known = before.get(f"{role}/{name}", {}).get("weights", {})
                setup = build.models.setup(role, name)
                identity["weights"] = {
                    part: which or _recorded(setup, part, known)
                    for part, which in identity["weights"].items()
                }
                found[role, name] = identity
    return found


def _recorded(setup: Setup, part: str, known: Mapping[str, str]) -> str:
    """Return which weights were used before, unless the recipe names others now."""
    which = known.get(part, "")
    wanted = setup.weights("" if part == "model" else part)
    if wanted is None or not wanted.repository:
        return which
    repository, _, commit = which.partition("@")
    same = repository == wanted.repository and wanted.revision in ("", commit)
    return which if same else ""


def pins(before: Mapping[str, Any]) -> dict[str, str]:
    """Return the weights that a workspace was begun with, by registry name."""
    return {
        name.partition("/")[2]: known["weights"].get("model", "") for name, known in before.items()
    }
