"""`artsound.load`: open a release, from a folder or the Hub, thin over `datasets.load_dataset`."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import soundfile

from artsound.errors import UsageError


def load(
    path_or_repo: str | Path,
    split: str | None = None,
    streaming: bool = False,
    config: str | None = None,
) -> Any:
    """Load a released dataset.

    Where torchcodec is not installed, the `audio` column is decoded with soundfile: a dictionary of
    `array` (float32, shape (samples,) or (samples, channels)), `sampling_rate` in Hz and `path`.

    Args:
        path_or_repo: a release folder, or a repository on the Hub.
        split: `train`, `test` or `validation`; all of them if None.
        streaming: read rows as they are asked for, instead of preparing the whole first.
        config: `default`, `artworks`, `tracks`, `pairs_<strategy>` or `caption_attempts`.

    Returns:
        What `load_dataset` returns: a dataset, or a dictionary of them by split.

    Raises:
        UsageError: there is no such folder, configuration or split.
    """
    from datasets import load_dataset

    where = str(path_or_repo)
    if isinstance(path_or_repo, Path) or where.startswith((".", "/", "~")):
        folder = Path(where).expanduser()
        if not (folder / "README.md").is_file():
            raise UsageError(f"{folder} is not a release: `artsound release` writes one")
        where = str(folder)
    try:
        loaded = load_dataset(where, config, split=split, streaming=streaming)
    except ValueError as error:
        raise UsageError(f"{where}: {str(error).splitlines()[0]}") from error
    if find_spec("torchcodec") is not None:
        return loaded
    if isinstance(loaded, dict):
        for name in list(loaded):
            loaded[name] = _with_soundfile(loaded[name])
        return loaded
    return _with_soundfile(loaded)


def _with_soundfile(dataset: Any) -> Any:
    from datasets import Audio, Dataset

    if "audio" not in (dataset.features or {}):
        return dataset
    undecoded = dataset.cast_column("audio", Audio(decode=False))
    if isinstance(undecoded, Dataset):
        return undecoded.with_transform(_decode_batch)
    return undecoded.map(_decode_row)


def _decode_batch(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    if "audio" in batch:
        batch["audio"] = [_decode(item) for item in batch["audio"]]
    return batch


def _decode_row(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"audio": _decode(row["audio"])}


def _decode(item: dict[str, Any]) -> dict[str, Any]:
    array, rate = soundfile.read(io.BytesIO(item["bytes"]), dtype="float32")
    return {"array": array, "sampling_rate": rate, "path": item["path"]}
