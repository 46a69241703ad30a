"""`artsound.load`: open a release, from a folder or the Hub, thin over `datasets.load_dataset`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from artsound.errors import ArtsoundError, UsageError
from artsound.release.hub import explained

_MANIFEST: Final = "manifest.json"


def load(
    path_or_repo: str | Path,
    split: str | None = None,
    streaming: bool = False,
    config: str | None = None,
    *,
    revision: str | None = None,
) -> Any:
    """Load a released dataset.

    Where torchcodec is not installed, the `audio` column is decoded with soundfile: a dictionary of
    `array` (float32, shape (samples,) or (samples, channels)), `sampling_rate` in Hz and `path`.
    `filter`, `with_format` and the rest work on it as on any dataset. A `map` that reads the audio
    should drop it (`remove_columns="audio"`): what is kept is encoded anew, slowly, and mono and
    stereo rows cannot be mixed then.

    Args:
        path_or_repo: a release's folder, or a repository on the Hub.
        split: `train`, `test` or `validation`, or a part as in `train[:10%]`; all splits if None.
        streaming: read rows as they are asked for, instead of preparing the whole first.
        config: `default`, `artworks`, `tracks`, `pairs_<strategy>` or `caption_attempts`.
        revision: a branch, tag or commit of the repository.

    Returns:
        What `load_dataset` returns: a dataset, or a dictionary of them by split.

    Raises:
        UsageError: the folder is no release, or there is no such configuration or split.
        ArtsoundError: there is no such repository, or it cannot be read.
    """
    where = _where(path_or_repo, revision)
    builder = _builder(where, config, revision)
    if split is not None:
        _check_split(where, split, builder.config.data_files or ())
    # What `load_dataset` does, but a wrong split is found before anything is downloaded.
    if streaming:
        loaded = builder.as_streaming_dataset(split=split)
    else:
        with explained(where):
            builder.download_and_prepare()
        loaded = builder.as_dataset(split=split)
    if find_spec("torchcodec") is not None:
        return loaded
    if isinstance(loaded, dict):
        for name in list(loaded):
            loaded[name] = _with_soundfile(loaded[name])
        return loaded
    return _with_soundfile(loaded)


def _where(path_or_repo: str | Path, revision: str | None) -> str:
    """Return a repository's name, or the path of a folder that is a release."""
    where = str(path_or_repo)
    folder = Path(where).expanduser()
    meant = isinstance(path_or_repo, Path) or where.startswith((".", "/", "~")) or folder.exists()
    if not meant:
        return where
    if not (folder / _MANIFEST).is_file() or not (folder / "README.md").is_file():
        there = "there is no such folder" if not folder.exists() else f"no {_MANIFEST} in it"
        raise UsageError(f"{folder} is not a release ({there}): `artsound release` writes one")
    if revision is not None:
        raise UsageError(f"{folder} is a folder, which has no revisions: leave `revision` out")
    return str(folder.resolve())


def _builder(where: str, config: str | None, revision: str | None) -> Any:
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetNotFoundError

    try:
        _reach(where, revision)
        with explained(where):
            return load_dataset_builder(where, config, revision=revision)
    except DatasetNotFoundError as error:
        at = f" at revision {revision!r}" if revision else ""
        raise ArtsoundError(
            f"{where}{at} is neither a folder here nor a dataset on the Hub that you may read:"
            " check the name; for a private one set HF_TOKEN, or run `hf auth login`"
        ) from error
    except FileNotFoundError as error:
        raise ArtsoundError(f"{where} holds no data: {_line(error)}") from error
    except ConnectionError as error:
        raise ArtsoundError(
            f"{where} is no folder here, and the Hub cannot be reached: check the path, the network"
            " and HF_HUB_OFFLINE"
        ) from error
    except ValueError as error:
        if config is None and "configurations in the cache" in str(error):
            # Without the Hub, `datasets` has only its cache, which does not know the default.
            return _builder(where, "default", revision)
        names = re.search(r"Available: \[(.*)\]", str(error))
        if config is None or names is None:
            raise ArtsoundError(f"{where} cannot be opened: {_line(error)}") from error
        raise _unknown(
            where, "configuration", config, re.findall(r"'([^']+)'", names[1])
        ) from error


def _reach(where: str, revision: str | None) -> None:
    """Raise ConnectionError at once where the Hub is needed and there is no network."""
    import httpx2
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    from artsound.models.hub import reach_dataset

    if Path(where).exists():
        return
    try:
        reach_dataset(where, "README.md", revision)
    except (httpx2.ConnectError, httpx2.TimeoutException) as error:
        raise ConnectionError(str(error)) from error
    except (httpx2.HTTPError, HFValidationError, OfflineModeIsEnabled):
        return  # `datasets` meets the same, and has its cache


def _check_split(where: str, split: str, known: Iterable[Any]) -> None:
    """Raise UsageError if an expression like `train[:10%]+test` names a split that is not there."""
    names = [str(name) for name in known]
    for part in split.split("+"):
        name = part.partition("[")[0].strip()
        if names and name not in (*names, "all"):
            raise _unknown(where, "split", name, names)


def _unknown(where: str, what: str, given: str, names: list[str]) -> UsageError:
    near = difflib.get_close_matches(given, names, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(f"{where} has no {what} {given!r}: {hint}there is {', '.join(names)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _with_soundfile(dataset: Any) -> Any:
    from datasets import Audio

    from artsound.soundfile_audio import SoundfileAudio

    # A stream's features are known before its first row, from the card or the files' schema.
    audio = [name for name, kind in (dataset.features or {}).items() if isinstance(kind, Audio)]
    for name in audio:
        dataset = dataset.cast_column(name, SoundfileAudio())
    return dataset
