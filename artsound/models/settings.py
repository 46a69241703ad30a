"""What a recipe may say of one model: `[models.NAME]`, by its registry name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w-]*/[A-Za-z0-9](?:[\w-]|\.(?!\.))*")
_FILES: Final = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".gz")
# Where a model runs and how it is reached does not shape what it says.
_RUNTIME: Final = frozenset(
    {
        "device",
        "endpoint",
        "api_key_env",
        "concurrency",
        "timeout_s",
        "retries",
        "engine",
        "tensor_parallel",
        "serve_args",
        "serve_timeout_s",
    }
)


class ModelSettings(BaseModel):
    """How one model is loaded or asked; what is not set is as the registry and the model have it.

    Attributes:
        checkpoint: a file, a folder or a Hub repository in place of the registered weights.
        companions: the same for what a model needs beside its weights, such as a tokenizer, by the
            name that the registry gives it.
        revision: the commit, tag or branch of the Hub repository in place of the pinned one.
        dtype: what it computes in; `auto` is float32 on a CPU and bfloat16 on a GPU.
        options: further arguments of the model's own, documented with it.
        max_tokens: of a chat model's reply.
        temperature: of a chat model; 0 is greedy.
        top_p: of a chat model; the endpoint's own default if None.
        top_k: likewise; an extension of vLLM's.
        seed: of a chat model; each attempt adds its number.
        chat_template_kwargs: passed to a chat model's template, such as `enable_thinking`.
        device: where it computes; `auto` is a GPU if there is one.
        endpoint: base URL of an OpenAI-compatible API that serves it; it is started by the build
            if None.
        api_key_env: the environment variable that holds the endpoint's key.
        concurrency: how many requests are under way at a time, in each worker.
        timeout_s: how long a reply may take.
        retries: how often a request is sent again after a fault that may pass.
        engine: what serves it where no endpoint is given.
        tensor_parallel: over how many GPUs the engine splits it.
        serve_args: further arguments of the engine's command, such as that change no reply; name
            another `checkpoint` for quantised weights.
        serve_timeout_s: how long the engine may take to load it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str | None = None
    companions: dict[str, str] = Field(default_factory=dict)
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    max_tokens: int = Field(default=512, gt=0)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    top_k: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    chat_template_kwargs: dict[str, str | int | float | bool] = Field(default_factory=dict)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=16, gt=0, le=1024)
    timeout_s: float = Field(default=300.0, gt=0)
    retries: int = Field(default=5, ge=0, le=20)
    engine: Literal["vllm", "transformers"] = "vllm"
    tensor_parallel: int = Field(default=1, gt=0)
    serve_args: tuple[str, ...] = ()
    serve_timeout_s: float = Field(default=1800.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _absolute(cls, data: Any) -> Any:
        """Make paths absolute: a workspace is opened from other folders too.

        With an endpoint, `checkpoint` is what the endpoint calls the model, and no path.
        """
        if not isinstance(data, dict):
            return data
        found = dict(data)
        if isinstance(found.get("checkpoint"), str) and not found.get("endpoint"):
            found["checkpoint"] = _absolute(found["checkpoint"])
        if isinstance(found.get("companions"), dict):
            found["companions"] = {
                part: _absolute(at) if isinstance(at, str) else at
                for part, at in found["companions"].items()
            }
        return found

    @field_validator("options", "chat_template_kwargs")
    @classmethod
    def _truths(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name, value in given.items():
            if isinstance(value, str) and value.lower() in {"true", "false"}:
                raise ValueError(f"{name} = {value!r} is a text: write {value.lower()}")
        return given

    @model_validator(mode="after")
    def _revision_of_a_repository(self) -> ModelSettings:
        if self.revision and self.checkpoint and is_local(self.checkpoint) and not self.endpoint:
            raise ValueError(f"{self.checkpoint} is no repository: it has no revision")
        return self

    def shaping(self) -> dict[str, Any]:
        """Return the settings that shape results, those that are set.

        Paths and revisions are not among them: weights are told by their content or their commit
        (`Setup.identity`).
        """
        hidden = {*_RUNTIME, "revision"}
        data = self.model_dump(mode="json", exclude=hidden, exclude_defaults=True)
        if self.checkpoint and is_local(self.checkpoint):
            del data["checkpoint"]
        kept = {name: at for name, at in self.companions.items() if not is_local(at)}
        data.pop("companions", None)
        return data | ({"companions": kept} if kept else {})

    def published(self) -> dict[str, Any]:
        """Return the shaping settings, and of local files the name without the folder."""
        data = self.shaping()
        if self.checkpoint:
            data["checkpoint"] = _name(self.checkpoint)
        if self.companions:
            data["companions"] = {part: _name(at) for part, at in self.companions.items()}
        return data


def is_local(text: str) -> bool:
    """Say whether a recipe's checkpoint is a path, and not a repository `owner/name` on the Hub."""
    return _REPOSITORY.fullmatch(text) is None or text.endswith(_FILES)


def _absolute(text: str) -> str:
    path = Path(text).expanduser()
    return str(path.resolve()) if is_local(text) or path.exists() else text


def _name(text: str) -> str:
    return Path(text).name if is_local(text) else text
