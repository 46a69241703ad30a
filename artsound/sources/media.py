"""Decoding and checking images and audio, by content and whole.

A check never raises for bad input: it says `rejected` and why, out of `schema.Reason`. What can be
put right is put right, and images say how in `repairs`.
"""

from artsound.sources.audio import AudioCheck, FloatArray, check_audio, decode_audio
from artsound.sources.images import (
    CONVERTED,
    DETECTED,
    FLATTENED,
    ORIENTED,
    ImageCheck,
    check_image,
    decode_image,
)
from artsound.sources.limits import MediaError, MediaLimits

__all__ = [
    "CONVERTED",
    "DETECTED",
    "FLATTENED",
    "ORIENTED",
    "AudioCheck",
    "FloatArray",
    "ImageCheck",
    "MediaError",
    "MediaLimits",
    "check_audio",
    "check_image",
    "decode_audio",
    "decode_image",
]
