"""The chat models of a stage, reachable while it runs: started here, or behind a given endpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from artsound.errors import ArtsoundError
from artsound.models.registry import Models


@contextlib.contextmanager
def served(
    models: Models, wanted: Iterable[tuple[str, str]], logs: Path, say: Callable[[str], None]
) -> Iterator[Models]:
    """Serve the chat models among those wanted that have no endpoint, while the `with` block lasts.

    The servers end with the block, however it ends.

    Args:
        models: what the recipe says of its models.
        wanted: (role, registry name) of the models that are about to be used.
        logs: the folder for the servers' logs.
        say: told what is started.

    Yields:
        The models, which know where they are served.

    Raises:
        ArtsoundError: a server does not start, serves another model, or ends before its time.
    """
    setups = {name: models.setup(role, name) for role, name in wanted}
    alone = {
        name: setup
        for name, setup in setups.items()
        if setup.entry.served and not setup.settings.endpoint and not setup.served_at
    }
    if not alone:
        yield models
        return
    from artsound.models.chat.serving import start  # not for recipes without chat models

    with contextlib.ExitStack() as running:
        servers = {
            name: running.enter_context(start(setup, logs / f"serve-{name}.log", say))
            for name, setup in alone.items()
        }
        addresses = {name: server.url for name, server in servers.items()}
        try:
            yield dataclasses.replace(models, served={**models.served, **addresses})
        except ArtsoundError as error:
            for server in servers.values():
                try:
                    server.raise_if_dead()
                except ArtsoundError as death:
                    raise ArtsoundError(
                        f"{death}; what is done is kept: run the same command again to continue"
                    ) from error
            raise
