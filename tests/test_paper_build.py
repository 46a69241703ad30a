"""The paper recipe from end to end on the sample: every real architecture, with tiny checkpoints.

The weights are random and small; the loading code, the architectures and the pipeline around them
are those of a real build. Chat models are a local server's.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import artsound
from artsound.builder import build
from artsound.errors import UsageError
from artsound.progress import Progress
from artsound.recipe import Recipe
from artsound.release.assemble import release
from artsound.workspace import Workspace
from tests.chat_server import ChatServer
from tests.conftest import SampleSources
from tests.models.chat.test_serving import vllm  # noqa: F401 - a fixture
from tests.models.imagebind import tiny as tiny_imagebind
from tests.models.lp_musiccaps import tiny as tiny_lp
from tests.models.tiny_bpe import clip_vocabulary, write_vocabulary
from tests.models.tiny_clip import write_clip, write_pac
from tests.models.tiny_text import write_roberta
from tests.test_cli import run

CHATS = ("llava-hf/llava-v1.6-mistral-7b-hf", "Qwen/Qwen3-14B")
ENDPOINTS = ("llava-1.6-mistral-7b", "qwen3-14b")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny checkpoints of the paper's models, each in its authors' format."""
    folder = tmp_path_factory.mktemp("weights")
    write_clip(folder / "clip")
    write_pac(folder / "clip_ViT-B-32.pth")
    write_roberta(folder / "roberta")
    tiny_lp.write(folder / "lp")
    (folder / "tokenizer").mkdir()
    write_vocabulary(folder / "tokenizer", *clip_vocabulary(), 77)
    tiny_imagebind.write_checkpoint(folder / "imagebind_huge.pth")
    return folder


@pytest.fixture(scope="module")
def settings(weights: Path) -> list[str]:
    bind = {
        f"options.{name}": value
        for name, value in dataclasses.asdict(tiny_imagebind.CONFIG).items()
    }
    given: dict[str, dict[str, object]] = {
        "clip-score": {"checkpoint": weights / "clip"},
        "pac-score": {
            "checkpoint": weights / "clip_ViT-B-32.pth",
            "companions.base": weights / "clip",
        },
        "bertscore-roberta-large": {"checkpoint": weights / "roberta", "options.layer": 2},
        "lp-musiccaps": {
            "checkpoint": weights / "lp" / "transfer.pth",
            "companions.bart": weights / "lp" / "bart",
        },
        "imagebind": {
            "checkpoint": weights / "imagebind_huge.pth",
            "companions.tokenizer": weights / "tokenizer",
            **bind,
        },
    }
    models = [
        f"models.{name}.{key}={value}"
        for name, keys in given.items()
        for key, value in keys.items()
    ]
    return ["shard_rows=20", "image_captions.max_regenerations=1", *models]


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer(CHATS) as running:
        yield running


def endpoints(server: ChatServer) -> list[str]:
    return [f"models.{name}.endpoint={server.url}" for name in ENDPOINTS]


@pytest.fixture(scope="module")
def workspace(
    sources: SampleSources,
    settings: list[str],
    server: ChatServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workspace:
    return build(
        Recipe.read("paper", [*settings, *endpoints(server)]),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=tmp_path_factory.mktemp("paper") / "work",
        workers=2,
    )


def test_every_table_is_made_by_the_paper_s_models(workspace: Workspace) -> None:
    captions = workspace.read("image_captions").to_pylist()
    assert {row["model"] for row in captions} == {"llava-1.6-mistral-7b"}
    assert {row["scorer"] for row in captions} == {"clip-score+pac-score"}
    assert {row["status"] for row in captions} == {"ok"}
    for row in captions:
        mixed = 0.35 * row["clip_score"] + 0.65 * row["pac_score"]
        assert row["ic_score"] == pytest.approx(mixed, abs=1e-6)
        assert "This artwork of" in row["caption"]
    segments = workspace.read("segment_captions").to_pylist()
    assert {row["model"] for row in segments} == {"lp-musiccaps"}
    fused = [row for row in workspace.read("audio_captions").to_pylist() if row["caption"]]
    assert {row["model"] for row in fused} == {"qwen3-14b"}
    assert {row["scorer"] for row in fused} == {"bertscore-roberta-large"}
    assert len(fused) > 20
    for strategy in Recipe.read("paper").pairing.strategies:
        pairs = workspace.read(f"pairs/{strategy}")
        assert set(pairs["embedder"].to_pylist()) == {"imagebind"}
        assert pairs["status"].to_pylist().count("ok") > 20


def test_chat_models_are_asked_as_the_paper_asks_them(
    workspace: Workspace, server: ChatServer
) -> None:
    fusions = [body for body in server.questions if body["model"] == CHATS[1]]
    assert all(body["chat_template_kwargs"] == {"enable_thinking": False} for body in fusions)
    assert {body["temperature"] for body in fusions} == {0.7}
    artworks = [body for body in server.questions if body["model"] == CHATS[0]]
    attempts = workspace.read("image_caption_attempts").to_pylist()
    assert len(artworks) == len(attempts)
    prompts = [
        part["text"]
        for body in artworks
        for part in body["messages"][0]["content"]
        if part["type"] == "text"
    ]
    assert sorted(prompts) == sorted(row["prompt"] for row in attempts)


def test_a_second_build_asks_nothing_twice(
    workspace: Workspace, server: ChatServer, sources: SampleSources, settings: list[str]
) -> None:
    recipe = Recipe.read("paper", [*settings, *endpoints(server)])
    before = len(server.questions)
    made = workspace.read("image_captions")
    workspace.drop("image_captions")
    workspace.drop("image_caption_attempts")
    build(recipe, artworks=sources.artworks, tracks=sources.tracks, out=workspace.root)
    assert workspace.read("image_captions").equals(made)
    assert len(server.questions) == before


def test_another_endpoint_is_the_same_build_and_other_weights_are_not(
    workspace: Workspace,
    server: ChatServer,
    sources: SampleSources,
    settings: list[str],
    weights: Path,
    tmp_path: Path,
) -> None:
    again = functools.partial(
        build, artworks=sources.artworks, tracks=sources.tracks, out=workspace.root
    )
    before = len(server.questions)
    with ChatServer(CHATS) as other:
        again(Recipe.read("paper", [*settings, *endpoints(other)]))
        assert not other.questions
    assert len(server.questions) == before
    moved = tmp_path / "moved"
    shutil.copytree(weights / "roberta", moved)
    elsewhere = [*settings, f"models.bertscore-roberta-large.checkpoint={moved}"]
    again(Recipe.read("paper", [*elsewhere, *endpoints(server)]))
    content = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(content | {"hidden_dropout_prob": 0.2}))
    with pytest.raises(
        UsageError, match=r"the weights of bertscore-roberta-large: .*audio_captions"
    ):
        again(Recipe.read("paper", [*elsewhere, *endpoints(server)]))


