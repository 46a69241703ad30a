"""The toy backbone: trained, the same bytes every time, and opened as any backbone is."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from art2mus.backbone import Backbone
from art2mus.conditioning import NEGATIVE_PROMPT, PROMPT, PromptEncoder, rollout
from art2mus.data import open_release
from art2mus.lite.backbone import make_toy, train_toy
from art2mus.lite.music import gather, whole_clips
from art2mus.lite.parts import HIDDEN, TEXT, make_parts
from art2mus.lite.prior import PriorSettings, pretrain
from art2mus.lite.state import EVERY, StateFile
from art2mus.lite.state import FILE as STATE
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.lite.made_up import made_up_music
from tests.tiny_release import write_tiny_release

QUICK = PriorSettings(steps=2, batch=2, frames=16)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_toy(made_up_music(), tmp_path_factory.mktemp("toy") / "backbone", QUICK)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(toy: Path, tmp_path: Path) -> None:
    torch.rand(3)  # whatever was drawn before
    again = train_toy(made_up_music(), tmp_path / "again", QUICK)
    assert _digests(again) == _digests(toy)
    other = train_toy(made_up_music(), tmp_path / "other", PriorSettings(2, 2, 16, seed=1))
    assert (
        _digests(other)["unet/diffusion_pytorch_model.safetensors"]
        != (_digests(toy)["unet/diffusion_pytorch_model.safetensors"])
    )


class _Stopped(Exception):
    pass


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    music, settings = made_up_music(), PriorSettings(steps=EVERY + 3, batch=1, frames=8)
    whole = train_toy(music, tmp_path / "whole", settings)

    def stops(what: str, done: int, total: int) -> None:
        if done == EVERY + 2:
            raise _Stopped

    out = tmp_path / "out"
    with pytest.raises(_Stopped):
        train_toy(music, out, settings, report=stops)
    assert not out.exists()
    assert (tmp_path / ".out.unfinished" / STATE).is_file()
    seen: list[int] = []
    train_toy(music, out, settings, report=lambda what, done, total: seen.append(done))
    assert seen == [EVERY + 1, EVERY + 2, EVERY + 3]
    assert _digests(out) == _digests(whole)
    assert not list(tmp_path.glob(".*"))


def test_a_state_of_something_else_or_a_damaged_one_is_not_gone_on_from(
    toy: Path, tmp_path: Path
) -> None:
    music = made_up_music()
    latents, other = torch.zeros(2, 8, 16, 16), torch.ones(2, 8, 16, 16)
    path = tmp_path / STATE
    StateFile(path, QUICK, latents, latents).write({"losses": [1.0]})
    assert StateFile(path, QUICK, latents, latents).read() is not None
    assert StateFile(path, QUICK, latents, other).read() is None
    assert StateFile(path, PriorSettings(3, 2, 16), latents, latents).read() is None
    unfinished = tmp_path / ".out.unfinished"
    for content in (b"damaged", pickle.dumps({"identity": tmp_path}, protocol=2)):
        (unfinished / "unet").mkdir(parents=True)  # half of a part
        (unfinished / STATE).write_bytes(content)
        out = train_toy(music, tmp_path / "out", QUICK)
        assert _digests(out) == _digests(toy)
        shutil.rmtree(out)


def test_two_commands_do_not_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import sys; from pathlib import Path; from art2mus.lite.unfinished import unfinished\n"
        "with unfinished(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'state.pt').write_text('kept'); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ArtsoundError, match="another `art2mus toy` is making") as error:
        train_toy(made_up_music(), out, QUICK)
    assert "\n" not in str(error.value)
    assert (tmp_path / ".out.unfinished" / "state.pt").read_text() == "kept"
    holder.kill()
    holder.communicate()
    train_toy(made_up_music(), out, QUICK)  # who was killed has let go
    assert not list(tmp_path.glob(".*"))


def test_it_opens_as_a_backbone_and_says_that_it_is_a_toy(toy: Path) -> None:
    backbone = Backbone.open(toy)
    assert backbone.toy
    assert backbone.sample_rate == 16_000
    assert backbone.hidden_dim == HIDDEN
    assert backbone.loa_tokens == 8
    assert json.loads((toy / "model_index.json").read_text())["art2mus_toy"] is True
    assert "toy prior, not AudioLDM 2" in (toy / "README.md").read_text()
    assert not list(toy.parent.glob(".*"))


def test_every_path_of_the_full_size_backbone_runs(toy: Path) -> None:
    backbone = Backbone.open(toy)
    text, mask = PromptEncoder(backbone).text([PROMPT])
    negative = PromptEncoder(backbone).negative([NEGATIVE_PROMPT])
    assert text.shape[2] == negative.text.shape[2] == TEXT
    assert negative.loa.shape == (1, 8, HIDDEN)
    loa = rollout(backbone.language_model, torch.randn(1, 10, HIDDEN), 8)
    with torch.no_grad():
        noise = backbone.unet(
            torch.randn(1, 8, 250, 16),  # 10 s, which the U-Net's halvings do not divide
            torch.tensor([500]),
            encoder_hidden_states=loa,
            encoder_hidden_states_1=text,
            encoder_attention_mask_1=mask,
        ).sample
        mel = backbone.vae.decode(noise / backbone.vae.config.scaling_factor).sample
        sound = backbone.vocoder(mel[:, 0])
    assert mel.shape == (1, 1, 1000, 64)
    assert sound.shape == (1, 160_000)
    assert torch.isfinite(sound).all()


def test_the_loss_falls_and_only_unet_and_gpt2_learn(tmp_path: Path) -> None:
    settings = PriorSettings(steps=60, batch=8, frames=16)
    folder = train_toy(made_up_music(), tmp_path / "toy", PriorSettings(1, 2, 16))
    backbone = Backbone.open(folder)
    fixed = ("vae", "text_encoder", "text_encoder_2", "projection_model")
    before = {part: _weights(backbone, part) for part in (*fixed, "unet", "language_model")}
    music = made_up_music()
    latents = backbone.vae.encode(music.mels[:, None]).latent_dist.mode()
    scaled = latents * backbone.vae.config.scaling_factor
    losses = pretrain(backbone, scaled, music.embeddings, settings)
    assert sum(losses[-15:]) < 0.75 * sum(losses[:15])
    for part, weights in before.items():
        assert torch.equal(_weights(backbone, part), weights) == (part in fixed), part
    assert not any(weight.requires_grad for weight in backbone.unet.parameters())


def test_first_weights_leave_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make_parts(0)
    assert torch.equal(torch.rand(3), expected)


def test_a_release_becomes_a_backbone(tmp_path: Path) -> None:
    release = open_release(write_tiny_release(tmp_path / "release", pairs=3, seconds=11.0))
    seen = []
    folder = make_toy(release, tmp_path / "toy", QUICK, lambda *told: seen.append(told))
    assert Backbone.open(folder).toy
    assert json.loads((folder / "toy.json").read_text())["clips"] == 3
    assert seen[0] == ("reading music", 1, 3)
    assert seen[-1] == ("training the toy prior", 2, 2)
    with pytest.raises(UsageError, match="exists already"):
        make_toy(release, folder, QUICK)


def test_no_more_tracks_are_read_than_asked_for(tmp_path: Path) -> None:
    from typer import Typer
    from typer.testing import CliRunner

    from art2mus.lite_app import register

    write_tiny_release(tmp_path / "release", pairs=4, shards=2, seconds=11.0)
    manifest = (
        tmp_path / "release/manifest.json"
    )  # as of a whole release, which need not be checked
    whole = {"media": "embed", "rows": {"default": {"train": 4, "test": 1}}}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | whole))
    (tmp_path / "release/data/train-00001-of-00002.parquet").unlink()  # it is not needed
    app = Typer()
    register(app)
    command = [str(tmp_path / "release"), "--out", str(tmp_path / "toy"), "--steps", "1"]
    done = CliRunner().invoke(app, [*command, "--limit", "2"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "learning from the first 2 of 4 tracks (--limit)" in done.output
    assert json.loads((tmp_path / "toy/toy.json").read_text())["clips"] == 2


def test_tracks_become_their_whole_clips(tmp_path: Path) -> None:
    lengths = {9.6: 1, 12.0: 1, 25.0: 2, 29.98: 3, 30.0: 3, 0.4: 1}
    for seconds, clips in lengths.items():
        samples = torch.zeros(2, int(seconds * 100)).numpy()
        assert len(list(whole_clips(samples, 100))) == clips, seconds


def test_a_split_that_is_not_there_and_a_model_that_hears_nothing(tmp_path: Path) -> None:
    release = open_release(write_tiny_release(tmp_path / "release", pairs=2))
    with pytest.raises(UsageError, match="no split 'trian'"):
        gather(release, "trian")
    with pytest.raises(UsageError, match="does not embed both"):
        gather(release, embedder="clip-vit-b-32")
    with pytest.raises(UsageError, match="at least one"):
        PriorSettings(steps=0)


def _weights(backbone: Backbone, part: str) -> torch.Tensor:
    module = backbone.part(part)
    return torch.cat([tensor.detach().flatten().clone() for tensor in module.state_dict().values()])
