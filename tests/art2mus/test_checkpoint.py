"""Checkpoints: written whole or not at all, read back exactly, described truthfully, uploaded."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import (
    Description,
    check_encoder,
    component_licences,
    load_checkpoint,
    save_checkpoint,
)
from art2mus.encoders import VisualEncoder
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.hub import Handler, LocalHub, route

FILES = {
    "README.md",
    "aligner/config.json",
    "aligner/diffusion_pytorch_model.safetensors",
    "art2mus.json",
    "model_index.json",
}

# The small Hub takes uploads of datasets; models go the same way.
for action in ("preupload", "commit"):
    route("POST", f"/api/models/{{id}}/{action}/{{rev}}")(getattr(Handler, f"_{action}"))


def _aligner(seed: int = 0, tokens: int = 4) -> ImageAligner:
    torch.manual_seed(seed)
    aligner: ImageAligner = ImageAligner(12, tokens, 16, staging_dim=20)
    return aligner


def _weights(aligner: ImageAligner) -> torch.Tensor:
    weights: torch.Tensor = aligner.state_dict()["projection.weight"]
    return weights


def _description(**changes: Any) -> Description:
    made = Description(
        encoder="imagebind",
        encoder_dim=12,
        encoder_fingerprint="ab12",
        tokens=4,
        backbone="cvssp/audioldm2",
        backbone_revision="0" * 40,
        backbone_fingerprint="cd34",
        toy=False,
        prompt="Music representing the content of this artwork",
        negative_prompt="Low quality",
        release="someone/artsound",
        release_revision="v1.0",
        step=120,
        seed=3,
        recipe={"name": "paper", "optimizer": {"lr": 2e-5}, "cache": "/home/me/cache"},
        licences={"encoder": "CC-BY-NC-SA-4.0", "backbone": "CC-BY-NC-SA-4.0"},
        metrics={"fad": 13.25, "kl": 0.00296},
    )
    return replace(made, **changes)


def _files(folder: Path) -> set[str]:
    """Return a folder's files; a writer's lock is none of the checkpoint's."""
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    return found - {".saving.lock"}


def test_is_read_as_it_was_written(tmp_path: Path) -> None:
    aligner, description = _aligner(), _description()
    save_checkpoint(tmp_path / "a" / "ckpt", aligner, description)
    assert _files(tmp_path / "a" / "ckpt") == FILES
    again, said = load_checkpoint(tmp_path / "a" / "ckpt")
    assert said == description
    assert again.settings == aligner.settings
    embeddings = torch.randn(2, 12)
    assert torch.equal(again(embeddings), aligner(embeddings))
    assert not again.training
    assert all(held.requires_grad for held in again.parameters())
    alone = ImageAligner.from_pretrained(tmp_path / "a" / "ckpt", subfolder="aligner")
    assert torch.equal(alone(embeddings), aligner(embeddings))


def test_equal_checkpoints_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, _aligner(), _description())
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    save_checkpoint(tmp_path / "b", load_checkpoint(tmp_path / "a")[0], _description())
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_card_says_where_music_stood_in_for_artworks(tmp_path: Path) -> None:
    cards = {}
    for share in (0.0, 0.25):
        recipe = {"stand_ins": {"share": share, "spread": 1.0}}
        save_checkpoint(tmp_path / str(share), _aligner(), _description(recipe=recipe))
        cards[share] = " ".join((tmp_path / str(share) / "README.md").read_text("utf-8").split())
    assert "music's own embedding" not in cards[0.0]
    assert "In 25 % of the examples it was shown the music's own embedding" in cards[0.25]


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events").write_text("kept")
    save_checkpoint(tmp_path, _aligner(), _description())
    save_checkpoint(tmp_path, _aligner(1), _description(step=121))
    assert _files(tmp_path) == FILES | {"log/events"}
    assert load_checkpoint(tmp_path)[1].step == 121


def _save_for_ever(folder: Path, aligners: list[ImageAligner], written: Any) -> None:
    for step in itertools.count():
        save_checkpoint(folder, aligners[step % 2], _description(step=step))
        written.value = step