def test_the_release_names_the_weights_and_no_place(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "artsound"
    manifest = release(workspace, out).facts
    by_name = {model["name"]: model for model in manifest["models"]}
    assert by_name["clip-score"]["revision"].startswith("sha256:")
    assert "revision" not in by_name["qwen3-14b"]  # nobody knows what an endpoint serves
    card = (out / "README.md").read_text()
    assert "CC-BY-NC-SA-4.0" in card
    for path in out.rglob("*"):
        if path.suffix in {".md", ".json"}:
            text = path.read_text()
            assert str(workspace.root.parent.parent) not in text, path
            assert "http://127.0.0.1" not in text, path
    rows = artsound.load(out, split="train")
    assert rows[0]["artwork_caption"].startswith("This artwork of")
    assert rows[0]["pac_score"] is not None


def test_weights_that_are_gone_are_not_missed_by_a_finished_build(
    workspace: Workspace,
    server: ChatServer,
    sources: SampleSources,
    settings: list[str],
    weights: Path,
) -> None:
    recipe = Recipe.read("paper", [*settings, *endpoints(server)])
    hidden = weights.with_name("hidden")
    weights.rename(hidden)
    try:
        made = workspace.description()["models"]
        build(recipe, artworks=sources.artworks, tracks=sources.tracks, out=workspace.root)
        assert workspace.description()["models"] == made
        # What is to be made again is looked for before anything is dropped.
        with pytest.raises(UsageError, match=r"clip-score\.checkpoint = .*no such file"):
            build(
                recipe,
                artworks=sources.artworks,
                tracks=sources.tracks,
                out=workspace.root,
                redo_from="image_captions",
            )
        assert workspace.shards("image_captions")
    finally:
        hidden.rename(weights)


def test_models_are_compared_behind_their_endpoints(workspace: Workspace, tmp_path: Path) -> None:
    served = ("Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen2-Audio-7B-Instruct")
    names = ("qwen3-8b", "llama-3.1-8b-instruct", "qwen2-audio-7b")
    with ChatServer(served) as server:
        at = [f"--set=models.{name}.endpoint={server.url}" for name in names]
        common = (workspace.root, "--sample", "4", "--out", tmp_path)
        fusers = run("compare", "fusers", *common, "--model", names[0], "--model", names[1], *at)
        assert fusers.returncode == 0, fusers.stderr
        music = run("compare", "captioners", "--segments", *common, "--model", names[2], *at)
        assert music.returncode == 0, music.stderr
        asked = {body["model"] for body in server.questions}
    assert asked == set(served)
    with (tmp_path / "fusers.csv").open() as stream:
        ours = [row for row in csv.DictReader(stream) if row["row"] == "ours"]
    assert [row["fuser"] for row in ours] == ["qwen3-8b", "llama-3.1-8b-instruct"]
    # The server repeats the segments: that keeps every word of theirs.
    assert {float(row["ROUGE-1"]) for row in ours} == {1.0}
    assert "qwen2-audio-7b" in (tmp_path / "captioners_segments_examples.md").read_text()


def test_vllm_is_started_for_one_model_after_another(
    sources: SampleSources,
    settings: list[str],
    weights: Path,
    vllm: Callable[..., None],  # noqa: F811
    tmp_path: Path,
) -> None:
    vllm()
    folder = tmp_path / "chat"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    local = [f"models.{name}.checkpoint={folder}" for name in ENDPOINTS]
    workspace = build(
        Recipe.read("paper", [*settings, *local]),
        artworks=sources.artworks,
        tracks=sources.tracks,
        out=tmp_path / "work",
        workers=2,
        until="audio_captions",
        progress=Progress(quiet=True),
    )
    assert {row["status"] for row in workspace.read("image_captions").to_pylist()} == {"ok"}
    logs = {path.parent.name: path.read_text() for path in workspace.root.rglob("serve-*.log")}
    assert logs.keys() == {"image_captions", "audio_captions"}
    for log in logs.values():
        assert log.count("loading") == 1
