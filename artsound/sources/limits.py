"""What a file may not exceed or fall short of, and the error of one that does."""

from __future__ import annotations

from dataclasses import dataclass

from artsound.schema import Reason


@dataclass(frozen=True)
class MediaLimits:
    """The limits of the media checks; a recipe holds the same numbers.

    Attributes:
        max_image_pixels: checked before decoding, against decompression bombs; Pillow itself
            refuses more than the default.
        max_image_bytes: of the file.
        min_image_side: in pixels; a smaller picture shows nothing to caption.
        max_audio_bytes: of the file.
        min_audio_s: of decoded audio, in seconds.
        max_audio_s: of decoded audio, in seconds; decoding stops there.
        silence_dbfs: a clip whose peak stays below it is silent. At 16 bits, -60 dBFS is a peak of
            33 steps: dither and codec noise, no music.
    """

    max_image_pixels: int = 178_956_970
    max_image_bytes: int = 256 * 2**20
    min_image_side: int = 16
    max_audio_bytes: int = 256 * 2**20
    min_audio_s: float = 5.0
    max_audio_s: float = 3600.0
    silence_dbfs: float = -60.0


class MediaError(Exception):
    """A file cannot be used.

    Attributes:
        reason: out of the vocabulary.
        detail: for people; may be empty.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
