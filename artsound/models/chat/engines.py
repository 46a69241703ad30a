"""The programs that serve chat models: how they are found, started and talked to."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artsound.errors import ArtsoundError, MissingDependency

if TYPE_CHECKING:
    from artsound.models.setup import Setup

HOST: Final = "127.0.0.1"  # nobody else's requests on a shared machine
_SERVING: Final = ("fastapi", "uvicorn", "openai", "accelerate")
# Fields of vLLM's that transformers takes in a generation config.
_GENERATION: Final = ("top_k", "min_p", "repetition_penalty")


def engine_command(setup: Setup) -> list[str]:
    """Return the beginning of the command that serves models: a program that is installed.

    Raises:
        ArtsoundError: the engine of the recipe is not installed; says what to do instead.
    """
    engine = setup.settings.engine
    if engine == "transformers" and any(find_spec(package) is None for package in _SERVING):
        raise MissingDependency(
            f"serving {setup.name} with transformers", "pip install 'transformers[serving]'"
        )
    program = _program(engine)
    if program is None:
        raise ArtsoundError(
            f"{setup.name} is a chat model and {engine} is not installed to serve it: run"
            " `pip install 'artsound[gpu]'`, or name an endpoint that serves it: --set"
            f" models.{setup.name}.endpoint=http://HOST:PORT/v1"
        )
    return [program, "serve"]


def serve_command(setup: Setup, weights: Path, port: int) -> list[str]:
    """Return the command that serves a model.

    Args:
        setup: the model as the recipe wants it.
        weights: the folder of its weights.
        port: where it shall listen.

    Raises:
        ArtsoundError: the engine is not installed.
    """
    settings = setup.settings
    command = [*engine_command(setup), str(weights), "--host", HOST, "--port", str(port)]
    if settings.dtype != "auto":
        command += ["--dtype", settings.dtype]
    if settings.engine == "transformers":
        device = {"auto": "auto", "cpu": "cpu", "cuda": "cuda:0"}[settings.device]
        command += ["--device", device]
    else:
        command += ["--served-model-name", setup.served_name()]
        command += ["--tensor-parallel-size", str(settings.tensor_parallel)]
    return [*command, *settings.serve_args]


def prepare_engine(setup: Setup) -> None:
    """Make what an engine does not start without: for transformers the folder of the Hub's cache.

    A machine that has downloaded nothing lacks it; `transformers serve` then fails to list models,
    and so would never seem to be up.

    Raises:
        ArtsoundError: it cannot be made; says what to do instead.
    """
    if setup.settings.engine != "transformers":
        return
    from huggingface_hub import constants

    try:
        Path(constants.HF_HUB_CACHE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtsoundError(
            f"transformers needs the folder of the Hub's cache, which cannot be made ({error}): set"
            " HF_HOME to a folder that can be written"
        ) from error


def serve_environment(setup: Setup) -> dict[str, str]:
    """Return the environment of a server: without keys, and telling nobody of its use."""
    dropped = {setup.settings.api_key_env, "VLLM_API_KEY", "OPENAI_API_KEY"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}


def for_transformers(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as `transformers serve` takes it.

    It refuses fields beside those of OpenAI's, and a model's name that is not the path it was
    started with; it samples only where a generation config says so.
    """
    sent = {name: value for name, value in body.items() if name not in ("model", *_GENERATION)}
    if body.get("temperature"):
        config = {name: body[name] for name in _GENERATION if name in body}
        sent["generation_config"] = json.dumps({"do_sample": True, **config})
    return sent


def _program(name: str) -> str | None:
    """Return where a program is: beside this Python, or on the PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), beside]))
