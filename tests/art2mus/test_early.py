"""What is wrong with a command is said before torch is imported, which takes many seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from art2mus.training.early import check_plan
from art2mus.training.settings import TrainSettings
from artsound.errors import UsageError
from tests.art2mus.training_runs import Ground

_SCRIPT = """
import json, sys
from art2mus.cli import app
from artsound.errors import UsageError
for arguments, said in json.loads(sys.argv[1]):
    try:
        app(args=arguments, standalone_mode=False)
    except UsageError as error:
        assert said in str(error), (arguments, str(error))
    else:
        raise AssertionError(arguments)
    assert "torch" not in sys.modules, arguments
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("early"))


def test_arguments_are_checked_before_the_heavy_imports(ground: Ground, tmp_path: Path) -> None:
    file, there = tmp_path / "file", tmp_path / "there"
    file.write_text("")
    there.mkdir()
    (there / "index.html").write_text("mine")
    release, out = str(ground.release), str(tmp_path / "out")
    train = ["train", release, "--recipe", "lite", "--backbone", str(ground.backbone), "--out"]
    cases = [
        ([*train, out, "--set", "batch.size=99"], "batch.size = 99 is larger than the split"),
        ([*train, out, "--tokens", "1000"], "has room for"),
        ([*train, out, "--tokens", "1000", "--dry-run"], "has room for"),
        ([*train, out, "--encoder", "imagebnd"], "did you mean 'imagebind'"),
        ([*train, out, "--encoder", "clip"], "clip-vit-b-32 does not embed music"),
        ([*train, out, "--encoder", "clip", "--dry-run"], "--set stand_ins.share=0, or take"),
        ([*train, str(file)], "is a file"),
        (["sweep", *train[1:], out, "--set", "split=trian"], "no split 'trian'"),
        (["toy", release, "--out", str(there)], "exists already"),
        (["toy", str(there), "--out", out], "is not a release"),
        (["sample", str(file), "a.png", "--out", out], "no checkpoint"),
        (["sample", str(there), "a.png", "--out", str(file)], "is a file"),
        (["sample", str(there), "a.png", "--out", str(there)], "is not of a page of samples"),
        (["sample", str(there), "a.png", "--duration", "nan"], "duration = nan"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(cases)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_tokens_that_fit_pass_and_unknown_backbones_are_left_to_their_opening(
    ground: Ground,
) -> None:
    from art2mus.backbone import Backbone
    from art2mus.data import open_release

    release = open_release(ground.release)
    opened = Backbone.open(ground.backbone)
    room = opened.positions - opened.loa_tokens + 1
    fits = ground.settings(f"aligner.tokens={room - 2}")
    assert check_plan(release, fits).batch == 2
    for more in (f"aligner.tokens={room - 1}", f"aligner.tokens={room + 1}"):
        with pytest.raises(UsageError, match=f"has room for {room} vectors, start and end incl"):
            check_plan(release, ground.settings(more))
    bare = ground.settings(f"aligner.tokens={room}", "aligner.boundary_tokens=false")
    check_plan(release, bare)
    settings = TrainSettings.read("lite", ["backbone=cvssp/audioldm2", "aligner.tokens=1000"])
    check_plan(release, settings)
