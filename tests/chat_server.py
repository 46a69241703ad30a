"""A small OpenAI-compatible chat server on 127.0.0.1, whose replies depend on what it is sent.

It looks at the text, the pixels of images and the samples of audio, counts tokens, and has faults
on demand. As a program it understands the flags of `vllm serve`; see `vllm_main`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

KEY: Final = "sk-keyThatMustStaySecret"
_COLOURS: Final = ("red", "green", "blue")


class Refusal(Exception):
    """What the server answers instead of a reply."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


@dataclass
class Fault:
    """Something that goes wrong with requests whose body contains `where`.

    Attributes:
        kind: a status such as "503", or `reset` (no answer), `cut` (half of the body), `garbage`,
            `hang` (no answer while the test lasts), `drip` (a byte at a time), `huge`, or `shape`
            (JSON that is no completion).
        times: how often; -1 for always.
        where: a part of the request's body.
        headers: of the answer.
    """

    kind: str
    times: int = 1
    where: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request that came."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


class ChatServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        models: Sequence[str] = ("tiny",),
        *,
        senses: Sequence[str] = ("image", "audio"),
        deaf_but_polite: bool = False,
        key: str | None = None,
        latency_s: float = 0.0,
        max_text: int = 1_000_000,
        reply: Callable[[dict[str, Any]], str] | None = None,
        port: int = 0,
    ) -> None:
        """Start with `with`.

        Args:
            models: what it serves.
            senses: what its model takes beside text.
            deaf_but_polite: pass over what the model does not take instead of refusing it.
            key: the key that it wants.
            latency_s: how long a reply takes.
            max_text: characters of text beyond which a request is refused.
            reply: makes the replies out of bodies; `described` if None.
            port: where it listens; a free one if 0.
        """
        super().__init__(("127.0.0.1", port), Handler)
        self.models = list(models)
        self.senses = set(senses)
        self.polite = deaf_but_polite
        self.key = key
        self.latency_s = latency_s
        self.max_text = max_text
        self.reply = reply or described
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.at_once = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self._open: set[socket.socket] = set()

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with self.lock:
                self._open.discard(connection)
            _hang_up(connection)

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The bodies of the chat requests, without those that only probe."""
        return [a.body for a in self.asked if a.body and a.body.get("max_tokens") != 1]

    def fault(self, text: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.where in text:
                    fault.times -= 1
                    return fault
        return None


class Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_GET(self) -> None:
        self._note({})
        if not self._may():
            return
        if self.path != "/v1/models":
            return self._json({"detail": "Not Found"}, 404)
        if fault := self.server.fault(self.path):
            return self._strike(fault, {})
        listed = [{"id": name, "object": "model"} for name in self.server.models]
        return self._json({"object": "list", "data": listed})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(raw)
        self._note(body)
        if not self._may():
            return None
        if self.path != "/v1/chat/completions":
            return self._json({"detail": "Not Found"}, 404)
        with self.server.lock:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            if self.server.latency_s:
                time.sleep(self.server.latency_s)
            try:
                answer = self._completion(body)
            except Refusal as refusal:
                return self._json({"error": {"message": refusal.said}}, refusal.status)
            if fault := self.server.fault(raw.decode()):
                return self._strike(fault, answer)
            return self._json(answer)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def _note(self, body: dict[str, Any]) -> None:
        with self.server.lock:
            asked = Asked(self.path, body, dict(self.headers.items()), time.monotonic())
            self.server.asked.append(asked)

    def _may(self) -> bool:
        given = self.headers.get("Authorization", "")
        if self.server.key is None or given == f"Bearer {self.server.key}":
            return True
        self._json({"error": {"message": f"Incorrect API key provided: {given[7:]}"}}, 401)
        return False

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("model", self.server.models[0]) not in self.server.models:
            raise Refusal(404, f"The model `{body['model']}` does not exist.")
        for sense, kind in (("image", "image_url"), ("audio", "input_audio")):
            if sense in self.server.senses or not list(parts(body, kind)):
                continue
            if not self.server.polite:
                raise Refusal(400, f"{self.server.models[0]} is not a multimodal model")
            for message in body["messages"]:
                message["content"] = [p for p in message["content"] if p["type"] != kind]
        text = " ".join(texts(body))
        if len(text) > self.server.max_text:
            raise Refusal(400, f"This model's maximum context length is {self.server.max_text}.")
        media = [*parts(body, "image_url"), *parts(body, "input_audio")]
        words = self.server.reply(body).split(" ")
        kept = words[: body.get("max_tokens", 512)]
        usage = {"prompt_tokens": len(text.split()) + 64 * len(media)}
        return {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "model": self.server.models[0],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": " ".join(kept)},
                    "finish_reason": "stop" if len(kept) == len(words) else "length",
                }
            ],
            "usage": usage | {"completion_tokens": len(kept)},
        }

    def _strike(self, fault: Fault, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        if fault.kind.isdigit():
            self._json({"error": {"message": "a fault"}}, int(fault.kind), fault.headers)
        elif fault.kind == "garbage":
            self._send(b"\x00\xff<html>not JSON", 200, {"Content-Type": "application/json"})
        elif fault.kind == "shape":
            self._json({"choices": []})
        elif fault.kind == "cut":
            self._send(data, 200, {}, data[: len(data) // 2])
            self.close_connection = True
        elif fault.kind == "huge":
            self._send(b" " * (9 << 20), 200, {})
        elif fault.kind == "drip":
            self._send(data, 200, {}, b"")
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        elif fault.kind == "hang":
            time.sleep(60)
        elif fault.kind == "reset":
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)  # RST, not FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        elif fault.kind == "exit":
            os._exit(9)
        else:
            raise ValueError(fault.kind)

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        sent = {"Content-Type": "application/json"} | (headers or {})
        self._send(json.dumps(value).encode(), status, sent)

    def _send(
        self, data: bytes, status: int, headers: dict[str, str], part: bytes | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if part is None else part)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def parts(body: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            yield from (part for part in message["content"] if part["type"] == kind)


def texts(body: dict[str, Any]) -> list[str]:
    plain = [m["content"] for m in body["messages"] if isinstance(m["content"], str)]
    return plain + [part["text"] for part in parts(body, "text")]


def images(body: dict[str, Any]) -> list[Image.Image]:
    """Decode the images of a request."""
    found = []
    for part in parts(body, "image_url"):
        head, _, data = part["image_url"]["url"].partition(",")
        if not re.fullmatch(r"data:image/\w+;base64", head):
            raise Refusal(400, f"not a data: URI: {head[:40]}")
        found.append(Image.open(io.BytesIO(base64.b64decode(data, validate=True))).convert("RGB"))
    return found


def waveforms(body: dict[str, Any]) -> list[tuple[np.ndarray[Any, Any], int]]:
    """Decode the audio of a request: samples and rate."""
    import soundfile

    return [
        soundfile.read(io.BytesIO(base64.b64decode(part["input_audio"]["data"], validate=True)))
        for part in parts(body, "input_audio")
    ]


def described(body: dict[str, Any]) -> str:
    """Reply with what was sent: colours of images, pitch of audio, and what a prompt lists."""
    prompt = "\n".join(texts(body))
    mark = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:6]
    for image in images(body):
        means = np.asarray(image, np.float64).reshape(-1, 3).mean(0)
        tone = "light" if means.mean() > 127 else "dark"
        colour = _COLOURS[int(means.argmax())]
        return (
            f"This artwork of {image.width} by {image.height} shows a {tone} scene in which"
            f" {colour} dominates. Its mood is calm, and its brushwork is known as {mark}. It may"
            " belong to the school of painters who loved that colour above all others."
        )
    for samples, rate in waveforms(body):
        spectrum = np.abs(np.fft.rfft(samples))
        pitch = float(np.argmax(spectrum[1:]) + 1) * rate / max(len(samples), 1)
        loud = "loud" if float(np.sqrt(np.mean(samples**2))) > 0.1 else "quiet"
        return (
            f"This {loud} music has its strongest tone at {pitch:.0f} Hz. It lasts"
            f" {len(samples) / rate:.2f} seconds, with guitar and drums, in a style named {mark}."
        )
    listed = re.findall(r"^\d+\. (.+)$", prompt, re.MULTILINE)
    return " ".join(listed) if listed else f"You said {len(prompt)} characters, named {mark}."


def vllm_main(arguments: Sequence[str] | None = None) -> None:
    """Stand in for the program `vllm`: `vllm serve MODEL ...` with the flags of the real one.

    The variable STAND_IN holds JSON: `delay_s` before it listens, `crash` (what it prints before
    it ends at once), `model` (what it serves instead), `die_at` (a part of a request's body at
    which the process ends), `senses`, and `child` (a file for the id of a process that it starts).
    """
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--served-model-name")
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--gpu-memory-utilization", type=float)
    given = parser.parse_args(arguments)
    wanted = json.loads(os.environ.get("STAND_IN", "{}"))
    print(f"loading {given.model} over {given.tensor_parallel_size}", flush=True)
    if "child" in wanted:
        import subprocess

        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(wanted["child"]).write_text(str(sleeper.pid))
    if "crash" in wanted:
        print(wanted["crash"], file=sys.stderr, flush=True)
        sys.exit(3)
    time.sleep(wanted.get("delay_s", 0.0))
    name = wanted.get("model", given.served_model_name or given.model)
    senses = wanted.get("senses", ["image", "audio"])
    with ChatServer([name], senses=senses, port=given.port) as server:
        if "die_at" in wanted:
            server.faults.append(Fault("exit", -1, wanted["die_at"]))
        threading.Event().wait()


if __name__ == "__main__":
    vllm_main()