def test_a_killed_save_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    aligners = [_aligner(0), _aligner(1)]
    fork = multiprocessing.get_context("fork")
    for attempt in range(12):
        folder = tmp_path / str(attempt)
        written = fork.Value("i", -1)
        process = fork.Process(target=_save_for_ever, args=(folder, aligners, written))
        process.start()
        while written.value < 1:
            time.sleep(0.01)
        time.sleep(0.0037 * attempt)
        process.kill()
        process.join()
        aligner, description = load_checkpoint(folder)
        assert description.step >= written.value
        assert torch.equal(_weights(aligner), _weights(aligners[description.step % 2]))
        save_checkpoint(folder, aligner, _description(step=9))
        assert _files(folder) == FILES


def test_a_save_that_was_killed_while_it_moved_files_is_read_and_then_completed(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    save_checkpoint(old, _aligner(0), _description(step=1))
    save_checkpoint(new, _aligner(1), _description(step=2))
    shutil.copytree(new, old / ".saving")
    (old / ".saving" / "complete").touch()
    (old / ".saving" / "aligner" / "config.json").replace(old / "aligner" / "config.json")
    before = {path: path.stat().st_mtime_ns for path in sorted(old.rglob("*"))}
    aligner, description = load_checkpoint(old)
    assert description.step == 2
    assert torch.equal(_weights(aligner), _weights(_aligner(1)))
    # Its writer may be at work still: a reader moves nothing.
    assert {path: path.stat().st_mtime_ns for path in sorted(old.rglob("*"))} == before
    save_checkpoint(old, _aligner(0), _description(step=3))
    assert _files(old) == FILES
    assert load_checkpoint(old)[1].step == 3


def _read_until(folder: Path, stop: Any, told: Any) -> None:
    read, wrong = 0, []
    while not stop.is_set():
        try:
            aligner, description = load_checkpoint(folder)
            if not torch.equal(_weights(aligner), _weights(_aligner(description.step % 2))):
                wrong.append(f"step {description.step} has other weights")
        except BaseException as error:  # noqa: BLE001 - any at all fails the test
            wrong.append(repr(error))
        read += 1
    told.put((read, wrong))


def test_readers_and_a_writer_do_not_disturb_one_another(tmp_path: Path) -> None:
    aligners = [_aligner(0), _aligner(1)]
    save_checkpoint(tmp_path, aligners[0], _description(step=0))
    fork = multiprocessing.get_context("fork")
    stop, told = fork.Event(), fork.Queue()
    reader = fork.Process(target=_read_until, args=(tmp_path, stop, told))
    reader.start()
    for step in range(1, 61):
        save_checkpoint(tmp_path, aligners[step % 2], _description(step=step))
    stop.set()
    read, wrong = told.get(timeout=60)
    reader.join()
    assert read > 5
    assert wrong == []


def test_two_writers_take_turns(tmp_path: Path) -> None:
    aligners = [_aligner(0), _aligner(1)]
    fork = multiprocessing.get_context("fork")

    def write(begin: int) -> None:
        for step in range(begin, begin + 15):
            save_checkpoint(tmp_path, aligners[step % 2], _description(step=step))

    writers = [fork.Process(target=write, args=(begin,)) for begin in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    aligner, description = load_checkpoint(tmp_path)
    assert torch.equal(_weights(aligner), _weights(aligners[description.step % 2]))
    assert _files(tmp_path) == FILES


def _edit(path: Path, **changes: Any) -> None:
    held = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in held.items() if v != "gone"}))


