"""How a command line ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import errno, os, sys, typer
from artsound.commands import run
app = typer.Typer()
@app.command()
def fill():
    {what}
sys.exit(run(app, "artsound"))
"""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "with open('/dev/full', 'w') as full: full.write('x')",
            "artsound: a file cannot be written (No space left on device): free space on its disk",
        ),
        (
            "raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), 'out/a.json')",
            "artsound: out/a.json cannot be written (Disk quota exceeded): free space on its disk",
        ),
        (
            "open('/nowhere/a')",
            "artsound: [Errno 2] No such file or directory: '/nowhere/a': check the path",
        ),
    ],
)
def test_what_the_system_refuses_is_one_line(what: str, said: str) -> None:
    line = [sys.executable, "-c", _PROGRAM.format(what=what)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
