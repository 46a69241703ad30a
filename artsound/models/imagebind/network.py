"""ImageBind's network for images, audio and text.

What the authors compose in `models/imagebind_model.py` and `models/multimodal_preprocessors.py`,
with weights under the authors' names, so that their checkpoint is loaded as it is. Patches of an
image are taken over two equal frames by the authors, which is one frame with the two kernels added.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import torch
from torch import nn
from torch.nn import functional

from artsound.models.checkpoints import load_into, read_tensors
from artsound.models.fast_linear import linear
from artsound.models.imagebind.config import (
    CONTEXT,
    IMAGE_PATCH,
    IMAGE_SIDE,
    MEL_BINS,
    MEL_FRAMES,
    VIDEO_FRAMES,
    VOCABULARY,
    ImageBindConfig,
)
from artsound.models.imagebind.transformer import EPSILON, Transformer

_OTHER_MODALITIES: Final = frozenset({"depth", "thermal", "imu"})
_CAUSAL_MASK: Final = "modality_preprocessors.text.mask"
_MAX_SCALE: Final = 100.0


class Positions(nn.Module):
    """Learnt positions of a class token and the patches."""

    def __init__(self, patches: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + patches, width))


class Patches(nn.Module):
    """Patch embedding, a class token before it, positions added."""

    def __init__(self, projection: nn.Module, patches: int, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.rgbt_stem = projection
        self.pos_embedding_helper = Positions(patches, width)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return tokens, shape (batch, 1 + patches, width)."""
        patches = self.rgbt_stem(inputs)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens + self.pos_embedding_helper.pos_embed


class ImageProjection(nn.Module):
    """Patches of 14 x 14 pixels to tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        size = (VIDEO_FRAMES, IMAGE_PATCH, IMAGE_PATCH)
        self.proj = nn.Sequential(nn.Identity(), nn.Conv3d(3, width, size, stride=size, bias=False))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return tokens, shape (batch, 256, width), of pixels (batch, 3, 224, 224)."""
        weight = self.proj.get_parameter("1.weight")
        kernel = weight.float().sum(2).to(weight.dtype).flatten(1)
        side = IMAGE_SIDE // IMAGE_PATCH
        patches = pixels.view(-1, 3, side, IMAGE_PATCH, side, IMAGE_PATCH)
        return linear(patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2), kernel)


