"""The sizes of an ImageBind."""

from __future__ import annotations

from dataclasses import dataclass

IMAGE_SIDE = 224
IMAGE_PATCH = 14
VIDEO_FRAMES = 2
MEL_BINS = 128
MEL_FRAMES = 204
CONTEXT = 77
VOCABULARY = 49_408


@dataclass(frozen=True)
class ImageBindConfig:
    """The sizes that differ between ImageBinds, named as `ImageBindModel`'s arguments are.

    The defaults are those of ImageBind-Huge (`imagebind_huge`), the one that was published.

    Attributes:
        vision_embed_dim: width of the image transformer.
        vision_num_blocks: its depth.
        vision_num_heads: its attention heads.
        text_embed_dim: likewise of the text transformer.
        text_num_blocks: its depth.
        text_num_heads: its attention heads.
        audio_embed_dim: likewise of the audio transformer.
        audio_num_blocks: its depth.
        audio_num_heads: its attention heads.
        audio_kernel_size: side of an audio patch, in mel bins and frames.
        audio_stride: from one audio patch to the next; patches overlap.
        out_embed_dim: dimension of the joint space.

    Raises:
        ValueError: a size is no positive whole number, or a width is no multiple of its heads.
    """

    vision_embed_dim: int = 1280
    vision_num_blocks: int = 32
    vision_num_heads: int = 16
    text_embed_dim: int = 1024
    text_num_blocks: int = 24
    text_num_heads: int = 16
    audio_embed_dim: int = 768
    audio_num_blocks: int = 12
    audio_num_heads: int = 12
    audio_kernel_size: int = 16
    audio_stride: int = 10
    out_embed_dim: int = 1024

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} is {size!r}: it must be a positive whole number")
        for modality in ("vision", "text", "audio"):
            width, heads = (
                getattr(self, f"{modality}_{what}") for what in ("embed_dim", "num_heads")
            )
            if width % heads:
                raise ValueError(
                    f"{modality}_embed_dim is {width}, no multiple of {modality}_num_heads, {heads}"
                )
