"""What models need, seen to before any work is done: packages, weights, endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from artsound.models import registry, weights
from artsound.models.entry import Weights
from artsound.models.registry import Models
from artsound.release.terms import non_commercial
from artsound.stage import Build, Stage

Say = Callable[[str], None]


def prepare(models: Models, wanted: Iterable[tuple[str, str]], say: Say) -> None:
    """See that models can be used, downloading the weights that are not on this machine.

    Whatever can be found to be missing without a download is found before the first one.

    Args:
        models: what the recipe says of its models.
        wanted: (role, registry name) of each.
        say: told what is downloaded.

    Raises:
        ArtsoundError: a package, weights or an endpoint is missing; says what to do.
    """
    downloads: list[tuple[str, Weights, str]] = []
    for role, name in wanted:
        entry = registry.require(role, name)
        setup = models.setup(role, name)
        if entry.served:
            from artsound.models.chat import serving  # not for recipes without chat models

            serving.check(setup)
            if setup.settings.endpoint:
                continue
        for companion in ["", *entry.companions] if entry.weights else []:
            source = setup.weights(companion)
            if source is None or source.page:
                setup.checkpoint(companion)
            else:
                downloads.append((name, source, companion))
    for name, source, companion in downloads:
        weights.pull(name, source, companion, say)


def prepare_stages(build: Build, stages: Iterable[Stage], say: Say) -> None:
    """See that the models of a build's stages can be used, and tell the terms of their weights.

    The weights of a stage that has parts already are not asked for: they were there when it began,
    and are looked for when one of its parts must be made.

    Raises:
        ArtsoundError: see `prepare`.
    """
    told = set()
    needed: dict[tuple[str, str], None] = {}
    for stage in stages:
        wanted = stage.models(build.recipe)
        for role, name in wanted:
            entry = registry.require(role, name)
            if non_commercial(entry.license) and name not in told:
                told.add(name)
                say(
                    f"{name}: its weights ({entry.source}) are licensed {entry.license}: not for"
                    " commercial use, and what they make inherits those terms"
                )
        if not build.workspace.shards(stage.table):
            needed |= dict.fromkeys(wanted)
    prepare(build.models, needed, say)


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
            if identity is None:
                continue
            known = before.get(f"{role}/{name}")
            if known and isinstance(identity["weights"], dict):
                identity["weights"] = {
                    part: revision or known["weights"].get(part, "")
                    for part, revision in identity["weights"].items()
                }
            found[role, name] = identity
    return found
