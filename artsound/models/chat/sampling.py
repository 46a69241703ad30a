"""What a chat request says of how the reply is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artsound.errors import UsageError
from artsound.models.settings import ModelSettings

# Fields that vLLM takes beside those of `ModelSettings`, with numbers for values.
_FURTHER: Final = ("frequency_penalty", "min_p", "presence_penalty", "repetition_penalty")

Option = str | int | float | bool


@dataclass(frozen=True)
class Sampling:
    """How replies are sampled; None leaves a value to the endpoint.

    Attributes:
        max_tokens: the longest reply.
        temperature: 0 is greedy.
        top_p: nucleus of the sampling.
        top_k: likewise, in tokens.
        seed: the first attempt is asked with `seed + 1`, the second with `seed + 2`, and so on.
        chat_template_kwargs: passed to the model's template.
        further: other fields of the body, by name.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    seed: int = 0
    chat_template_kwargs: Mapping[str, Option] = field(default_factory=dict)
    further: Mapping[str, Option] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: ModelSettings) -> Sampling:
        """Return the sampling that a recipe wants."""
        return cls(
            settings.max_tokens,
            settings.temperature,
            settings.top_p,
            settings.top_k,
            settings.seed,
            settings.chat_template_kwargs,
            {name: settings.options[name] for name in _FURTHER if name in settings.options},
        )

    def fields(self, attempt: int) -> dict[str, Any]:
        """Return the fields of a request's body."""
        wanted = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "seed": self.seed + attempt,
            "chat_template_kwargs": dict(self.chat_template_kwargs) or None,
            **self.further,
        }
        return {name: value for name, value in wanted.items() if value is not None}


def check_options(model: str, options: Mapping[str, Option], own: Mapping[str, type]) -> None:
    """Refuse options that a chat model does not have.

    Args:
        model: its registry name.
        options: what the recipe says.
        own: the options of its role, with their types.

    Raises:
        UsageError: an option is unknown or of another type; the message lists what there is.
    """
    known: dict[str, type] = {**own, **dict.fromkeys(_FURTHER, float)}
    for name, value in options.items():
        if name not in known:
            raise UsageError(
                f"models.{model}.options.{name}: no such option; there are"
                f" {', '.join(sorted(known))}"
            )
        fits = isinstance(value, known[name]) or (known[name] is float and isinstance(value, int))
        if not fits or isinstance(value, bool) != (known[name] is bool):
            raise UsageError(
                f"models.{model}.options.{name} = {value!r}: give it a {known[name].__name__}"
            )
