"""Images from files and addresses: decoded and checked, or one line that says what is wrong."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from art2mus.data.rows import Media, Pair
from art2mus.encoders import VisualEncoder
from art2mus.sampling import image_files
from art2mus.sampling.image_files import ImageError, read_image
from artsound.errors import ArtsoundError, UsageError


def png(width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def bomb() -> bytes:
    """Return a PNG of 60,000 x 60,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved.png":
            self.send_response(302)
            self.send_header("Location", "/art.png?size=1")
            self.end_headers()
            return
        data = {
            "/art.png?size=1": png(),
            "/page": b"<html>",
            "/bomb.png": bomb(),
            "/big": b"x" * 4096,
        }
        self.send_response(200 if self.path in data else 404)
        self.end_headers()
        self.wfile.write(data.get(self.path, b""))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    started = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = Thread(target=started.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{started.server_port}"
    started.shutdown()
    thread.join()
    started.server_close()


def test_reads_from_everywhere(server: str, tmp_path: Path) -> None:
    path = tmp_path / "art.png"
    path.write_bytes(png())
    alpha = Image.new("RGBA", (40, 30), (200, 30, 60, 255))
    wanted = np.asarray(Image.new("RGB", (40, 30), (200, 30, 60)))
    for source in (path, str(path), alpha, f"{server}/art.png?size=1", f"{server}/moved.png"):
        found = read_image(source)
        assert found.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(found), wanted)


def odd_pictures(folder: Path) -> list[Path]:
    """Write pictures whose files say more than their colours."""
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (24, 32, 3), np.uint8)
    turned = Image.fromarray(colours)
    alpha = Image.new("L", turned.size, 0)
    alpha.paste(255, (0, 0, 16, 24))
    see_through = turned.copy()
    see_through.putalpha(alpha)
    palette = Image.fromarray(random.integers(0, 4, (24, 32), np.uint8), "L").convert("P")
    exif = Image.Exif()
    written = []
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        for suffix in ("jpg", "png", "tif"):
            written.append(folder / f"{orientation}.{suffix}")
            turned.save(written[-1], exif=exif)
    for name, picture, options in (
        ("alpha.png", see_through, {"exif": exif}),
        ("alpha.webp", see_through, {"lossless": True}),
        ("grey.png", see_through.convert("LA"), {}),
        ("palette.png", palette, {"transparency": 2}),
        ("cmyk.jpg", turned.convert("CMYK"), {}),
        ("deep.png", Image.fromarray(random.integers(0, 2**16, (24, 32), np.uint16)), {}),
    ):
        written.append(folder / name)
        picture.save(written[-1], **options)
    return written


def test_a_picture_is_the_same_however_it_is_given(tmp_path: Path) -> None:
    class Sees:
        name, dimension = "sees", 1

        def embed_images(self, images: list[Image.Image]) -> np.ndarray[Any, Any]:
            self.seen = images
            return np.zeros((len(images), 1), np.float32)

    sees: Any = Sees()
    for path in odd_pictures(tmp_path):
        wanted = read_image(path)
        assert wanted.mode == "RGB"
        media = Media(
            Pair("p", "", -1, "", "", "", 0.0), 0, "r", {"bytes": path.read_bytes()}, None
        )
        with Image.open(path) as opened, Image.open(path) as another:
            VisualEncoder(sees, "").embed([another])
            given = [read_image(opened), read_image(wanted), media.image(), sees.seen[0]]
            given.append(read_image(media.image()))
        for found in given:
            assert found.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted), err_msg=path.name)
    assert read_image(Image.new("RGBA", (9, 9), (0, 0, 0, 0))).getpixel((5, 5)) == (255,) * 3
    assert read_image(tmp_path / "6.jpg").size == (24, 32)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:-200])
    with Image.open(tmp_path / "cut.jpg") as cut:
        with pytest.raises(ImageError, match=r"cut\.jpg cannot be used \(image truncated"):
            read_image(cut)
        with pytest.raises(ArtsoundError, match="an image cannot be used"):
            VisualEncoder(sees, "").embed([cut])


def test_what_cannot_be_read_is_one_line(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.jpg").write_text("no image at all")
    (tmp_path / "cut.png").write_bytes(png()[:60])
    (tmp_path / "bomb.png").write_bytes(bomb())
    monkeypatch.setattr(image_files, "MAX_URL_BYTES", 1000)
    cases: list[tuple[str, type[ArtsoundError], str]] = [
        (str(tmp_path / "none.png"), UsageError, "no such file"),
        (str(tmp_path), UsageError, "is a folder"),
        (str(tmp_path / "text.jpg"), ImageError, "no image that can be used"),
        (str(tmp_path / "cut.png"), ImageError, "no image that can be used"),
        (str(tmp_path / "bomb.png"), ImageError, "no image that can be used"),
        (f"{server}/none.png", ImageError, "answers 404"),
        (f"{server}/page", ImageError, "no image that can be used"),
        (f"{server}/bomb.png", ImageError, "no image that can be used"),
        (f"{server}/big", ImageError, "serves more than"),
        ("ftp://example.org/art.png", UsageError, "ftp is not read"),
        ("file:///etc/passwd", UsageError, "file is not read"),
        ("http://127.0.0.1:1/art.png", ImageError, "cannot be fetched"),
        ("http://", ImageError, "cannot be fetched"),
    ]
    for source, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            read_image(source)
        assert "\n" not in str(caught.value)
        assert source in str(caught.value)
