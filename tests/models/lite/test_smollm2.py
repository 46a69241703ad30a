"""The fuser on the real model: its file is read right, it ranks as it should, it adds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from artsound.captions.issues import inspect_audio_caption
from artsound.captions.prompts import fusion_prompt
from artsound.errors import ArtsoundError
from artsound.models import registry
from artsound.models.base import CaptionFuser, Feedback, FusionRequest
from artsound.models.lite.llama_gguf import load_llama_gguf
from artsound.models.lite.ranking import Ranker
from artsound.models.lite.smollm2 import SmolLM2Fuser
from artsound.models.lite.weights import smollm2_gguf
from tests.models.lite.test_fusion_candidates import FAST, SLOW, STRINGS


@pytest.fixture(scope="module")
def fuser() -> SmolLM2Fuser:
    loaded: SmolLM2Fuser = registry.load("fuser", "lite-smollm2")
    return loaded


def _request(*segments: str, attempt: int = 1) -> FusionRequest:
    return FusionRequest("1", segments, fusion_prompt(segments), Feedback(attempt))


def test_the_file_is_read_right() -> None:
    model, tokenizer = load_llama_gguf(smollm2_gguf())
    text = (
        "The capital of France is Paris, and the river Seine runs through it. It has 20 districts."
    )
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    assert tokenizer.decode(ids[0]) == text
    with torch.inference_mode():
        loss = model(ids, labels=ids).loss
        shuffled = ids[:, torch.randperm(ids.shape[1], generator=torch.Generator().manual_seed(0))]
        nonsense = model(shuffled, labels=shuffled).loss
        prompt = tokenizer("The capital of France is", return_tensors="pt")
        following = int(model(**prompt).logits[0, -1].argmax())
    assert loss < 3.5 < 5 < nonsense
    assert tokenizer.decode([following]) == " Paris"


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not a model at all, whatever its name says")
    with pytest.raises(ArtsoundError, match=r"model\.gguf: not a readable GGUF file"):
        load_llama_gguf(path)


def test_the_ranking_is_that_of_whole_texts_read_alone() -> None:
    model, tokenizer = load_llama_gguf(smollm2_gguf())
    prompt = tokenizer("The opposite of hot is", add_special_tokens=False)["input_ids"]
    choices = [
        tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in (" a green bicycle.", " cold.", " warm, in the end.")
    ]
    expected = []
    for choice in choices:
        whole = torch.tensor([prompt + choice])
        with torch.inference_mode():
            scores = torch.log_softmax(model(whole).logits[0, :-1], -1)
        steps = scores.gather(1, whole[0, 1:, None])[len(prompt) - 1 :]
        expected.append(float(steps.mean()))
    ranker = Ranker(model, prompt)
    for choice, score in zip(choices, expected, strict=True):
        assert ranker._score(choice) == pytest.approx(score, abs=1e-4)
    assert ranker.best(choices) == expected.index(max(expected)) == 1
    ranker.extend(choices[1])
    assert ranker.best(choices[:1]) == 0


def test_it_fits_its_role(fuser: SmolLM2Fuser) -> None:
    assert isinstance(fuser, CaptionFuser)


def test_the_parts_are_told_in_order_and_nothing_is_added(fuser: SmolLM2Fuser) -> None:
    (caption,) = fuser.fuse([_request(STRINGS, SLOW, FAST, attempt=4)])
    assert caption.index("F major") < caption.index("A minor") < caption.index("140 BPM")
    assert inspect_audio_caption((STRINGS, SLOW, FAST), caption) == ()


def test_more_is_told_at_each_attempt(fuser: SmolLM2Fuser) -> None:
    captions = fuser.fuse([_request(STRINGS, SLOW, FAST, attempt=n) for n in (1, 2, 4)])
    lengths = [len(caption) for caption in captions]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[2]


def test_a_caption_depends_on_its_request_alone(fuser: SmolLM2Fuser) -> None:
    requests = [_request(STRINGS, SLOW), _request(FAST), _request(SLOW, FAST)]
    together = fuser.fuse(requests)
    assert together == [fuser.fuse([request])[0] for request in requests]


def test_one_segment_is_told_as_it_is(fuser: SmolLM2Fuser) -> None:
    (caption,) = fuser.fuse([_request(FAST, attempt=4)])
    assert caption == FAST
