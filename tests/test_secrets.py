"""No token, home path or host name in what a build and a release leave behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.chat_server import ChatServer, Fault
from tests.conftest import SampleSources
from tests.endurance.fast import SERVED, command, settings, write_weights

KEY = "sk-canaryKeyOfTheEndpoint"
TOKEN = "hf_canaryTokenOfTheHub"
HOST = "canary-host-7731"
HOME = "canary-home"
TOKENS = (KEY, TOKEN)


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
    environment = {
        "HOME": str(home),
        "OPENAI_API_KEY": KEY,
        "HF_TOKEN": TOKEN,
        "HOSTNAME": HOST,
        "USER": "canary-user",
    }
    with ChatServer(SERVED, key=KEY) as server:
        # Some endpoints repeat in an error what they were sent.
        server.faults.append(Fault("503", 3, "artwork"))
        overrides = settings(write_weights(home / "weights"), server.url)
        _run([*command(own, home / "work", overrides), "--quiet"], environment)
    cli = [sys.executable, "-m", "artsound.cli"]
    _run([*cli, "release", str(home / "work"), "--out", str(home / "released")], environment)
    return home


def _run(line: Sequence[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*_on_another_host(), *line],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for secret in TOKENS:
        assert secret not in done.stdout + done.stderr


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what every file says: Parquet is compressed, so its rows and metadata are read."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        yield name, path.name.encode() + b"\n" + path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            drop = {field.name for field in table.schema if field.name in ("image", "audio")}
            rows = table.drop_columns(sorted(drop)).to_pylist()
            yield name, f"{rows} {table.schema.metadata}".encode()


def _finds(folder: Path, words: Sequence[str], *, but: Sequence[str] = ()) -> list[str]:
    pattern = re.compile("|".join(map(re.escape, words)).encode())
    return [
        f"{name}: {found[0].decode()}"
        for name, text in _texts(folder)
        if name not in but and (found := pattern.search(text))
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_token_is_in_a_workspace_or_a_release(home: Path) -> None:
    assert _finds(home / "work", TOKENS) == []
    assert _finds(home / "released", TOKENS) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_place_is_in_tables_logs_cards_or_manifests(home: Path) -> None:
    places = (HOME, HOST, "canary-user", "127.0.0.1")
    # workspace.json says where the sources, weights and endpoints are: it stays on the machine.
    assert _finds(home / "work", places, but=["workspace.json"]) == []
    assert _finds(home / "released", places) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_host_name_is_nowhere(home: Path) -> None:
    name = socket.gethostname()
    if len(name) < 6:
        pytest.skip(f"{name!r} is too short a host name to look for")
    assert _finds(home, (name,)) == []
