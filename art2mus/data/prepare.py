"""What training reads in place of media: latents, image embeddings and prompts, computed once.

The caches are keyed by content (a file's SHA-256), by the weights that computed them and by the
front end's version, so they serve every release and training that shares those. They lie in one
folder::

    C/checksums/<release>/<split>/    which media a row has
    C/moments/<backbone>-<front end>-<type>/    the VAE's mean and log-variance of each clip
    C/embeddings/<encoder>/           the embedding of each artwork
    C/music/<encoder>-<front end>/    that of each clip, where a training asks for it
    C/prompts/<key>.safetensors       the encoded prompts
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save
from torch import Tensor

from art2mus.backbone import Backbone
from art2mus.conditioning import NEGATIVE_PROMPT, PROMPT, Conditioning, PromptEncoder
from art2mus.data.build_caches import Builder, Places, Report, keys_of, opened
from art2mus.data.caches import Rows
from art2mus.data.release import Release, check_release
from art2mus.encoders import VisualEncoder
from artsound.atomic import write_atomically
from artsound.errors import UsageError

_ENCODERS: Final = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2",
                    "projection_model")  # fmt: skip
_TELL_S: Final = 5.0
_PROMPTS: Final = 2  # another one whenever a prompt would be encoded to other numbers


@dataclass(frozen=True)
class Prepared:
    """What a release's rows were computed to; views of files, and so small.

    Attributes:
        prompt: FLAN-T5's states of the prompt, shape (1, S, D), and their mask, shape (1, S).
        negative: what guidance leads away from, a batch of one.
    """

    prompt: tuple[Tensor, Tensor]
    negative: Conditioning
    _moments: dict[str, Rows] = field(repr=False)
    _embeddings: dict[str, Rows] = field(repr=False)
    _music: dict[str, Rows] = field(repr=False)

    @property
    def splits(self) -> dict[str, int]:
        """How many rows each of the prepared splits has."""
        return {split: len(rows) for split, rows in self._moments.items()}

    def moments(self, split: str) -> Rows:
        """Return each row's latent mean and log-variance: float16, shape (2 C, 256, 16)."""
        return self._of(self._moments, split)

    def embeddings(self, split: str) -> Rows:
        """Return each row's image embedding: float32, shape (E,)."""
        return self._of(self._embeddings, split)

    def music(self, split: str) -> Rows:
        """Return the embedding of each row's clip, by the encoder of images: float32, (E,)."""
        return self._of(self._music, split)

    def _of(self, rows: dict[str, Rows], split: str) -> Rows:
        if split not in rows:
            raise UsageError(f"the split {split!r} was not prepared: there is {', '.join(rows)}")
        return rows[split]


def prepare(
    release: Release,
    splits: Sequence[str],
    backbone: Backbone,
    encoder: VisualEncoder,
    *,
    cache: Path,
    batch: int = 8,
    device: torch.device | str | None = None,
    progress: Report | None = None,
    prompt: str = PROMPT,
    negative_prompt: str = NEGATIVE_PROMPT,
    music: Collection[str] = (),
    threads: int = 0,
) -> Prepared:
    """Compute what is missing of the caches, and open them.

    Media are read once, in order, and decoded by threads; memory holds a batch. A batch is
    committed as it is computed, so that a build which is killed goes on from there and ends in the
    same bytes. One process builds at a time; the others wait for it, and say how far it is. The
    parts of the backbone that only this needs are let go.

    Args:
        release: with media.
        splits: which of its splits.
        backbone: whose VAE and text encoders are used, where something is missing.
        encoder: of the artworks.
        cache: the folder of the caches.
        batch: how many clips, or images, are computed at a time.
        device: where spectrograms are made; the backbone's device if None.
        progress: is told a name, how many rows are done, and of how many.
        prompt: what FLAN-T5 encodes.
        negative_prompt: what guidance leads away from.
        music: in which of the splits the encoder embeds the music too.
        threads: how many decode; one a core, up to 8, if 0.

    Raises:
        UsageError: the release has no media or no such split, or music is asked for in a split that
            is not prepared.
        ArtsoundError: a pair's media are missing or cannot be decoded, or the disk is too small;
            names the pair. What was computed until then stays.
    """
    if unknown := set(music) - set(splits):
        raise UsageError(f"music of the split {min(unknown)!r}, which is not prepared")
    for split in splits:
        check_release(release, split=split)
    places = Places.of(cache, release, backbone, encoder)
    found = _open(release, splits, places, music)
    if found is None:
        report = progress or _silent
        with _turn(cache, lambda: _tell(release, splits, places, music, report)):
            builder = Builder(
                release,
                places,
                backbone,
                encoder,
                batch=batch,
                device=torch.device(device or backbone.device),
                report=report,
                threads=threads,
            )
            for split in splits:
                builder.build(split, music=split in music)
        backbone.release("vae")
        found = _open(release, splits, places, music)
        if found is None:
            raise AssertionError("a build ends with every row in its cache")
    return Prepared(*_prompts(cache, backbone, prompt, negative_prompt), *found)


