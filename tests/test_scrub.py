"""What stays and what goes where a text becomes a log or a note."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artsound import scrub as program
from artsound.logs import ScrubbedLog
from artsound.scrub import scrub


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/data/users/ann lee")
    monkeypatch.setenv("HOSTNAME", "gpu-17.example.edu")
    monkeypatch.setenv("MY_LLM_KEY", "correct-horse")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot open /srv/art/artgraph.zip: gone", "cannot open artgraph.zip: gone"),
        ("in '/data/users/ann lee/work/logs'", "in 'logs'"),
        ("cd /data/users/ann lee;-L/data/users/ann lee/lib", "cd ~;-Llib"),
        ("PATH=/usr/bin:/home/bob:/home/bob/bin", "PATH=bin:~:bin"),
        ("/v/lib/python3.11/site-packages/torch/nn/a.py:3: Bad", "torch/nn/a.py:3: Bad"),
        ('File "/usr/lib/python3.11/json/decoder.py", line 3', 'File "json/decoder.py", line 3'),
        (f"{Path(program.__file__).parent}/engine.py:7", "artsound/engine.py:7"),
        ("file:///home/bob/a.txt http://bob:pw@node3:80/v1", "file:a.txt http://<host>:80/v1"),
        ("see https://huggingface.co/docs/a", "see https://huggingface.co/docs/a"),
        ("on gpu-17.example.edu at 10.1.2.3:80", "on <host> at <address>:80"),
        ("slurmstepd-gpu-17: gpu-170", "slurmstepd-gpu-17: gpu-170"),
        ("key correct-horse, hf_abcdefghij0123456789", "key <token>, <token>"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <token>"),
    ],
)  # fmt: skip
def test_names_go_and_words_stay(text: str, left: str) -> None:
    assert scrub(text) == left


@pytest.mark.parametrize(
    "text",
    ["3/4 and/or a/b.c, 50 it/s, /", "torch==2.1.0.1 v1.2.3.4", "hf_hub_download of sk-learn"],
)
def test_what_only_looks_like_a_name_stays(text: str) -> None:
    assert scrub(text) == text


def test_this_machines_name_goes() -> None:
    name = os.uname().nodename
    assert scrub(f"on {name}.") == "on <host>."


def test_paths_in_the_workspace_are_relative_to_it(tmp_path: Path) -> None:
    root = tmp_path / "my work"
    assert scrub(f"see {root}/logs/a/task.log, {root}", root) == "see logs/a/task.log, my work"


def test_a_program_is_heard_to_its_end_however_it_ends(tmp_path: Path) -> None:
    log = ScrubbedLog(tmp_path / "log")
    crashes = "import os; os.write(2, b'in /home/bob/x: ' + b'y' * 300_000); os.abort()"
    talker = subprocess.Popen([sys.executable, "-c", crashes], stderr=log.fileno())
    log.close()
    talker.wait()
    log.wait(20)
    assert (tmp_path / "log").read_bytes() == b"in x: " + b"y" * 300_000


def test_the_program_prints_where_no_log_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", program.__file__],
        input=b"at /home/bob/a\r50 %\xff\n",
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"at a\r50 %\xff\n"
