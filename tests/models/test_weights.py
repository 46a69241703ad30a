"""Weights from a Hub and from a web server, as a user's command line brings them."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from artsound.models import weights
from artsound.models.entry import Weights
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.models.weights import WeightsError, commit
from tests.hub import LocalHub
from tests.hub_store import Blob, Fault, Repo

FILES = {
    "config.json": b"{}",
    "model.safetensors": b"s" * 1000,
    "pytorch_model.bin": b"p" * 1000,
    "tf_model.h5": b"t" * 1000,
    "onnx/model.onnx": b"o" * 1000,
}
# The command line, with shorter waits between attempts.
HASTY = (
    "import time; real = time.sleep; time.sleep = lambda s: real(min(s, 0.02));"
    "from artsound.cli import main; main()"
)


@dataclass
class User:
    hub: LocalHub
    home: Path

    def pull(self, *settings: str, code: int = 0, offline: bool = False) -> str:
        environment = self.hub.environment(self.home, None)
        environment |= {"ARTSOUND_CACHE": str(self.home / "artsound")}
        if offline:
            environment["HF_HUB_OFFLINE"] = "1"
        given = [word for setting in settings for word in ("--set", setting)]
        run = subprocess.run(
            [
                sys.executable,
                "-c",
                HASTY,
                "models",
                "pull",
                "lite",
                "--model",
                "clip-score",
                *given,
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == code, run.stdout + run.stderr
        assert "Traceback" not in run.stderr
        return run.stdout + run.stderr

    def snapshots(self) -> dict[str, set[str]]:
        found = self.home.glob("hub/models--org--clip/snapshots/*")
        return {
            folder.name: {
                file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
            }
            for folder in found
        }


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with LocalHub() as hub:
        repo = hub.repos["org/clip"] = Repo(private=False)
        repo.commit("main", {path: Blob(data, lfs=False) for path, data in FILES.items()})
        yield User(hub, tmp_path / "home")


MINE = "models.clip-score.checkpoint=org/clip"


def test_a_repository_is_downloaded_once_and_without_other_frameworks(user: User) -> None:
    said = user.pull(MINE)
    assert "downloading clip-score: org/clip" in said
    [files] = user.snapshots().values()
    assert files == {"config.json", "model.safetensors"}
    before = len(user.hub.requests)
    assert "downloading" not in user.pull(MINE)
    assert len(user.hub.requests) == before
    assert "downloading" not in user.pull(MINE, offline=True)


def test_a_revision_is_what_is_taken(user: User) -> None:
    repo = user.hub.repos["org/clip"]
    first = repo.branches["main"]
    repo.commit("main", {"config.json": Blob(b"{}", False), "model.safetensors": Blob(b"n", False)})
    user.pull(MINE, f"models.clip-score.revision={first}")
    assert user.snapshots().keys() == {first}
    user.pull(MINE)
    assert user.snapshots().keys() == {first, repo.branches["main"]}


def test_what_the_hub_does_not_have_is_one_line(user: User) -> None:
    said = user.pull("models.clip-score.checkpoint=org/clap", code=1)
    assert "org/clap, revision main: no such repository, or it is private" in said
    said = user.pull(MINE, "models.clip-score.revision=v9", code=1)
    assert "org/clip, revision v9: no such revision: set models.clip-score.revision" in said
    said = user.pull(MINE, offline=True, code=1)
    assert "clip-score (org/clip) is not on this machine and cannot be downloaded" in said
    assert "artsound models pull --model clip-score" in said


def test_a_download_that_was_cut_off_is_not_taken_for_whole(user: User) -> None:
    user.hub.faults.append(Fault(r"resolve/.*model\.safetensors", times=99, answer=True, after=300))
    user.pull(MINE, code=1)
    user.hub.faults.clear()
    assert "downloading" in user.pull(MINE)
    [folder] = user.home.glob("hub/models--org--clip/snapshots/*")
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_local_path_needs_no_network(user: User, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    user.pull(f"models.clip-score.checkpoint={tmp_path}/mine", offline=True)
    assert not user.hub.requests
    said = user.pull(f"models.clip-score.checkpoint={tmp_path}/none", code=1)
    assert f"models.clip-score.checkpoint = '{tmp_path}/none': no such file or folder" in said


class Ranged(SimpleHTTPRequestHandler):
    """Serves files, from a byte on where asked; cuts the first answer short."""

    cuts = 1

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_GET(self) -> None:
        data = Path(self.translate_path(self.path)).read_bytes()
        asked = self.headers.get("If-Range") == '"tag"'
        start = int(self.headers["Range"][6:-1]) if asked else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"tag"')
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data)
        if type(self).cuts:
            type(self).cuts -= 1
            end = len(data) // 2
        self.wfile.write(data[start:end])
        self.close_connection = True


def test_a_file_from_the_web_continues_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSOUND_CACHE", str(tmp_path / "cache"))
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "huge.pth").write_bytes(bytes(range(256)) * 1000)
    handler = functools.partial(Ranged, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        source = Weights(url=f"http://127.0.0.1:{server.server_port}/huge.pth")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(WeightsError, match="is not on this machine"):
            weights.pull("imagebind", source)
        monkeypatch.delenv("HF_HUB_OFFLINE")
        with pytest.raises(WeightsError, match=r"huge\.pth"):
            weights.pull("imagebind", source)
        [part] = (tmp_path / "cache").rglob("*.part")
        assert part.stat().st_size == 128_000
        assert weights.find("imagebind", source) is None
        path = weights.pull("imagebind", source)
        server.shutdown()
    assert path.read_bytes() == bytes(range(256)) * 1000
    assert weights.find("imagebind", source) == path


def test_processes_that_want_one_file_download_it_once(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "huge.pth").write_bytes(bytes(range(256)) * 40_000)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        script = (
            "from artsound.models import weights; from artsound.models.entry import Weights;"
            f"weights.pull('x', Weights(url='http://127.0.0.1:{server.server_port}/huge.pth'))"
        )
        environment = {**os.environ, "ARTSOUND_CACHE": str(tmp_path / "cache")}
        environment.pop("HF_HUB_OFFLINE")
        running = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in "ab"]
        assert [process.wait(60) for process in running] == [0, 0]
        server.shutdown()
    [path] = (tmp_path / "cache").rglob("huge.pth")
    assert path.read_bytes() == (tmp_path / "www" / "huge.pth").read_bytes()
    assert not [*(tmp_path / "cache").rglob("*.part")]


def test_weights_that_no_program_may_download_name_their_page() -> None:
    with pytest.raises(WeightsError, match=r"get the file from https://.*=FILE$"):
        Models().setup("image_text_scorer", "pac-score").checkpoint()


def test_the_identity_of_weights_is_their_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSOUND_CACHE", str(tmp_path / "cache"))
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"same")

    def identity(folder: str) -> object:
        settings = ModelSettings(checkpoint=str(tmp_path / folder), device="cpu")
        return Models({"clip-score": settings}).identity("image_text_scorer", "clip-score")

    assert identity("a") == identity("b")
    (tmp_path / "b" / "model.safetensors").write_bytes(b"other")
    assert identity("a") != identity("b")
    (tmp_path / "b" / "model.safetensors").unlink()
    (tmp_path / "b").rmdir()
    assert identity("b") == {"name": "clip-score", "weights": {"model": ""}, "dtype": "float32"}
    assert Models().identity("image_text_scorer", "lite-conse-score") is None
    snapshot = tmp_path / "snapshots" / ("0123456789" * 4)
    snapshot.mkdir(parents=True)
    assert commit(snapshot) == "0123456789" * 4
