"""Without a network the Hub is given up after one request, in one line and without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.art2mus.tiny_checkpoint import write_tiny_checkpoint

_ASKS = """
import sys, time
from art2mus.backbone import Backbone
from art2mus.checkpoint import load_checkpoint, push_checkpoint
from art2mus.data import open_release
from artsound import load
from artsound.errors import ArtsoundError
from artsound.models.entry import Weights
from artsound.models.weights import pull
for ask, said in (
    (lambda: open_release("no/such"), "no/such is no folder here, and the Hub cannot be reached"),
    (lambda: open_release("nosuch"), "'nosuch' is neither a folder here nor a"),
    (lambda: load("no/such"), "no/such is no folder here, and the Hub cannot be reached"),
    (lambda: Backbone.open("no/such"), "the backbone no/such is not on this machine and cannot be"),
    (lambda: load_checkpoint("no/such"), "the checkpoint no/such is not on this machine"),
    (lambda: push_checkpoint(sys.argv[1], "no/such"), "was not uploaded to no/such"),
    (lambda: pull("clip", Weights("no/such")), "is not on this machine and cannot be downloaded"),
):
    began = time.monotonic()
    try:
        ask()
    except ArtsoundError as error:
        assert said in str(error), error
        assert "\\n" not in str(error)
    else:
        raise AssertionError(said)
    took = time.monotonic() - began
    assert took < 5, (said, took)
"""


def test_a_name_that_does_not_resolve_is_asked_for_once(tmp_path: Path) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path)
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(("HF_", "HUGGING"))}
    kept = {k: v for k, v in kept.items() if not k.upper().endswith("_PROXY")}
    mine = {"HF_ENDPOINT": "http://hub.invalid", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", _ASKS, str(checkpoint)],
        env=kept | mine,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Retrying" not in done.stderr
    assert "thrown while requesting" not in done.stderr
