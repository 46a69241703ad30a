from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import FusionRequest
from artsound.models.chat import ChatFuser
from artsound.models.chat.serving import check, start
from artsound.models.registry import Models
from artsound.models.served import served
from artsound.models.settings import ModelSettings
from artsound.models.setup import Setup
from artsound.prepare import prepare
from tests.chat_server import KEY, ChatServer

ROOT = Path(__file__).resolve().parents[3]
_SCRIPT = """#!{python}
import sys
sys.path.insert(0, {root!r})
from tests.chat_server import vllm_main
vllm_main()
"""
_BUILD = """
import sys, time
from pathlib import Path
from artsound.models.chat.serving import start
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.stopping import Stopped, stop_on_signals
stop_on_signals()
models = Models({"qwen3-14b": ModelSettings(checkpoint=sys.argv[1])})
try:
    with start(models.setup("fuser", "qwen3-14b"), Path(sys.argv[2]), lambda _: None) as server:
        print(server._process.pid, flush=True)
        time.sleep(60)
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a `vllm` that is the test's chat server; the call sets how it behaves."""
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(_SCRIPT.format(python=sys.executable, root=str(ROOT)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    def behave(**wanted: Any) -> None:
        monkeypatch.setenv("STAND_IN", json.dumps(wanted))

    return behave


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def fuser(**settings: Any) -> Setup:
    return Models({"qwen3-14b": ModelSettings(**settings)}).setup("fuser", "qwen3-14b")


def sees(**settings: Any) -> Setup:
    name = "llava-1.6-mistral-7b"
    return Models({name: ModelSettings(**settings)}).setup("artwork_captioner", name)


def quiet(line: str) -> None:
    """Hear nothing."""


def gone(pid: int, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def fuse(model: ChatFuser, text: str) -> list[str]:
    return model.fuse([FusionRequest("1", (text,), f"1. {text}")])


def test_a_server_serves_and_leaves_nothing_behind(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm(child=str(tmp_path / "child"), delay_s=0.3)
    said: list[str] = []
    log = tmp_path / "logs" / "serve.log"
    setup = fuser(
        checkpoint=str(weights), tensor_parallel=4, serve_args=("--max-model-len", "8192")
    )
    check(setup)
    with start(setup, log, said.append) as server:
        model = ChatFuser.from_recipe(dataclasses.replace(setup, served_at=server.url))
        assert fuse(model, "A guitar.") == ["A guitar."]
        child = int((tmp_path / "child").read_text())
        assert not gone(child, 0.05)
    assert gone(child)
    assert server.exit_code is not None
    assert "starting vllm for qwen3-14b" in said[0]
    printed = log.read_text()
    assert printed.startswith("$ vllm serve weights --host <address> --port")
    assert "--tensor-parallel-size 4 --max-model-len 8192" in printed
    assert "loading weights over 4" in printed
    assert str(tmp_path) not in printed


def test_several_servers_keep_one_log(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm()
    for _ in range(2):
        with start(fuser(checkpoint=str(weights)), tmp_path / "log", quiet):
            pass
    assert (tmp_path / "log").read_text().count("loading") == 2


def test_a_server_that_ends_at_its_start_says_why(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm(crash="Free memory on device is less than desired GPU memory utilization")
    began = time.monotonic()
    with (
        pytest.raises(ArtsoundError, match=r"exit code 3 \(Free memory on.*its log is") as caught,
        start(fuser(checkpoint=str(weights)), tmp_path / "log", quiet),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 10


def test_a_server_that_takes_too_long_is_given_up(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm(delay_s=60, child=str(tmp_path / "child"))
    setup = fuser(checkpoint=str(weights), serve_timeout_s=2.5)
    with (
        pytest.raises(ArtsoundError, match=r"after 2 s \(.* cannot be reached.*serve_timeout_s"),
        start(setup, tmp_path / "log", quiet),
    ):
        pass
    assert gone(int((tmp_path / "child").read_text()))


def test_a_server_that_serves_another_model_is_refused(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm(model="other/model")
    with (
        pytest.raises(UsageError, match=r"serves other/model, not"),
        start(fuser(checkpoint=str(weights)), tmp_path / "log", quiet),
    ):
        pass


def test_a_served_model_without_a_sense_is_refused(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm(senses=[])
    with (
        pytest.raises(ArtsoundError, match="does not see images"),
        start(sees(checkpoint=str(weights)), tmp_path / "log", quiet),
    ):
        pass


def test_a_server_that_dies_in_the_middle_is_named(
    vllm: Callable[..., None], weights: Path, tmp_path: Path
) -> None:
    vllm(die_at="fatal")
    settings = ModelSettings(checkpoint=str(weights), retries=0, timeout_s=5)
    models = Models({"qwen3-14b": settings})

    def work() -> None:
        with served(models, [("fuser", "qwen3-14b")], tmp_path, quiet) as ready:
            model = ready.load("fuser", "qwen3-14b")
            assert fuse(model, "Fine.") == ["Fine."]
            fuse(model, "A fatal one.")

    with pytest.raises(ArtsoundError, match=r"exit code 9 .*log is .*run the same command again"):
        work()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_its_build(
    vllm: Callable[..., None], weights: Path, tmp_path: Path, number: signal.Signals
) -> None:
    vllm(child=str(tmp_path / "child"))
    build = subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(weights), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        # Tests that run in the background of a shell would hand down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert build.stdout is not None
    keeper = int(build.stdout.readline())
    child = int((tmp_path / "child").read_text())
    assert not gone(keeper, 0.05)
    build.send_signal(number)
    code = build.wait(30)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert gone(child, 15)
    assert gone(keeper, 15)


def test_a_server_gets_no_key(
    vllm: Callable[..., None], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with start(fuser(checkpoint=str(weights)), tmp_path / "log", quiet) as server:
        assert KEY not in str(server.environment)
    assert KEY not in (tmp_path / "log").read_text()


def test_an_engine_that_is_not_installed_is_named(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ArtsoundError, match=r"vllm is not installed.*artsound\[gpu\].*endpoint="):
        check(fuser(checkpoint=str(weights)))


def test_weights_that_are_not_there_are_missed_before_the_work(vllm: Callable[..., None]) -> None:
    vllm()
    with pytest.raises(ArtsoundError, match=r"qwen3-14b \(Qwen/Qwen3-14B\) is not on this machine"):
        prepare(Models(), [("fuser", "qwen3-14b")], lambda _: None)


def test_a_model_that_only_an_endpoint_can_serve_asks_for_one() -> None:
    with pytest.raises(UsageError, match=r"models\.musilingo\.endpoint"):
        check(Models().setup("segment_captioner", "musilingo"))


def test_an_endpoint_is_checked() -> None:
    with ChatServer(["Qwen/Qwen3-14B", "other"]) as server:
        check(fuser(endpoint=server.url))
        check(fuser(endpoint=server.url, checkpoint="other"))
        assert not server.questions
        with pytest.raises(
            UsageError, match=r"serves Qwen/Qwen3-14B, other, not llava.*checkpoint="
        ):
            check(sees(endpoint=server.url))
    with pytest.raises(ArtsoundError, match=r"cannot be reached .*see that it runs"):
        check(fuser(endpoint=server.url))
    with (
        ChatServer(["Qwen/Qwen3-14B"], key=KEY) as server,
        pytest.raises(ArtsoundError, match="api_key_env"),
    ):
        check(fuser(endpoint=server.url))
