"""Images from files and addresses: decoded and checked, or one line that says what is wrong."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

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
