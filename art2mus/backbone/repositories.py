"""Snapshots of models from the Hub, with errors in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx2
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from artsound.errors import ArtsoundError, UsageError
from artsound.models.hub import list_files

_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt")


def download(
    repository: str, revision: str | None, patterns: Sequence[str], *, what: str, option: str
) -> Path:
    """Return the snapshot of a model's repository, downloading what is not here.

    A snapshot that is whole on this machine is taken as it is where there is no network.

    Args:
        repository: `owner/name`.
        revision: a commit, tag or branch; `main` if None.
        patterns: the files that are needed; of weights that are there twice, the pickles are not.
        what: what the error calls it ("the backbone").
        option: the option that names another one.

    Raises:
        UsageError: there is no such repository or revision, or it needs a login.
        ArtsoundError: it is not here and cannot be downloaded.
    """
    where = f"{what} {repository}{f', revision {revision}' if revision else ''}"
    try:
        files = list_files(repository, revision)
        safe = {file.rpartition("/")[0] for file in files if file.endswith(".safetensors")}
        twice = [f for f in files if f.endswith(_PICKLES) and f.rpartition("/")[0] in safe]
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(patterns),
                ignore_patterns=twice,
            )
        )
    except GatedRepoError as error:
        raise UsageError(
            f"{where} asks its users to accept a licence: do so on its page, and log in with"
            " `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"{where}: no such repository, or it is private: check the name, or log in with"
            " `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{where}: the repository has no such revision") from error
    except HFValidationError as error:
        raise UsageError(f"{where}: this is no repository's name and no folder") from error
    except (OfflineModeIsEnabled, HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        return _from_cache(repository, revision, where, option, error)


def _from_cache(
    repository: str, revision: str | None, where: str, option: str, error: Exception
) -> Path:
    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ArtsoundError(
            f"{where} is not on this machine and cannot be downloaded from here ({reason}):"
            f" download it where there is a network (`hf download {repository}`), or name a folder"
            f" with {option}"
        ) from error
