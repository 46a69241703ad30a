"""Chat models before and while they are used: endpoints are checked, servers started and ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from artsound.errors import UsageError
from artsound.models.chat.captioners import ChatArtworkCaptioner, ChatFuser, ChatSegmentCaptioner
from artsound.models.chat.engines import (
    engine_command,
    prepare_engine,
    serve_command,
    serve_environment,
)
from artsound.models.chat.server import Server, free_port
from artsound.models.setup import Setup

ChatModel = ChatArtworkCaptioner | ChatSegmentCaptioner | ChatFuser
Say = Callable[[str], None]


def check(setup: Setup) -> None:
    """See that a chat model can be used, before any work is done.

    Of an endpoint: that it answers, serves this model, and that the model takes what its role gives
    it. Where there is none: that the engine which will serve the model is installed.

    Raises:
        UsageError: nothing serves it, or the endpoint serves another model.
        ArtsoundError: the endpoint, the engine or the weights are not there; says what to do.
    """
    if setup.served_at is None and setup.settings.endpoint is None:
        if setup.weights() is None and setup.settings.checkpoint is None:
            setup.endpoint()  # says that only an endpoint can serve it
        engine_command(setup)
        return
    model = _model(setup)
    try:
        served = model.client.models()
        # transformers lists what is in its cache, not what it serves.
        if setup.settings.engine != "transformers" and setup.served_name() not in served:
            raise UsageError(
                f"{setup.endpoint()} serves {', '.join(served[:5]) or 'nothing'}, not"
                f" {setup.served_name()}: give the endpoint of {setup.name}, or what it is called"
                f" there: --set models.{setup.name}.checkpoint=NAME"
            )
        model.check()
    finally:
        model.client.close()


@contextmanager
def start(setup: Setup, log: Path, say: Say) -> Iterator[Server]:
    """Serve a model while the `with` block lasts.

    Args:
        setup: the model as the recipe wants it.
        log: the file that the server's output is appended to.
        say: told what is started.

    Yields:
        The server, which answers.

    Raises:
        ArtsoundError: it does not start, or serves another model.
    """
    port = free_port()
    command = serve_command(setup, setup.checkpoint(), port)
    prepare_engine(setup)
    say(f"starting {setup.settings.engine} for {setup.name}; its log: {log}")
    with Server(command, port, serve_environment(setup), log, setup.name) as server:
        server.wait(setup.settings.serve_timeout_s)
        check(replace(setup, served_at=server.url, cache=None))
        yield server


def _model(setup: Setup) -> ChatModel:
    module, _, attribute = setup.entry.target.partition(":")
    model: ChatModel = getattr(import_module(module), attribute).from_recipe(
        replace(setup, cache=None)
    )
    return model