def _others_weights(at: Path) -> None:
    save_checkpoint(at / "other", _aligner(1), _description())
    name = "aligner/diffusion_pytorch_model.safetensors"
    (at / "other" / name).replace(at / name)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda at: (at / "art2mus.json").unlink(),
            "no Art2Mus checkpoint: it has no art2mus.json",
        ),
        (lambda at: (at / "art2mus.json").write_text("{"), "art2mus.json is damaged"),
        (lambda at: _edit(at / "art2mus.json", format=2), "of format 2.*upgrade"),
        (lambda at: _edit(at / "art2mus.json", prompt="gone"), "does not say 'prompt'"),
        (lambda at: _edit(at / "art2mus.json", step="9"), "step = '9' should be of type int"),
        (lambda at: _edit(at / "art2mus.json", colour="red"), "'colour', which this version"),
        (lambda at: _edit(at / "art2mus.json", tokens=6), "they are of two checkpoints"),
        (lambda at: _edit(at / "aligner/config.json", tokens=6), "is not a checkpoint of"),
        (lambda at: _edit(at / "aligner/config.json", tokens=0), "is no aligner's: tokens = 0"),
        (lambda at: _edit(at / "aligner/config.json", depth=2), "is no aligner's"),
        (_others_weights, "is not the file that art2mus.json describes"),
    ],
)
def test_refuses_in_one_line(tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    save_checkpoint(tmp_path, _aligner(), _description())
    damage(tmp_path)
    with pytest.raises(ArtsoundError, match=said) as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_refuses_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        save_checkpoint(tmp_path / "file", _aligner(), _description())
    with pytest.raises(UsageError, match="described as one for 12 and 4"):
        save_checkpoint(tmp_path / "ckpt", _aligner(tokens=6), _description())
    with pytest.raises(UsageError, match="no such folder"):
        load_checkpoint(tmp_path / "none")
    with pytest.raises(ArtsoundError, match="cannot be downloaded from here"):
        load_checkpoint("nobody/art2mus")


def test_refuses_another_encoder() -> None:
    encoder = VisualEncoder.load("lite")
    fits = _description(
        encoder="lite-conse",
        encoder_dim=encoder.dimension,
        encoder_fingerprint=f"{encoder.fingerprint}-bfloat16",
    )
    check_encoder(fits, encoder)
    with pytest.raises(UsageError, match=r"trained with imagebind \(12 numbers\), not with lite"):
        check_encoder(_description(), encoder)
    with pytest.raises(UsageError, match="other weights of lite-conse"):
        check_encoder(replace(fits, encoder_fingerprint="0" * 64), encoder)


def test_card_says_what_is_true(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", _aligner(), _description())
    card = (tmp_path / "a" / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["base_model"] == "cvssp/audioldm2"
    assert head["datasets"] == ["someone/artsound"]
    assert head["license"] == "cc-by-nc-sa-4.0"
    for held in ("imagebind", "| optimizer.lr | 2e-05 |", "| fad | 13.25 |", "| steps | 120 |"):
        assert held in card
    assert "toy" not in card.lower()
    assert "/home/me" not in card
    assert "no commercial use" in card


def test_card_says_where_and_when_the_metrics_were_taken(tmp_path: Path) -> None:
    def card(**changes: Any) -> str:
        save_checkpoint(tmp_path, _aligner(), _description(**changes))
        return (tmp_path / "README.md").read_text()

    taken = card(validated=120, validation_split="test")
    assert "Taken after step 120; on the release's split `test`." in taken
    later = card(validated=100, validation_split="validation")
    assert "Taken after step 100: these weights are of step 120, and have not been" in later
    assert "on the release's split `validation`." in later
    (tmp_path / "art2mus.json").write_text(_without("validated", "validation_split", at=tmp_path))
    said = load_checkpoint(tmp_path)[1]  # of the version before
    assert (said.validated, said.validation_split) == (0, "")
    assert "It is not recorded after which step they were taken." in card()


def test_card_sorts_losses_by_their_steps_and_counts_the_clips(tmp_path: Path) -> None:
    metrics = {"loss@450": 0.2, "loss@50": 0.1, "loss": 0.15, "fad-lite-musicnn": 9.0}
    for artworks, said in (
        (1, "split `test`, 1 artwork. FAD compares that one generated clip with as much"),
        (4, "split `test`, 4 artworks. FAD compares as many generated clips with as much"),
    ):
        told = {"validated": 120, "validation_split": "test", "validation_artworks": artworks}
        save_checkpoint(tmp_path, _aligner(), _description(metrics=metrics, **told))
        card = (tmp_path / "README.md").read_text()
        assert said in card
        assert 0 < card.index("| loss |") < card.index("| loss@50 |") < card.index("| loss@450 |")


def _without(*names: str, at: Path) -> str:
    held = json.loads((at / "art2mus.json").read_text())
    return json.dumps({name: value for name, value in held.items() if name not in names})


def test_card_of_a_toy_says_so(tmp_path: Path) -> None:
    backbone = Backbone.open(write_tiny_backbone(tmp_path / "prior"))
    backbone.toy = True
    made = _description(
        encoder="lite-conse",
        backbone=backbone.name,
        backbone_revision="",
        toy=True,
        release="/data/my/release",
        release_revision="",
        licences=component_licences("lite", backbone),
        metrics={},
        recipe={},
    )
    save_checkpoint(tmp_path / "a", _aligner(), made)
    card = (tmp_path / "a" / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert "toy" in head["tags"]
    assert "base_model" not in head
    assert "datasets" not in head
    assert head["license"] == "other"
    assert "**A toy.**" in card
    assert "This checkpoint has not been validated." in card
    assert str(tmp_path) not in card
    assert "/data" not in card


def test_licences_of_the_papers_parts(tmp_path: Path) -> None:
    backbone = Backbone.open(write_tiny_backbone(tmp_path))
    assert component_licences("imagebind", backbone)["backbone"] == "not stated"
    backbone.name = "cvssp/audioldm2"
    assert component_licences("imagebind", backbone) == {
        "encoder": "CC-BY-NC-SA-4.0",
        "backbone": "CC-BY-NC-SA-4.0",
        "release": "mixed, stated on every row",
    }


_PUSH = """
import sys
import torch
from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import load_checkpoint, push_checkpoint
from artsound.errors import ArtsoundError
folder = sys.argv[1]
push_checkpoint(folder, "someone/art2mus-aligner", private=True)
aligner, description = load_checkpoint("someone/art2mus-aligner")
here, _ = load_checkpoint(folder)
x = torch.randn(2, 12)
assert torch.equal(aligner(x), here(x))
here.push_to_hub("someone/aligner-alone")
assert torch.equal(ImageAligner.from_pretrained("someone/aligner-alone")(x), here(x))
backbone = Backbone.open("someone/prior")
assert backbone.language_model.config.n_embd == 16
for load, name, revision, said in (
    (Backbone.open, "someone/none", None, "no such repository"),
    (Backbone.open, "someone/prior", "v9", "has no such revision"),
    (load_checkpoint, "someone/prior", None, "is no Art2Mus checkpoint"),
):
    try:
        load(name, revision=revision)
    except ArtsoundError as error:
        assert said in str(error), error
        assert "\\n" not in str(error)
    else:
        raise AssertionError(name)
said = (description.step, backbone.name, backbone.revision, backbone.fingerprint)
print("online", *said, flush=True)
sys.stdin.read()  # the Hub goes away
assert Backbone.open("someone/prior").fingerprint == backbone.fingerprint
assert load_checkpoint("someone/art2mus-aligner")[1] == description
print("offline")
"""


def test_uploads_and_downloads(tmp_path: Path) -> None:
    from tests.hub_store import Blob, Repo

    prior = write_tiny_backbone(tmp_path / "prior")
    save_checkpoint(tmp_path / "ckpt", _aligner(), _description())
    (tmp_path / "ckpt" / "private.log").write_text("stays here")
    with LocalHub() as hub:
        repo = hub.repos["someone/prior"] = Repo(private=False)
        files = {name: Blob((prior / name).read_bytes(), lfs=False) for name in _files(prior)}
        sha = repo.commit("main", files | {"large.ckpt": Blob(b"not wanted", lfs=False)})
        client = subprocess.Popen(
            [sys.executable, "-c", _PUSH, str(tmp_path / "ckpt")],
            env=hub.environment(tmp_path / "home"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "said").open("w"),
            text=True,
        )
        assert client.stdout is not None
        told = ""
        while not told.startswith("online"):
            told = client.stdout.readline()
            assert told, (tmp_path / "said").read_text()
        step, name, revision, fingerprint = told.split()[1:]
        assert (step, name, revision) == ("120", "someone/prior", sha)
        assert len(fingerprint) == 64
        assert set(hub.repos["someone/art2mus-aligner"].files()) == FILES | {".gitattributes"}
        assert hub.repos["someone/art2mus-aligner"].private
        assert not hub.sent("large.ckpt")
    left, _ = client.communicate("")
    assert left == "offline\n", (tmp_path / "said").read_text()
