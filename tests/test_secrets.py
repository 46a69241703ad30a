"""No token, home path or host name in what a build and a release leave behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sysconfig
import time
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

import artsound
from tests.chat_server import ChatServer, Fault
from tests.conftest import SampleSources
from tests.endurance.fast import SERVED, command, settings, write_weights
from tests.secret_scan import finds

KEY = "sk-canaryKeyOfTheEndpoint"
TOKEN = "hf_canaryTokenOfTheHub"
HOST = "canary-host-7731"
HOME = "canary-home"
TOKENS = (KEY, TOKEN)
PLACES = (HOME, HOST, "canary-user", "127.0.0.1")
# A stage that fails in every way that reaches a log, and a server that says what it should not.
_FAILING = """
import os, sys, warnings
from pathlib import Path
from artsound.engine import ShardFailedError, run_stage
from artsound.models.chat.server import Server
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.stage import Build, Stage
from artsound.workspace import Workspace

home, key, token = Path(os.environ["HOME"]), os.environ["LLM_KEY"], os.environ["HF_TOKEN"]
words = f"{key} {token} on {os.uname().nodename} in {home}/a b, -L{home}/lib http://127.0.0.1:80/v1"

class Failing(Stage):
    table = "failing"
    def shards(self, build):
        return 1
    def settings(self, recipe):
        return {}
    def run(self, build, shard):
        os.write(2, f"native code says {words}\\n".encode())
        warnings.warn(f"Python says {words}")
        try:
            (home / "not there").read_text()
        except OSError as error:
            raise RuntimeError(words) from error

if __name__ == "__main__":
    root = home / "failing"
    build = Build(Recipe.read("lite"), Workspace(root), root, root)
    for workers in (1, 2):
        try:
            run_stage(build, Failing(), workers, Progress(quiet=True))
        except ShardFailedError:
            pass
    served = f"import os; os.write(1, {words!r}.encode()); print('that was all')"
    command = [sys.executable, "-c", served, str(home)]
    with Server(command, 1, os.environ, root / "logs/serve.log", "served") as server:
        server._process.wait()
"""


def _on_another_host() -> list[str]:
    """Return what runs a command under the host name `HOST`, or nothing where only root may."""
    line = ["unshare", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh"]
    if shutil.which("unshare") and not os.geteuid():
        tried = subprocess.run([*line, "true"], capture_output=True, check=False)
        return [] if tried.returncode else line
    return []


@pytest.fixture(scope="module")
def home(sources: SampleSources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home with sources, weights, a build and its release."""
    home = tmp_path_factory.mktemp("users") / HOME
    (home / "sources").mkdir(parents=True)
    shutil.copy(sources.artworks, home / "sources")
    shutil.copytree(sources.tracks, home / "sources" / "fma")
    own = SampleSources(home / "sources" / "artgraph.zip", home / "sources" / "fma")
    python, environment = _install(home), _environment(home)
    with ChatServer(SERVED, key=KEY) as server:
        # Some endpoints repeat in an error what they were sent.
        server.faults.append(Fault("503", 3, "artwork"))
        overrides = settings(write_weights(home / "weights"), server.url)
        line = command(own, home / "work", overrides)
        _run([python, *line[1:], "--quiet"], environment)
    cli = [python, "-m", "artsound.cli"]
    _run([*cli, "release", str(home / "work"), "--out", str(home / "released")], environment)
    return home


def _environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "OPENAI_API_KEY": KEY,
        "LLM_KEY": KEY,
        "HF_TOKEN": TOKEN,
        "HOSTNAME": HOST,
        "USER": "canary-user",
    }


def _install(home: Path) -> str:
    """Install the package in an environment in a home; return its Python."""
    venv.create(home / "env", symlinks=True)
    (packages,) = (home / "env/lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    own = Path(str(artsound.__file__)).parent
    shutil.copytree(own, packages / "artsound", ignore=shutil.ignore_patterns("__pycache__"))
    return str(home / "env/bin/python")


def _run(line: Sequence[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*_on_another_host(), *line],
        env=os.environ | environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for secret in TOKENS:
        assert secret not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_token_is_in_a_workspace_or_a_release(home: Path) -> None:
    assert finds(home / "work", TOKENS) == []
    assert finds(home / "released", TOKENS) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_place_is_in_tables_logs_cards_or_manifests(home: Path) -> None:
    # workspace.json says where the sources, weights and endpoints are: it stays on the machine.
    assert finds(home / "work", PLACES, but=["workspace.json"]) == []
    assert finds(home / "released", PLACES) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_host_name_is_nowhere(home: Path) -> None:
    name = socket.gethostname()
    if len(name) < 6:
        pytest.skip(f"{name!r} is too short a host name to look for")
    assert finds(home, (name,)) == []


@pytest.mark.timeout(300)
def test_no_secret_is_in_the_logs_of_what_fails(tmp_path: Path) -> None:
    home = tmp_path / "users" / HOME
    home.mkdir(parents=True)
    (home / "failing.py").write_text(_FAILING)
    _run([_install(home), str(home / "failing.py")], _environment(home))
    logs = home / "failing" / "logs"
    said = _settled(logs, ("native code says", "Python says", "RuntimeError", "that was all"))
    assert finds(logs, (*TOKENS, *PLACES, "failing.py'", "/lib")) == []
    assert "artsound/engine.py" in said  # frames still say where, within the package


def _settled(logs: Path, words: Sequence[str]) -> str:
    """Return what the logs say as soon as they say these words: they are written beside."""
    until = time.monotonic() + 20
    while True:
        said = "".join(path.read_text() for path in sorted(logs.rglob("*.log")))
        if all(word in said for word in words) or time.monotonic() > until:
            assert [word for word in words if word not in said] == []
            return said
        time.sleep(0.05)
