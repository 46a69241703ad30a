"""Files cut at many places: whatever still passes shows or plays everything."""

from __future__ import annotations

import numpy as np
import pytest

from artsound.schema import Reason, Status
from artsound.sources.cut import is_cut
from artsound.sources.media import MediaError, MediaLimits, check_audio, decode_audio, decode_image
from artsound.sources.sample import data
from tests.sources.helpers import encoded, music, picture, saved

LIMITS = MediaLimits(min_audio_s=0.0)
IMAGES = {
    "jpeg": saved(picture(), "JPEG", quality=90),
    "progressive": saved(picture(), "JPEG", quality=90, progressive=True),
    "cmyk": saved(picture().convert("CMYK"), "JPEG"),
    "png": saved(picture(), "PNG"),
    "interlaced-alpha": saved(picture().convert("RGBA"), "PNG"),
    "palette": saved(picture().convert("P"), "GIF"),
    "webp": saved(picture(), "WEBP", quality=80),
    "lossless": saved(picture(), "WEBP", lossless=True),
    "tiff": saved(picture(), "TIFF"),
    "lzw": saved(picture(), "TIFF", compression="tiff_lzw"),
    "bmp": saved(picture(), "BMP"),
}
SOUNDS = {
    "wav": encoded(music(), "WAV"),
    "float": encoded(music(), "WAV", subtype="FLOAT"),
    "aiff": encoded(music(), "AIFF"),
    "flac": encoded(music(), "FLAC"),
    "ogg": encoded(music(), "OGG"),
    "mp3": encoded(music(), "MP3"),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_a_cut_image_is_rejected_or_shows_all(kind: str) -> None:
    content = IMAGES[kind]
    whole = decode_image(content)[0].tobytes()
    places = np.linspace(1, len(content) - 1, 60).astype(int)
    reasons = []
    for kept in [*places, len(content) - 2, len(content) - 3]:
        try:
            assert decode_image(content[:kept])[0].tobytes() == whole
        except MediaError as error:
            reasons.append(error.reason)
    assert set(reasons) <= {Reason.IMAGE_TRUNCATED, Reason.IMAGE_NOT_DECODABLE}
    assert len(reasons) > 55
    if kind != "lzw":  # its directory is at the end: without it there is no telling what it was
        assert reasons.count(Reason.IMAGE_TRUNCATED) > 50


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_cut_clip_is_rejected(kind: str) -> None:
    content = SOUNDS[kind]
    assert check_audio(content, LIMITS).status == Status.OK
    # What the file begins with before its sound: headers, for Ogg also the code books.
    begin = {"ogg": 6000, "flac": 200, "mp3": 2500}.get(kind, 100)
    for kept in np.linspace(begin, len(content) - 1, 40).astype(int):
        check = check_audio(content[:kept], LIMITS)
        assert check.reason == Reason.AUDIO_TRUNCATED, kept
    for kept in np.linspace(1, begin, 20).astype(int):
        assert check_audio(content[:kept], LIMITS).status == Status.REJECTED, kept


def test_damage_in_the_middle_is_no_cut() -> None:
    content = SOUNDS["flac"]
    middle = len(content) // 2
    damaged = content[:middle] + bytes(2000) + content[middle + 2000 :]
    assert check_audio(damaged, LIMITS).reason == Reason.AUDIO_NOT_DECODABLE


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wave_written_to_a_pipe_has_no_known_length(size: int) -> None:
    content = SOUNDS["wav"]
    at = content.find(b"data") + 4
    streamed = content[:at] + size.to_bytes(4, "little") + content[at + 4 :]
    assert not is_cut(streamed)
    assert check_audio(streamed, LIMITS).duration_s == pytest.approx(6.0)


def test_other_kinds_of_file_are_not_judged() -> None:
    assert not is_cut(b"")
    assert not is_cut(b"RIFFxxxxAVI ")
    assert not is_cut(IMAGES["jpeg"][:100])


@pytest.mark.parametrize("kind", ["AU", "CAF", "VOC", "PAF"])
def test_formats_that_music_does_not_come_in_are_not_decoded(kind: str) -> None:
    assert check_audio(encoded(music(), kind)).reason == Reason.AUDIO_NOT_DECODABLE


@pytest.mark.parametrize("kind", ["EPS", "PPM", "PDF", "ICO"])
def test_formats_that_artworks_do_not_come_in_are_not_decoded(kind: str) -> None:
    with pytest.raises(MediaError, match=r"^image not decodable$"):
        decode_image(saved(picture(), kind), "picture.jpg")


def test_a_tiff_turns_once_and_says_so() -> None:
    tall = picture(30, 60)
    content = saved(
        tall,
        "TIFF",
        exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
    )
    image, repairs = decode_image(content, "x.tif")
    assert image.size == (60, 30)
    assert repairs == ("apply EXIF orientation",)
    assert image.tobytes() == tall.rotate(-90, expand=True).tobytes()


def test_damaged_metadata_leaves_the_picture_usable() -> None:
    content = bytearray(saved(picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff" * 60))
    image, repairs = decode_image(bytes(content), "x.jpg")
    assert image.size == (80, 60)
    assert repairs == ()


def test_cmyk_as_adobe_writes_it_has_the_right_colours() -> None:
    """The sample's CMYK painting is inverted, as Adobe's programs write it."""
    folder = data() / "artgraph/imagesf2"
    name = "pierre-auguste-renoir_girls-at-the-piano-1892.jpg"
    painting = np.asarray(decode_image((folder / name).read_bytes(), name)[0], np.float64)
    red, _, blue = painting.mean(axis=(0, 1))
    assert 60 < painting.mean() < 200
    assert red > blue + 15  # warm as the painting is; inverted it would be a cold negative


def test_decoding_stops_at_the_limit() -> None:
    wave, rate = decode_audio(SOUNDS["mp3"], limits=MediaLimits(max_audio_s=2.0))
    assert len(wave) == 2 * rate
