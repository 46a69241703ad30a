"""Asking the Hub once, before a download.

Where there is no network, huggingface_hub's own listings and downloads ask again for half a minute,
with a warning each time, and no setting of it says otherwise. A single request fails at once.
"""

from __future__ import annotations

from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT


def list_files(repository: str, revision: str | None) -> list[str]:
    """Return the paths of a model repository's files.

    Raises:
        HTTPError: httpx2's and, of that kind, huggingface_hub's for what the Hub answers.
        HFValidationError: it is no repository's name.
        OfflineModeIsEnabled: HF_HUB_OFFLINE is set.
    """
    found = HfApi().model_info(repository, revision=revision, timeout=HF_HUB_ETAG_TIMEOUT)
    return [file.rfilename for file in found.siblings or ()]


def reach_dataset(repository: str, file: str, revision: str | None) -> None:
    """Find out whether a dataset repository can be asked for a file, unless that is here already.

    Raises:
        HTTPError: httpx2's and, of that kind, huggingface_hub's for what the Hub answers.
        HFValidationError: it is no repository's name.
        OfflineModeIsEnabled: HF_HUB_OFFLINE is set.
    """
    here = try_to_load_from_cache(repository, file, repo_type="dataset", revision=revision)
    if not isinstance(here, str):
        HfApi().dataset_info(repository, revision=revision, timeout=HF_HUB_ETAG_TIMEOUT)