class AudioProjection(nn.Module):
    """Overlapping patches of mel bins and frames to tokens; this LayerNorm's epsilon is 1e-5."""

    def __init__(self, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, kernel, stride=stride, bias=False)
        self.norm_layer = nn.LayerNorm(width)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Return tokens, shape (batch, patches, width), of mels (batch, 1, 128, 204)."""
        tokens: torch.Tensor = self.norm_layer(self.proj(mels).flatten(2).transpose(1, 2))
        return tokens


class TokenEmbedding(nn.Module):
    """Tokens of a text to vectors, positions added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.pos_embed = nn.Parameter(torch.empty(1, CONTEXT, width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return vectors, shape (batch, length, width), of token numbers (batch, length <= 77)."""
        embedded: torch.Tensor = self.token_embedding(tokens) + self.pos_embed[:, : tokens.shape[1]]
        return embedded


class TextHead(nn.Module):
    """Projects a token into the joint space."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.LayerNorm(width, eps=EPSILON), nn.Linear(width, out, bias=False)
        )

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """Return vectors, shape (batch, out), of tokens (batch, width)."""
        projected: torch.Tensor = self.proj(token)
        return projected


class Scale(nn.Module):
    """Unit vectors times a scale that the checkpoint knows the logarithm of, 100 at most."""

    def __init__(self) -> None:
        super().__init__()
        self.log_logit_scale = nn.Parameter(torch.empty([]))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors of the same shape."""
        return vectors * self.log_logit_scale.float().exp().clamp(max=_MAX_SCALE)


class Unit(nn.Module):
    """L2 normalisation, in float32."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors of the same shape."""
        return functional.normalize(vectors.float(), dim=-1)


class ImageBindNetwork(nn.Module):
    """The image, audio and text trunks of ImageBind.

    Args:
        config: its sizes.
    """

    def __init__(self, config: ImageBindConfig) -> None:
        super().__init__()
        self.config = config
        vision, text, audio = config.vision_embed_dim, config.text_embed_dim, config.audio_embed_dim
        kernel, stride, out = config.audio_kernel_size, config.audio_stride, config.out_embed_dim
        heard = ((MEL_BINS - kernel) // stride + 1) * ((MEL_FRAMES - kernel) // stride + 1)
        seen = (IMAGE_SIDE // IMAGE_PATCH) ** 2
        self.modality_preprocessors = nn.ModuleDict(
            {
                "vision": Patches(ImageProjection(vision), seen, vision),
                "text": TokenEmbedding(text),
                "audio": Patches(AudioProjection(audio, kernel, stride), heard, audio),
            }
        )
        self.modality_trunks = nn.ModuleDict(
            {
                "vision": Transformer(
                    vision, config.vision_num_blocks, config.vision_num_heads, first_norm=True
                ),
                "text": Transformer(
                    text, config.text_num_blocks, config.text_num_heads, causal=True
                ),
                "audio": Transformer(
                    audio, config.audio_num_blocks, config.audio_num_heads, bias_tokens=True
                ),
            }
        )
        self.modality_heads = nn.ModuleDict(
            {
                "vision": _class_head(vision, out),
                "text": TextHead(text, out),
                "audio": _class_head(audio, out),
            }
        )
        self.modality_postprocessors = nn.ModuleDict(
            {
                "vision": Unit(),
                "text": nn.Sequential(Unit(), Scale()),
                "audio": nn.Sequential(Unit(), Scale()),
            }
        )

    @classmethod
    def from_checkpoint(cls, path: Path, config: ImageBindConfig) -> Self:
        """Load the authors' checkpoint onto the CPU, in float32, without a copy in memory.

        The weights of the depth, thermal and IMU transformers are not read.

        Raises:
            CheckpointError: the file is missing, damaged or of another model.
        """
        with torch.device("meta"):
            network = cls(config)
        load_into(network, _ours(read_tensors(path)), path)
        return network.eval().requires_grad_(False)

    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return unit vectors, shape (n, out), of pixels (n, 3, 224, 224)."""
        return self._embedded("vision", pixels, _first(pixels))

    def audio(self, mels: torch.Tensor) -> torch.Tensor:
        """Return vectors of length 20, shape (n, out), one a clip, of mels (n, 1, 128, 204)."""
        return self._embedded("audio", mels, _first(mels))

    def texts(self, tokens: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """Return vectors of the learnt length, shape (n, out).

        Args:
            tokens: numbers, shape (n, length); what follows a text's end has no say.
            ends: position of each text's end-of-text token, shape (n,).
        """
        return self._embedded("text", tokens, ends)

    def _embedded(self, modality: str, inputs: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        tokens = self.modality_preprocessors[modality](inputs)
        token = self.modality_trunks[modality](tokens, at)
        head, post = self.modality_heads[modality], self.modality_postprocessors[modality]
        vectors: torch.Tensor = post(head(token))
        return vectors


def _first(inputs: torch.Tensor) -> torch.Tensor:
    """Return the place of the class token in each, shape (n,)."""
    return torch.zeros(len(inputs), dtype=torch.long, device=inputs.device)


def _class_head(width: int, out: int) -> nn.Sequential:
    """Return what projects the class token; the selection of that token is the authors' layer 1."""
    return nn.Sequential(
        nn.LayerNorm(width, eps=EPSILON), nn.Identity(), nn.Linear(width, out, bias=False)
    )


def _ours(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of the three modalities, and whatever is not the authors'."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not (_is_modality(name) and name.split(".")[1] in _OTHER_MODALITIES)
        and name != _CAUSAL_MASK
    }


def _is_modality(name: str) -> bool:
    return name.startswith("modality_") and name.count(".") > 1
