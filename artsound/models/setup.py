"""How a recipe wants one model: what its class is given to load or reach it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from artsound.errors import ArtsoundError, UsageError
from artsound.models import weights as store
from artsound.models.entry import Entry, Weights
from artsound.models.settings import ModelSettings, is_local

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """One model of a recipe.

    Attributes:
        name: its registry name.
        entry: what the registry knows of it.
        settings: what the recipe says of it.
        served_at: base URL of a server that the build has started for it.
        cache: the folder of the build's request cache; None for none.
        pin: `repository@commit` of the weights that the workspace was begun with: where no revision
            is set, that commit is loaded, wherever the repository's `main` has moved.
    """

    name: str
    entry: Entry
    settings: ModelSettings = field(default_factory=ModelSettings)
    served_at: str | None = None
    cache: Path | None = None
    pin: str = ""

    def weights(self, companion: str = "") -> Weights | None:
        """Return the weights that would be loaded, the recipe's repository and revision applied.

        Returns:
            None where the recipe gives a local path, or the model has no weights of its own.
        """
        given = self.settings.companions.get(companion) if companion else self.settings.checkpoint
        known = self.entry.companions[companion] if companion else self.entry.weights
        if given is not None:
            if is_local(given):
                return None
            known = Weights(given, file=known.file or known.url.rpartition("/")[2] if known else "")
        if known is None or companion:
            return known
        if self.settings.revision:
            return replace(known, revision=self.settings.revision)
        if self.pin.startswith(f"{known.repository}@") and not known.revision:
            return replace(known, revision=self.pin.partition("@")[2])
        return known

    def checkpoint(self, companion: str = "") -> Path:
        """Return the file or folder of the weights, downloading what is not there yet.

        Args:
            companion: the name of what is needed beside the weights; the weights themselves if
                empty.

        Raises:
            UsageError: the recipe's path does not exist.
            ArtsoundError: the weights are not here and cannot be brought; says what to do.
        """
        weights = self.weights(companion)
        if weights is not None:
            return store.pull(self.name, weights, companion)
        given = self.settings.companions.get(companion) if companion else self.settings.checkpoint
        if given is None:
            raise ArtsoundError(f"{self.name} has no weights of its own to load")
        path = Path(given).expanduser()
        if not path.exists():
            key = f"companions.{companion}" if companion else "checkpoint"
            known = self.entry.companions[companion] if companion else self.entry.weights
            source = f"; they come from {known.source}" if known else ""
            raise UsageError(
                f"models.{self.name}.{key} = {given!r}: no such file or folder; say where the"
                f" weights are{source}"
            )
        return path

    def endpoint(self) -> str:
        """Return the base URL of the API that serves the model.

        Raises:
            UsageError: nothing serves it.
        """
        url = self.served_at or self.settings.endpoint
        if url is None:
            raise UsageError(
                f"{self.name} is reached over HTTP: say where, --set"
                f" models.{self.name}.endpoint=http://HOST:PORT/v1"
            )
        return url.rstrip("/")

    def served_name(self) -> str:
        """Return what the endpoint calls the model."""
        weights = self.weights()
        return weights.repository if weights else (self.settings.checkpoint or self.name)

    def device(self) -> torch.device:
        """Return where the model computes; with several GPUs, one a worker process.

        Raises:
            UsageError: the recipe wants a GPU and there is none.
        """
        import torch

        from artsound.threads import worker_number

        if self.settings.device == "cpu":
            return torch.device("cpu")
        if torch.cuda.is_available():
            return torch.device("cuda", worker_number() % torch.cuda.device_count())
        if self.settings.device == "cuda":
            raise UsageError(f"models.{self.name}.device = 'cuda': this machine has no usable GPU")
        return torch.device("cpu")

    def dtype(self) -> torch.dtype:
        """Return what the model computes in."""
        import torch

        if self.settings.dtype == "auto":
            return torch.bfloat16 if self.device().type == "cuda" else torch.float32
        return torch.float32 if self.settings.dtype == "float32" else torch.bfloat16

    def option(self, name: str, default: T) -> T:
        """Return the one option of a model that has no other, of the type of its default.

        Raises:
            UsageError: the recipe has options of other names, or a value of another type.
        """
        given = self.settings.options
        for other in given.keys() - {name}:
            raise UsageError(f"models.{self.name}.options.{other}: no such option; there is {name}")
        value = given.get(name, default)
        if type(value) is not type(default):
            raise UsageError(
                f"models.{self.name}.options.{name} = {value!r}: give it a {type(default).__name__}"
            )
        return value

    def refuse_options(self) -> None:
        """Refuse a recipe's options, for a model that has none.

        Raises:
            UsageError: the recipe has options for it.
        """
        for name in self.settings.options:
            raise UsageError(f"models.{self.name}.options.{name}: {self.name} has no options")

    def identity(self) -> dict[str, Any]:
        """Return what the model's results depend on; the same for the same weights anywhere.

        Its `weights` say of each part which they are: `repository@commit`, or a checksum of what
        the recipe names; the part is empty where they are not on this machine. Of a model behind an
        API it is what the API calls it, since nothing more can be known.
        """
        known: dict[str, Any] = {"name": self.name, **self.settings.shaping()}
        if self.entry.served:
            known["weights"] = {"model": self._served_weights()}
            return known
        parts = ["", *self.entry.companions] if self.entry.weights else []
        known["weights"] = {part or "model": self.revision(part) for part in parts}
        known["dtype"] = str(self.dtype()).removeprefix("torch.")
        return known

    def revision(self, companion: str = "") -> str:
        """Return which weights are on this machine, `repository@commit` or a checksum, or ""."""
        weights = self.weights(companion)
        if weights is None:
            given = self.settings.companions.get(companion) if companion else None
            path = Path(given or self.settings.checkpoint or "").expanduser()
            return store.commit(path) if path.exists() else ""
        found = store.find(self.name, weights)
        if found is None:
            return ""
        name = f"{weights.repository}@" if weights.repository else ""
        return f"{name}{store.commit(found)}"

    def _served_weights(self) -> str:
        if self.weights() is None and not self.settings.endpoint and self.settings.checkpoint:
            return self.revision()
        asked = f"@{self.settings.revision}" if self.settings.revision else ""
        return f"{self.served_name()}{asked}"
