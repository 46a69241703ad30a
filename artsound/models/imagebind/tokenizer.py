"""ImageBind's tokenizer, which is CLIP's: byte-level BPE, 77 tokens.

The vocabulary comes from a folder in transformers' layout, such as openai/clip-vit-base-patch32, or
from the file `bpe_simple_vocab_16e6.txt.gz` that the authors ship beside their code. Longer texts
lose their end, not their end-of-text token.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from artsound.models.checkpoints import CheckpointError
from artsound.models.imagebind.config import CONTEXT, VOCABULARY
from artsound.models.openai_clip import clean
from artsound.models.pretrained import load_tokenizer

BPE_FILE: Final = "bpe_simple_vocab_16e6.txt.gz"
_START: Final = "<|startoftext|>"
_END: Final = "<|endoftext|>"
# The file goes on after the merges that CLIP's vocabulary has room for.
_MERGES: Final = VOCABULARY - 2 * 256 - 2


class Tokenizer:
    """Texts to tokens.

    Args:
        tokenizer: with CLIP's vocabulary.
    """

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def from_path(cls, path: Path | str) -> Self:
        """Read a vocabulary.

        Args:
            path: a folder with tokenizer.json, or with vocab.json and merges.txt; or the file
                bpe_simple_vocab_16e6.txt.gz, or a folder with it.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        where = Path(path)
        if (where / BPE_FILE).is_file():
            where = where / BPE_FILE
        if where.is_file():
            return cls(_read_merges(where))
        return cls(load_tokenizer(CLIPTokenizer, where, VOCABULARY))

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's tokens, from start-of-text to end-of-text, 77 at most.

        Texts are cleaned as `SimpleTokenizer` in the authors' `models/multimodal_preprocessors.py`
        does it: ftfy, HTML entities, white space, small letters.
        """
        if not texts:
            return []
        found = self._tokenizer(
            [clean(text) for text in texts], truncation=True, max_length=CONTEXT
        )
        tokens: list[list[int]] = found["input_ids"]
        return tokens

    @property
    def end(self) -> int:
        """The end-of-text token."""
        return int(self._tokenizer.eos_token_id)


def _read_merges(path: Path) -> CLIPTokenizer:
    """Return the tokenizer of a merges file, its tokens numbered as OpenAI's CLIP numbers them."""
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise CheckpointError(
            f"{path} is damaged or no {BPE_FILE}: take it from the authors' repository again"
        ) from error
    merges = [tuple(line.split()) for line in lines[1 : 1 + _MERGES] if line]
    if not merges or any(len(merge) != 2 for merge in merges):
        raise CheckpointError(
            f"{path} holds no byte pairs: take {BPE_FILE} from the authors' repository"
        )
    letters = list(bytes_to_unicode().values())  # type: ignore[no-untyped-call]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["".join(merge) for merge in merges]
    numbers = {token: number for number, token in enumerate([*tokens, _START, _END])}
    return CLIPTokenizer(vocab=numbers, merges=merges)  # type: ignore[arg-type]  # pairs, in truth
