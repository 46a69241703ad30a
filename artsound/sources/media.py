"""Decoding and checking images and audio, by content and whole.

A check never raises for bad input: it says `rejected` and why, out of `schema.Reason`. What can be
put right is put right, and images say how in `repairs`. The checks decode in a process of their
own, since they are the first to meet what the sources hold; decoding afterwards is in this one.
"""

from artsound.sources.audio import AudioCheck, FloatArray, decode_audio
from artsound.sources.images import (
    CONVERTED,
    DETECTED,
    FLATTENED,
    ORIENTED,
    ImageCheck,
    decode_image,
    to_rgb,
)
from artsound.sources.isolated import check_audio, check_image
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
    "to_rgb",
]
