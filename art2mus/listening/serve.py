"""`art2mus listen serve`: the page, and POST /answers into SQLite; the standard library's server.

It keeps no names, addresses or times, and writes none to the terminal.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import sys
import time
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, Final, cast

from art2mus.listening.answers import AnswersError, read_answers
from art2mus.listening.documents import Test, read_test
from art2mus.listening.store import AnswerStore
from artsound.errors import ArtsoundError, UsageError

LIMIT: Final = 256 * 1024  # bytes of an answer: 15 artworks of five tracks take about 10 kB
COLLECTOR: Final = b'"use strict";\nconst COLLECTOR = "answers";\n'
_PATIENCE_S: Final = 30.0  # for a listener's network
_LINGER_S: Final = 3.0  # for what a listener still sends of a refused body
_CHUNK: Final = 1 << 16
_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
_TYPES: Final = {
    ".js": "text/javascript",
    ".flac": "audio/flac",
    ".html": "text/html; charset=utf-8",
}


class Collector(ThreadingHTTPServer):
    """Serves a page and collects its answers.

    Args:
        page: the page's folder.
        answers: the SQLite file; answers that are there stay.
        host: the address to listen at.
        port: the port; 0 for any that is free.

    Raises:
        UsageError: it is no page or not a whole one, the answers would lie in it or cannot be kept,
            or the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, page: Path, answers: Path, host: str = "127.0.0.1", port: int = 8000
    ) -> None:
        self.test: Test = read_test(page)
        folder = page.resolve()
        if answers.resolve().is_relative_to(folder):
            raise UsageError(f"{answers} lies in the page, for all to read: choose another place")
        # What else lies in the folder, a key perhaps, is nobody's business.
        self.files = self.test.files
        if missing := sorted(name for name in self.files if not (folder / name).is_file()):
            raise UsageError(
                f"{page} lacks {len(missing)} of the page's {len(self.files)} files, {missing[0]}"
                " for one: copy the whole folder that `art2mus listen build` made"
            )
        self.store = AnswerStore(answers)
        try:
            super().__init__((host, port), partial(_Handler, directory=str(folder)))
        except OSError as error:
            raise UsageError(
                f"cannot listen at {host}:{port} ({error.strerror}): choose another --port, or a"
                " --host of this machine"
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.server_address[0]}:{self.server_port}/"  # type: ignore[str-bytes-safe]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, never with whom; nothing of listeners who go away in a clip."""
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            _warn(f"a request failed, {type(error).__name__}: {error}")


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | _TYPES
    server_version = "art2mus-listen"
    sys_version = ""
    timeout = _PATIENCE_S

    @property
    def collector(self) -> Collector:
        return cast(Collector, self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep nothing of a request: an address is a name."""

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def send_head(self) -> Any:
        """Send a file's head, or that of a part of it, which Safari plays nothing without."""
        name = self._where.lstrip("/") or "index.html"
        if name == "collector.js":
            return self._bytes(COLLECTOR, _TYPES[".js"])
        if name not in self.collector.files:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        path = Path(self.directory) / name
        try:
            stream = path.open("rb")
        except OSError as error:
            _warn(f"{path}: {error.strerror}: a listener asked for it; restore the page")
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        size = os.fstat(stream.fileno()).st_size
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        if not wanted or not any(wanted.groups()):
            begin, end = 0, size
            self.send_response(HTTPStatus.OK)
        else:
            begin, end = _part(wanted[1], wanted[2], size)
            if begin >= end:
                stream.close()
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        stream.seek(begin)
        return _Part(stream, end - begin)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file's bytes to the listener."""
        shutil.copyfileobj(source, outputfile)

    def do_POST(self) -> None:
        """Take a listener's answers: 201 new, 200 there already, 4xx and a reason if refused."""
        # What follows on the connection may be the rest of what was refused.
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if self._where != "/answers":
            self._refuse(HTTPStatus.NOT_FOUND, "answers go to /answers")
        # A form of another site cannot send this type without asking first.
        elif self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "answers are application/json")
        elif not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "answers need a Content-Length")
        elif len(length) > 12 or int(length) > LIMIT:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"answers are at most {LIMIT} bytes")
        else:
            self._say(*self._taken(int(length)))

    def _taken(self, length: int) -> tuple[HTTPStatus, str]:
        """Read so many bytes and keep them; return what is to be said."""
        data = self.rfile.read(length)
        if len(data) < length:
            return HTTPStatus.BAD_REQUEST, "the answers arrived in part"
        test = self.collector.test
        try:
            answers = read_answers(data, test.test, test.layout)
            outcome = self.collector.store.add(answers)
        except AnswersError as error:
            return HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
        except ArtsoundError as error:
            _warn(str(error))
            return HTTPStatus.SERVICE_UNAVAILABLE, "the answers cannot be kept just now"
        return {
            "new": (HTTPStatus.CREATED, "kept"),
            "same": (HTTPStatus.OK, "kept already"),
            "different": (HTTPStatus.CONFLICT, "this rater code has other answers already"),
        }[outcome]

    @property
    def _where(self) -> str:
        """The path that was asked for, as it came."""
        return self.path.partition("?")[0].partition("#")[0]

    def _refuse(self, code: HTTPStatus, what: str) -> None:
        """Answer before the body is read, then let what is on its way come in, and drop it.

        To close on bytes that were not read resets the connection: the listener's browser, still
        sending, would tell of a broken network and not of the reason.
        """
        self._say(code, what)
        until = time.monotonic() + _LINGER_S
        with contextlib.suppress(OSError):  # the listener may well be gone
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_S)
            while time.monotonic() < until and self.rfile.read1(_CHUNK):
                pass

    def _say(self, code: HTTPStatus, what: str) -> None:
        stream = self._bytes(json.dumps({"status": what}).encode(), "application/json", code)
        self.wfile.write(stream.read())

    def _bytes(self, data: bytes, kind: str, code: HTTPStatus = HTTPStatus.OK) -> IO[bytes]:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return io.BytesIO(data)


def _warn(line: str) -> None:
    """Tell whoever runs the server."""
    sys.stderr.write(f"art2mus: {line}\n")
    sys.stderr.flush()


class _Part:
    """A part of an open file, as `copyfile` reads it."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream = stream
        self._left = left

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._stream.close()


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    """Return where a range of HTTP begins and ends; nothing is in between where it is wrong."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)
