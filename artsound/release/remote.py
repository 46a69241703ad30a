"""A release on the Hub: what is in its repository, and whether that is what its manifest says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artsound.errors import UsageError
from artsound.release.hub import (
    Say,
    check_repo_id,
    explained,
    hub_api,
    is_repo_id,
    patiently,
    silent,
)
from artsound.release.manifest import NAME, read_manifest, verify

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# The Hub puts it there; it says which files are large, and belongs to no release.
HUBS_OWN: Final = frozenset({".gitattributes"})
_THREADS: Final = 4


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository, as the Hub's listing has it.

    Attributes:
        size: bytes.
        blob_id: the git blob id; of a large file, that of its pointer.
        sha256: of a large file; None for a file that git holds itself.
    """

    size: int
    blob_id: str
    sha256: str | None

    def is_file(self, path: Path, sha256: str) -> bool:
        """Say whether a local file, whose SHA-256 is known, has the same content."""
        if self.sha256 is not None:
            return self.sha256 == sha256
        return self.size == path.stat().st_size and self.blob_id == git_blob_id(path.read_bytes())


@dataclass(frozen=True)
class Checked:
    """What `verify_remote` found.

    Attributes:
        commit: the commit that was looked at.
        files: how many files the manifest has.
        problems: a line for each file that is not as the manifest says.
    """

    commit: str
    files: int
    problems: tuple[str, ...]


def git_blob_id(data: bytes) -> str:
    """Return the id by which git knows a file's content."""
    header = f"blob {len(data)}\0".encode()
    return hashlib.sha1(header + data, usedforsecurity=False).hexdigest()


def list_files(api: HfApi, repo_id: str, revision: str) -> dict[str, RemoteFile]:
    """Return the files of a dataset repository at a revision, by path."""
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type="dataset")
    return {
        entry.path: RemoteFile(
            entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs is not None else None
        )
        for entry in tree
        if isinstance(entry, RepoFile)
    }


def read_remote_manifest(
    repo_id: str, revision: str, files: Mapping[str, RemoteFile]
) -> dict[str, Any] | None:
    """Return the manifest of the release in a repository; None if it holds no release."""
    if NAME not in files:
        return None
    data = bytearray()
    _read(repo_id, NAME, revision, data.extend)
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    # Other tools have files of this name, too.
    ours = isinstance(found, dict) and "artsound" in found and isinstance(found.get("files"), dict)
    return found if ours else None


def verify_remote(
    repo_id: str, revision: str | None = None, *, download: bool = False, say: Say = silent
) -> Checked:
    """Compare the release in a repository with its manifest.

    Large files are compared by the size and SHA-256 that the Hub stores them under, so no shard is
    downloaded; small ones, which git holds, are read and hashed.

    Args:
        repo_id: `NAMESPACE/NAME` of a dataset repository.
        revision: a branch, tag or commit; the main branch if None.
        download: read every byte of the large files too; nothing is kept on disk.
        say: told what takes time.

    Raises:
        UsageError: the repository holds no release, or there is no such revision.
        ArtsoundError: it cannot be read.
    """
    check_repo_id(repo_id)
    with explained(repo_id):
        api = hub_api()
        info = patiently(lambda: api.dataset_info(repo_id, revision=revision), say)
        commit = str(info.sha)
        files = list_files(api, repo_id, commit)
        manifest = read_remote_manifest(repo_id, commit, files)
        if manifest is None:
            raise UsageError(
                f"{repo_id} holds no release (no {NAME} of one): `artsound push` puts one there"
            )
        expected: dict[str, dict[str, Any]] = manifest["files"]
        if download:
            total = sum(file.size for name, file in files.items() if name in expected)
            say(f"reading {total / 1e6:,.1f} MB of {repo_id}")

        def problem(name: str) -> str | None:
            return _problem(repo_id, name, commit, files.get(name), expected[name], download)

        with ThreadPoolExecutor(_THREADS) as pool:
            found = [line for line in pool.map(problem, expected) if line]
    strangers = sorted(files.keys() - expected.keys() - HUBS_OWN - {NAME})
    found += [f"{name}: not in the manifest" for name in strangers]
    return Checked(commit, len(expected), tuple(found))


def verify_anywhere(
    release: str, revision: str | None = None, *, download: bool = False, say: Say = silent
) -> tuple[int, Sequence[str]]:
    """Compare a release with its manifest: a folder if there is one, else a repository.

    Returns:
        How many files its manifest has, and a line for each that is not as it says.
    """
    folder = Path(release).expanduser()
    if folder.exists() or not is_repo_id(release):
        if revision is not None or download:
            raise UsageError(f"{release} is no repository: leave out --revision and --download")
        return len(read_manifest(folder)["files"]), verify(folder)
    checked = verify_remote(release, revision, download=download, say=say)
    return checked.files, checked.problems


def _problem(
    repo_id: str,
    name: str,
    commit: str,
    file: RemoteFile | None,
    expected: Mapping[str, Any],
    download: bool,
) -> str | None:
    if file is None:
        return f"{name}: missing"
    if file.size != expected["bytes"]:
        return f"{name}: {file.size} bytes, expected {expected['bytes']}"
    sha256 = file.sha256
    if sha256 is None or download:
        digest = hashlib.sha256()
        _read(repo_id, name, commit, digest.update)
        sha256 = digest.hexdigest()
    return None if sha256 == expected["sha256"] else f"{name}: the checksum differs"


def _read(repo_id: str, name: str, commit: str, take: Callable[[bytes], object]) -> None:
    """Hand a file's bytes to `take`, in order; where the line breaks, go on from there."""
    from huggingface_hub import get_session, get_token, hf_hub_url, hf_raise_for_status

    token = get_token()
    url = hf_hub_url(repo_id, name, repo_type="dataset", revision=commit)
    done = 0

    def rest() -> None:
        nonlocal done
        headers = {"Accept-Encoding": "identity"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if done:
            headers["Range"] = f"bytes={done}-"
        with get_session().stream("GET", url, headers=headers) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            again = done if response.status_code == HTTPStatus.OK else 0  # it knows no ranges
            for chunk in response.iter_raw():
                new = chunk[again:]
                again -= len(chunk) - len(new)
                take(new)
                done += len(new)

    patiently(rest)
