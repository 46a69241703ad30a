"""AudioLDM 2, frozen: its parts, each loaded when it is first used.

Source: the paper, section 4.1; the layout on disk is that of diffusers' `AudioLDM2Pipeline`.
"""

from __future__ import annotations

import gc
import hashlib
from pathlib import Path
from typing import Any, Final, Self

import torch

from art2mus.backbone.files import (
    DEFAULT,
    PARTS,
    Layout,
    find_backbone,
    read_layout,
)
from artsound.errors import UsageError
from artsound.models.digests import digest
from artsound.models.pretrained import read_json

__all__ = ["DEFAULT", "Backbone"]

_LOA_TOKENS: Final = 8


class Backbone:
    """The parts of an AudioLDM 2, in eval mode and without gradients of their own.

    `unet`, `vae`, `vocoder`, `language_model` (the base of GPT-2, whichever way it is declared),
    `text_encoder_2` with `tokenizer_2` (FLAN-T5), `text_encoder` with `tokenizer` (CLAP),
    `projection_model` and `scheduler` are loaded on first use and kept until `release`.

    Args:
        folder: where the files are.
        layout: what they are.
        name: the repository, or the folder's absolute path.
        revision: the repository's commit; empty for a folder.
        dtype: what the parts compute in.
        device: where.

    Attributes:
        name: see above.
        revision: see above.
        toy: whether this is a small prior that was trained for demonstrations.
        sample_rate: of the vocoder, in Hz.
        loa_tokens: how many Language-of-Audio tokens GPT-2 generates: 8.
        hidden_dim: the size of GPT-2's vectors: 768.
        positions: how many vectors GPT-2 can read: 1,024.
    """

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        *,
        name: str,
        revision: str,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.folder = folder
        self.name = name
        self.revision = revision
        self.dtype = dtype
        self.device = device
        self.toy = layout.toy
        self.sample_rate = layout.sample_rate
        self._layout = layout
        gpt2 = read_json(folder / "language_model", "config.json")
        self.hidden_dim = int(gpt2.get("n_embd", 768))
        self.positions = int(gpt2.get("n_positions", 1024))
        self.loa_tokens = int(gpt2.get("max_new_tokens") or _LOA_TOKENS)
        self._loaded: dict[str, Any] = {}
        self._fingerprint = ""

    @classmethod
    def open(
        cls,
        name_or_path: str | Path = DEFAULT,
        *,
        revision: str | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Find a backbone and check its files at once; nothing is loaded yet.

        Args:
            name_or_path: a folder, or a repository on the Hub, which is downloaded if it is not
                here yet.
            revision: a commit, tag or branch of the repository.
            dtype: what the parts compute in.
            device: where.

        Raises:
            UsageError: there is no such folder or repository, or a folder is given a revision.
            ArtsoundError: it is no AudioLDM 2, incomplete or cut off, or cannot be downloaded.
        """
        folder, name, commit = find_backbone(str(name_or_path), revision)
        layout = read_layout(folder)
        return cls(
            folder, layout, name=name, revision=commit, dtype=dtype, device=torch.device(device)
        )

    @property
    def fingerprint(self) -> str:
        """What tells its weights from others, in hexadecimal: by `repository@commit` or content.

        The content is that of all parts; 4.6 GiB are read once, as long as they do not change.
        """
        if not self._fingerprint:
            known = f"{self.name}@{self.revision}"
            if not self.revision:
                parts = ((part, digest(self.folder / part)) for part in sorted(PARTS))
                known = "\n".join(f"{part} {found}" for part, found in parts)
            self._fingerprint = hashlib.sha256(known.encode()).hexdigest()
        return self._fingerprint

    def release(self, *parts: str) -> None:
        """Let parts go, and the memory that they take; all of them if none is named.

        What is asked for again is loaded again.

        Raises:
            UsageError: there is no such part.
        """
        for part in parts:
            if part not in PARTS:
                raise UsageError(f"no part {part!r}: there are {', '.join(PARTS)}")
        for part in parts or tuple(self._loaded):
            self._loaded.pop(part, None)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def part(self, name: str) -> Any:
        """Return a part by its name, loading it if it is not there.

        Raises:
            CheckpointError: its files are damaged or of another model.
        """
        if name not in self._loaded:
            # diffusers and transformers take seconds to import, and a wrong name comes first.
            from art2mus.backbone.parts import load_part

            self._loaded[name] = load_part(
                self.folder, name, self._layout.classes[name], self.dtype, self.device
            )
        return self._loaded[name]

    @property
    def unet(self) -> Any:
        """The T-UNet, `AudioLDM2UNet2DConditionModel`."""
        return self.part("unet")

    @property
    def vae(self) -> Any:
        """The VAE of mel-spectrograms, `AutoencoderKL`."""
        return self.part("vae")

    @property
    def vocoder(self) -> Any:
        """Mel-spectrograms to sound, `SpeechT5HifiGan`."""
        return self.part("vocoder")

    @property
    def language_model(self) -> Any:
        """`GPT2Model`."""
        return self.part("language_model")

    @property
    def text_encoder(self) -> Any:
        """`ClapModel`."""
        return self.part("text_encoder")

    @property
    def tokenizer(self) -> Any:
        """CLAP's tokenizer, `RobertaTokenizer`."""
        return self.part("tokenizer")

    @property
    def text_encoder_2(self) -> Any:
        """FLAN-T5's encoder, `T5EncoderModel`."""
        return self.part("text_encoder_2")

    @property
    def tokenizer_2(self) -> Any:
        """`T5Tokenizer`."""
        return self.part("tokenizer_2")

    @property
    def projection_model(self) -> Any:
        """`AudioLDM2ProjectionModel`."""
        return self.part("projection_model")

    @property
    def scheduler(self) -> Any:
        """`DDIMScheduler`."""
        return self.part("scheduler")
