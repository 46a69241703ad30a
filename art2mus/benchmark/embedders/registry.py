"""Embedders by name: what each gives, where its weights come from, and how it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from artsound.errors import ArtsoundError, UsageError
from artsound.models.entry import Weights

if TYPE_CHECKING:
    from art2mus.benchmark.embedders.base import AudioEmbedder

_MUSIC: Final = frozenset({"music"})
_ALL: Final = frozenset({"music", "artwork", "caption"})
_VGGISH: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
_PANNS: Final = "https://zenodo.org/record/3987831/files/"


@dataclass(frozen=True)
class EmbedderEntry:
    """What is known of an embedder.

    Attributes:
        gives: the features of a clip.
        sees: what it embeds: music, and artworks or captions in the same space.
        source: of its weights, for people.
        license: of its weights.
        weights: by part; empty for one that needs none, or whose weights `artsound.models` knows.
    """

    gives: frozenset[str]
    sees: frozenset[str]
    source: str
    license: str
    weights: Mapping[str, Weights] = field(default_factory=dict)


def _vggish(*parts: str) -> EmbedderEntry:
    files = {"": "vggish-10086976.pth", "pca": "vggish_pca_params-970ea276.pth"}
    return EmbedderEntry(
        frozenset({"frames"}),
        _MUSIC,
        "harritaylor/torchvggish v0.1",
        "Apache-2.0",
        {part: Weights(url=_VGGISH + files[part], gigabytes=0.3) for part in parts},
    )


def _panns(file: str) -> EmbedderEntry:
    return EmbedderEntry(
        frozenset({"frames", "logits"}),
        _MUSIC,
        f"qiuqiangkong/audioset_tagging_cnn ({file})",
        "CC-BY-4.0",
        {"": Weights(url=f"{_PANNS}{file}", gigabytes=0.3)},
    )


def _folder(repository: str, license_: str) -> EmbedderEntry:
    return EmbedderEntry(
        frozenset({"frames"}), _MUSIC, repository, license_, {"": Weights(repository)}
    )


def _joint(source: str, license_: str, *sees: str) -> EmbedderEntry:
    return EmbedderEntry(frozenset({"vector", "frames"}), frozenset(sees), source, license_)


EMBEDDERS: Final[Mapping[str, EmbedderEntry]] = {
    "vggish": _vggish(""),
    "vggish-pca": _vggish("", "pca"),
    "panns-16k": _panns("Cnn14_16k_mAP=0.438.pth"),
    "panns-32k": _panns("Cnn14_mAP=0.431.pth"),
    "encodec": _folder("facebook/encodec_24khz", "CC-BY-NC-4.0"),
    "mert": _folder("m-a-p/MERT-v1-95M", "CC-BY-NC-4.0"),
    "clap-music": _joint("laion/larger_clap_music", "Apache-2.0", "music", "caption"),
    "imagebind": _joint("imagebind_huge.pth", "CC-BY-NC-SA-4.0", *_ALL),
    "lite-musicnn": EmbedderEntry(
        frozenset({"frames", "logits"}), _MUSIC, "musicnn 0.1.0 (MTT MusiCNN)", "ISC"
    ),
    "lite-conse": _joint("EfficientNet-Lite2, MusiCNN, MiniLM", "Apache-2.0 AND ISC", *_ALL),
    "spectrum": EmbedderEntry(frozenset({"spectrum"}), _MUSIC, "none", "none"),
}


@dataclass(frozen=True)
class Loaded:
    """An embedder in memory.

    Attributes:
        embedder: it.
        checkpoint: what its weights are called.
        weights: SHA-256 of their content; of a single file its own; `none` where there are none.
    """

    embedder: AudioEmbedder
    checkpoint: str
    weights: str


def check_names(checkpoints: Mapping[str, str]) -> None:
    """Refuse checkpoints for embedders that there are none of.

    Raises:
        UsageError: names the first, and those that there are.
    """
    for name in checkpoints:
        if name.partition(".")[0] not in EMBEDDERS:
            raise UsageError(
                f"a checkpoint for {name!r}: no such embedder; there is {', '.join(EMBEDDERS)}"
            )


def load(name: str, checkpoints: Mapping[str, str] | None = None, device: str = "cpu") -> Loaded:
    """Load an embedder.

    Args:
        name: of `EMBEDDERS`.
        checkpoints: paths of weights by embedder, and by `embedder.part` for what is beside them
            (`vggish-pca.pca`, `imagebind.tokenizer`); what is not named is downloaded.
        device: where it computes.

    Raises:
        ArtsoundError: the weights are not there, damaged or of another model.
    """
    given = checkpoints or {}
    own = given.get(name)
    parts = {key.partition(".")[2]: at for key, at in given.items() if key.startswith(f"{name}.")}
    entry = EMBEDDERS[name]
    if name in {"clap-music", "imagebind", "lite-conse"}:
        from art2mus.benchmark.embedders.joint import Joint

        joint = Joint(name, own, parts, device)
        return Loaded(joint, own or entry.source, joint.weights)
    if name == "lite-musicnn":
        from art2mus.benchmark.embedders.lite import LiteMusicnn

        tagger = LiteMusicnn()
        return Loaded(tagger, entry.source, tagger.weights)
    if name == "spectrum":
        from art2mus.benchmark.embedders.lite import Spectrum

        return Loaded(Spectrum(), entry.source, "none")
    return _from_files(name, entry, {"": own, **parts} if own else parts, device)


def _from_files(name: str, entry: EmbedderEntry, given: Mapping[str, str], device: str) -> Loaded:
    from art2mus.benchmark.embedders.content import content, together

    paths = {part: _located(name, part, entry, given) for part in entry.weights}
    fingerprint = together({part: content(path) for part, path in paths.items()})
    main = paths[""]
    made: AudioEmbedder
    if name.startswith("vggish"):
        from art2mus.benchmark.embedders.vggish import VGGish

        made = VGGish.from_checkpoint(
            main, pca=paths.get("pca"), fingerprint=fingerprint, device=device
        )
    elif name.startswith("panns"):
        from art2mus.benchmark.embedders.panns import Panns

        made = Panns.from_checkpoint(name, main, fingerprint=fingerprint, device=device)
    elif name == "encodec":
        from art2mus.benchmark.embedders.transformers_models import Encodec

        made = Encodec(main, fingerprint, device)
    else:
        from art2mus.benchmark.embedders.transformers_models import Mert

        made = Mert(main, fingerprint, device)
    return Loaded(made, main.name, fingerprint)


def _located(name: str, part: str, entry: EmbedderEntry, given: Mapping[str, str]) -> Path:
    from artsound.models.weights import WeightsError, pull

    key = f"{name}.{part}" if part else name
    if part in given:
        path = Path(given[part]).expanduser()
        if not path.exists():
            raise UsageError(f"checkpoint {key}={given[part]}: no such file or folder")
        return path
    try:
        return pull(name, entry.weights[part], part)
    except WeightsError as error:
        raise ArtsoundError(
            f"{key} ({entry.weights[part].source}) is not on this machine and cannot be downloaded"
            f" from here: say where it is, --weights {key}=PATH (`checkpoints` in Python)"
        ) from error
