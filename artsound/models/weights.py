"""Finding a model's weights on this machine, and downloading them where they are not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx2
from filelock import FileLock
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

from artsound.errors import ArtsoundError
from artsound.models.digests import cache_folder, digest
from artsound.models.entry import Weights
from artsound.models.hub import list_files

# What other frameworks load, and what repositories hold beside a model.
_OTHER: Final = (
    "*.h5",
    "*.msgpack",
    "*.onnx",
    "*.ot",
    "*.tflite",
    "*.gguf",
    "*.mlmodel",
    "onnx/*",
    "openvino/*",
    "original/*",
    "coreml/*",
)
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_COMMIT: Final = 40


class WeightsError(ArtsoundError):
    """Weights are not on this machine and cannot be brought here."""


def find(model: str, weights: Weights) -> Path | None:
    """Return where weights are on this machine, or None: never goes to the network.

    Args:
        model: the model's registry name.
        weights: what is looked for.

    Returns:
        The file, or the folder of the repository's snapshot.
    """
    if not weights.repository:
        path = _downloaded(weights)
        return path if weights.url and path.is_file() else None
    # A repository may hold its weights twice; one kind is enough.
    for ignored in ([*_OTHER, *_PICKLES], [*_OTHER]):
        try:
            folder = Path(
                snapshot_download(
                    weights.repository,
                    revision=weights.revision or None,
                    allow_patterns=[weights.file] if weights.file else None,
                    ignore_patterns=None if weights.file else ignored,
                    local_files_only=True,
                )
            )
        except (LocalEntryNotFoundError, FileNotFoundError, HFValidationError):
            continue
        if weights.file and (folder / weights.file).is_file():
            return folder / weights.file
        if not weights.file and _whole(folder):
            return folder
    return None


def pull(
    model: str,
    weights: Weights,
    companion: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Return where weights are on this machine, after downloading what is not there yet.

    Args:
        model: the model's registry name.
        weights: what is wanted.
        companion: what of the model's companions it is; empty for the weights themselves.
        say: told what is downloaded, a line each.

    Raises:
        WeightsError: they cannot be downloaded; says why and what to do.
    """
    found = find(model, weights)
    if found is not None:
        return found
    what = f"{companion} of {model}" if companion else model
    setting = f"models.{model}.{f'companions.{companion}' if companion else 'checkpoint'}"
    if weights.page:
        raise WeightsError(
            f"no program may download the weights of {what}: get the file from {weights.page}"
            f" and say where it is: --set {setting}=FILE"
        )
    elsewhere = (
        f"{what} ({weights.source}) is not on this machine and cannot be downloaded from here:"
        f" run `artsound models pull --model {model}` where there is a network, or say where it"
        f" is: --set {setting}=PATH"
    )
    size = f" ({weights.gigabytes:.1f} GB)" if weights.gigabytes else ""
    say(f"downloading {what}: {weights.source}{size}")
    if weights.repository:
        return _from_hub(model, weights, elsewhere)
    return _from_url(model, weights, elsewhere)


def commit(path: Path) -> str:
    """Return what tells weights on disk from others: the Hub's commit, or a checksum of them."""
    for part in (path, *path.parents):
        if part.parent.name == "snapshots" and len(part.name) == _COMMIT:
            return part.name
    return f"sha256:{digest(path)}"


def _from_hub(model: str, weights: Weights, elsewhere: str) -> Path:
    where = f"{weights.repository}, revision {weights.revision or 'main'}"
    try:
        files = list_files(weights.repository, weights.revision or None)
        if weights.file and weights.file not in files:
            raise WeightsError(f"{where} has no file {weights.file}: is it the right repository?")
        folder = Path(
            snapshot_download(
                weights.repository,
                revision=weights.revision or None,
                allow_patterns=[weights.file] if weights.file else None,
                ignore_patterns=None if weights.file else _ignored(files),
            )
        )
    except GatedRepoError as error:
        raise WeightsError(
            f"{where} asks its users to accept a licence: do so on its page, and log in with"
            " `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise WeightsError(
            f"{where}: no such repository, or it is private: check the name, or log in with"
            " `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise WeightsError(
            f"{where}: no such revision: set models.{model}.revision to one that it has"
        ) from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise WeightsError(elsewhere) from error
    except HFValidationError as error:
        raise WeightsError(
            f"{weights.repository!r} is no repository and no path ({_one_line(error)}): set"
            f" models.{model}.checkpoint to one"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise WeightsError(f"{elsewhere} ({_one_line(error)})") from error
    return folder / weights.file if weights.file else folder


def _ignored(files: Sequence[str]) -> list[str]:
    """Return what not to download: other frameworks' weights, and pickles beside safetensors."""
    ignored = list(_OTHER)
    folders = {file.rpartition("/")[0] for file in files if file.endswith(".safetensors")}
    for file in files:
        if file.endswith((".bin", ".pt", ".pth", ".ckpt")) and file.rpartition("/")[0] in folders:
            ignored.append(file)
    return ignored


def _whole(folder: Path) -> bool:
    """Say whether a snapshot holds weights or a tokenizer, and every shard of the weights.

    Caches of older versions of huggingface_hub do not know what they lack.
    """
    indices = list(folder.rglob("*.index.json"))
    for index in indices:
        shards = json.loads(index.read_text("utf-8")).get("weight_map", {})
        if not all((index.parent / shard).exists() for shard in set(shards.values())):
            return False
    if indices:
        return True
    held = {".safetensors", ".bin", ".pt", ".pth"}
    vocabularies = {"tokenizer.json", "vocab.json", "vocab.txt"}
    return any(file.suffix in held or file.name in vocabularies for file in folder.rglob("*"))


def _downloaded(weights: Weights) -> Path:
    place = hashlib.sha256(weights.url.encode()).hexdigest()[:16]
    return cache_folder() / "downloads" / place / weights.url.rpartition("/")[2]


def _from_url(model: str, weights: Weights, elsewhere: str) -> Path:
    """Download a file, continuing where an earlier attempt was cut off.

    One process downloads; others that want the same file wait for it.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise WeightsError(elsewhere)
    path = _downloaded(weights)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                _fetch(weights.url, path)
    except (httpx2.HTTPError, OSError) as error:
        raise WeightsError(f"{elsewhere} ({_one_line(error)})") from error
    return path


def _fetch(url: str, path: Path) -> None:
    part, kept = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.etag")
    have = part.stat().st_size if part.exists() and kept.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        # Only of the same file: if it has changed, the server sends all of it.
        headers |= {"Range": f"bytes={have}-", "If-Range": kept.read_text()}
    with httpx2.stream("GET", url, headers=headers, follow_redirects=True) as reply:
        if reply.status_code == httpx2.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            whole = reply.headers.get("Content-Range", "").rpartition("/")[2]
            if whole != str(have):
                part.unlink()
                raise httpx2.RequestError("what was downloaded before is of another file")
        else:
            reply.raise_for_status()
            continued = reply.status_code == httpx2.codes.PARTIAL_CONTENT
            size = (have if continued else 0) + int(reply.headers.get("Content-Length", 0))
            kept.unlink(missing_ok=True)
            if tag := reply.headers.get("ETag") or reply.headers.get("Last-Modified"):
                kept.write_text(tag)
            with part.open("ab" if continued else "wb") as stream:
                for chunk in reply.iter_bytes():
                    stream.write(chunk)
            if part.stat().st_size < size:
                raise httpx2.RequestError(f"{part.stat().st_size} of {size} bytes came")
    part.replace(path)
    kept.unlink(missing_ok=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
