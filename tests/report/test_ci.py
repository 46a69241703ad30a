"""`.ci/run` without a browser: the page's tests are skipped, and that is loud."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"


@pytest.mark.parametrize("browser", [True, False])
def test_a_missing_browser_is_said(tmp_path: Path, browser: bool) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))

    def tool(path: Path, script: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(0o755)

    tool(tools / "id", "echo 0")
    tool(tools / "apt-get", "exit 100")  # the index cannot be reached
    tool(tools / "make", "echo make $1")
    python = 'case "$2" in pytest) echo "$4 tests" ;; pip) echo "$2 ${@: -1}" ;; esac'
    tool(tmp_path / ".venv" / "bin" / "python", python)
    if browser:
        tool(tools / "chromium", "")
        tool(tools / "chromedriver", "")
    (tmp_path / ".ci").mkdir()
    shutil.copy(RUN, tmp_path / ".ci" / "run")
    done = subprocess.run(
        [str(tmp_path / ".ci" / "run")],
        env={**os.environ, "PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["make lint", "make test", "slow tests", "pip .[dev,ray]", "endurance tests"],
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("WARNING: no Chromium")]
    assert len(said) == (0 if browser else 2)