def _open(
    release: Release, splits: Sequence[str], places: Places, hearing: Collection[str]
) -> tuple[dict[str, Rows], dict[str, Rows], dict[str, Rows]] | None:
    """Return the views of moments, artworks' embeddings and music's by split.

    None where something is missing.
    """
    moments, embeddings = opened(places.moments), opened(places.vectors)
    music = opened(places.music) if hearing else None
    if moments is None or embeddings is None or (hearing and music is None):
        return None
    clips, artworks, heard = {}, {}, {}
    for split in splits:
        rows = release.splits[split]
        images, tracks = keys_of(places.checksums(split), rows)
        if len(tracks) < rows or moments.missing(tracks) or embeddings.missing(images):
            return None
        clips[split], artworks[split] = moments.rows(tracks), embeddings.rows(images)
        if music is not None and split in hearing:
            if music.missing(tracks):
                return None
            heard[split] = music.rows(tracks)
    return clips, artworks, heard


@contextmanager
def _turn(cache: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only one who builds; `waiting` is called every few seconds while another does."""
    cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / ".lock")
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_TELL_S)
        except Timeout:
            waiting()
    try:
        yield
    finally:
        lock.release()


def _tell(
    release: Release,
    splits: Sequence[str],
    places: Places,
    hearing: Collection[str],
    report: Report,
) -> None:
    """Report how many rows another process has cached until now."""
    moments, embeddings = opened(places.moments), opened(places.vectors)
    music = opened(places.music) if hearing else None
    done, total = 0, sum(release.splits[split] for split in splits)
    for split in splits:
        images, tracks = keys_of(places.checksums(split), release.splits[split])
        needed = [(embeddings, images), (moments, tracks)]
        if split in hearing:
            needed.append((music, tracks))
        held = [[cache is not None and key in cache for key in keys] for cache, keys in needed]
        done += sum(map(all, zip(*held, strict=True)))
    report("caches, by another process", done, total)


def _prompts(
    cache: Path, backbone: Backbone, prompt: str, negative: str
) -> tuple[tuple[Tensor, Tensor], Conditioning]:
    """Return the encoded prompts, from the cache or, once, from the backbone's text encoders."""
    said = json.dumps([_PROMPTS, backbone.fingerprint, str(backbone.dtype), prompt, negative])
    path = cache / "prompts" / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):
            if not path.is_file():
                _encode_prompts(path, backbone, prompt, negative)
    held = load_file(path)
    away = Conditioning(held["negative.loa"], held["negative.text"], held["negative.text_mask"])
    return (held["text"], held["text_mask"]), away


def _encode_prompts(path: Path, backbone: Backbone, prompt: str, negative: str) -> None:
    with torch.no_grad():
        encoder = PromptEncoder(backbone)
        text, mask = encoder.text([prompt])
        away = encoder.negative([negative], prompt=prompt)
    backbone.release(*_ENCODERS)
    tensors = {
        "text": text,
        "text_mask": mask,
        "negative.loa": away.loa,
        "negative.text": away.text,
        "negative.text_mask": away.text_mask,
    }
    write_atomically(path, save({name: one.cpu().contiguous() for name, one in tensors.items()}))


def _silent(_: str, __: int, ___: int) -> None:
    """Tell nobody."""
