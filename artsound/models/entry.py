"""What the registry knows of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from artsound.models.base import Modality


@dataclass(frozen=True)
class Weights:
    """Where weights come from when they are not part of a Python package.

    Attributes:
        repository: their repository on the Hub; empty for weights that are not there.
        revision: the commit that results were meant for; empty where none is pinned: the branch
            `main` is taken then, and the commit that it is at is recorded.
        file: the one file of the repository that is needed; empty for a folder that transformers
            or diffusers reads.
        url: where the file is downloaded from, for weights that are not on the Hub.
        page: where a person gets the file, for weights that no program may download.
        gigabytes: size of the download, about.
    """

    repository: str = ""
    revision: str = ""
    file: str = ""
    url: str = ""
    page: str = ""
    gigabytes: float = 0.0

    @property
    def source(self) -> str:
        """Where they come from, as tables name it."""
        return self.repository or self.url or self.page


@dataclass(frozen=True)
class Entry:
    """A registered model.

    Attributes:
        target: `module:Class`.
        source: the package or repository that the weights come from, with its version.
        license: the weights' licence, SPDX where there is an id.
        summary: one line for people.
        packages: import names of the packages that it needs, checked before a build starts.
        install: the command that installs them.
        modalities: what an embedder can embed; empty for the other roles.
        weights: what is downloaded, if anything is.
        companions: what else it needs, by the name that its class asks for.
        served: whether it is reached over HTTP, and started by the build where it has no endpoint.
        memory_gb: what it takes to run it, about: of the GPU in bfloat16 for served models.
    """

    target: str
    source: str
    license: str
    summary: str
    packages: tuple[str, ...] = ()
    install: str = ""
    modalities: frozenset[Modality] = frozenset()
    weights: Weights | None = None
    companions: Mapping[str, Weights] = field(default_factory=dict)
    served: bool = False
    memory_gb: float = 0.0
