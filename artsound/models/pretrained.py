"""Loading models and tokenizers from folders as transformers lays them out on disk.

transformers meets a wrong or damaged folder with many kinds of exception, or with randomly
initialised weights and a warning. Here every such folder is one line that names the file and the
remedy. Weights are read by `checkpoints.read_tensors`: safetensors, or the `pytorch_model.bin` of
older repositories under `weights_only=True`. No code that comes with a model is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from artsound.models.checkpoints import CheckpointError, read_tensors
from artsound.models.fast_linear import speed_up

Model = TypeVar("Model", bound=PreTrainedModel)
Tokenizer = TypeVar("Tokenizer", bound=PreTrainedTokenizerBase)

_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
_AGAIN: Final = "download the repository again"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars and warnings while a model loads or generates."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Return a JSON file of a model's folder.

    Raises:
        CheckpointError: there is no such folder or file, or it holds no JSON object.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise CheckpointError(
            f"{folder} {found}: give the folder of a model in transformers' layout, with its {name}"
        )
    path = folder / name
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} has no {name}: {_AGAIN}") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged ({_one_line(error)}): {_AGAIN}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object: {_AGAIN}")
    return content


def model_type(folder: Path, wanted: Collection[str]) -> str:
    """Return the `model_type` of a folder's config.json.

    Raises:
        CheckpointError: it is none of those wanted, or there is no readable config.
    """
    found = read_json(folder, "config.json").get("model_type")
    if found not in wanted:
        raise CheckpointError(
            f"{folder / 'config.json'} is of a {found} model, not of"
            f" {' or '.join(sorted(wanted))}: give the folder of one"
        )
    return str(found)


def load_model(
    kind: type[Model],
    folder: Path,
    *,
    device: torch.device | str,
    dtype: torch.dtype,
    unused: str = r"(?!)",
    options: dict[str, Any] | None = None,
) -> Model:
    """Return a model in inference mode, every one of its weights from the folder.

    Args:
        kind: its class in transformers.
        folder: with config.json and model.safetensors or pytorch_model.bin, whole or in shards.
        device: where it computes.
        dtype: what it computes in.
        unused: a regular expression for weights of the folder that this class has no use for, such
            as the head of a language model; anything else that is left over is refused.
        options: further arguments of the class.

    Raises:
        CheckpointError: the folder is missing, incomplete, damaged or of another model.
    """
    config_class: Any = kind.config_class
    loader: Any = kind
    model_type(folder, {config_class.model_type})
    tensors = _read_weights(folder)
    with quiet():
        try:
            config = config_class.from_pretrained(folder, local_files_only=True)
            model, report = loader.from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below, in one line
                **(options or {}),
            )
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            raise CheckpointError(
                f"{folder} cannot be loaded as {kind.__name__} ({_one_line(error)}): {_AGAIN}"
            ) from error
    _refuse_misfits(kind, folder, report, unused)
    loaded: Model = model.to(device).eval()
    return speed_up(loaded)


def load_tokenizer(
    kind: type[Tokenizer], folder: Path, vocabulary: int, **options: Any
) -> Tokenizer:
    """Return a tokenizer whose tokens the model has embeddings for.

    Args:
        kind: its class in transformers.
        folder: with tokenizer.json, or with vocab.json and merges.txt, or with vocab.txt.
        vocabulary: how many embeddings the model has.
        options: further arguments of the class.

    Raises:
        CheckpointError: its files are missing, damaged or of another model.
    """
    has = [{"tokenizer.json"}, {"vocab.json", "merges.txt"}, {"vocab.txt"}]
    # Without its files transformers makes up an empty tokenizer and says nothing.
    if not any(all((folder / name).is_file() for name in names) for names in has):
        raise CheckpointError(
            f"{folder} has no tokenizer: it needs tokenizer.json, or vocab.json and merges.txt, or"
            f" vocab.txt; {_AGAIN}"
        )
    with quiet():
        try:
            tokenizer: Tokenizer = kind.from_pretrained(folder, local_files_only=True, **options)
            probe = tokenizer("a", add_special_tokens=False)["input_ids"]
        except Exception as error:  # the tokenizers library raises bare exceptions
            raise CheckpointError(
                f"the tokenizer in {folder} is damaged ({_one_line(error)}): {_AGAIN}"
            ) from error
    if not probe or probe == [tokenizer.unk_token_id] or len(tokenizer) > vocabulary:
        raise CheckpointError(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens and the model {vocabulary}:"
            f" they are not of one model; {_AGAIN}"
        )
    return tokenizer


def max_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens a text encoder reads, the special ones too.

    RoBERTa counts its positions from the one after its padding token's.
    """
    config: Any = model.config
    offset = config.pad_token_id + 1 if config.model_type in {"roberta", "clap_text_model"} else 0
    return min(int(tokenizer.model_max_length), int(config.max_position_embeddings) - offset)


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return read_tensors(folder / name)
        if (folder / f"{name}.index.json").is_file():
            shards = read_json(folder, f"{name}.index.json").get("weight_map")
            if not isinstance(shards, dict):
                raise CheckpointError(f"{folder / name}.index.json has no weight_map: {_AGAIN}")
            tensors: dict[str, torch.Tensor] = {}
            for shard in sorted(set(shards.values())):
                tensors |= read_tensors(folder / str(shard))
            return tensors
    raise CheckpointError(f"{folder} holds no weights: it needs {' or '.join(_WEIGHTS)}; {_AGAIN}")


def _refuse_misfits(kind: type[Model], folder: Path, report: dict[str, Any], unused: str) -> None:
    shapes = {name: (found, wanted) for name, found, wanted in report["mismatched_keys"]}
    complaints = [
        *(f"{name} is missing" for name in sorted(report["missing_keys"])),
        *(
            f"{name} is not expected"
            for name in sorted(report["unexpected_keys"])
            if not re.search(unused, name)
        ),
        *(
            f"{name} has the shape {tuple(found)}, not {tuple(wanted)}"
            for name, (found, wanted) in sorted(shapes.items())
        ),
        *(_one_line(error) for error in report.get("error_msgs", ())),
    ]
    if complaints:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        raise CheckpointError(
            f"{folder} does not hold the weights of a {kind.__name__}: {complaints[0]}{more};"
            f" {_AGAIN}, or give one of the right model"
        )


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
