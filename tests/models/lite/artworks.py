"""The sample's artworks that the lite image tests look at, with what the catalogue says of them."""

from __future__ import annotations

from importlib import resources
from typing import Any

from PIL import Image

_FOLDER = resources.files("artsound.sources.sample") / "data" / "artgraph" / "imagesf2"

CATALOGUES: dict[str, dict[str, Any]] = {
    "albrecht-durer_lion-1494": {
        "title": "Lion",
        "year": 1494,
        "style": "northern renaissance",
        "genre": "animal painting",
        "tags": ["lions", "animals"],
        "media": ["gouache", "parchment"],
    },
    "katsushika-hokusai_at-sea-off-kazusa": {
        "title": "At sea off Kazusa",
        "style": "ukiyo-e",
        "genre": "marina",
        "tags": ["sea", "boats-and-ships"],
        "media": ["woodblock print", "paper"],
        "country": "japan",
    },
    "vincent-van-gogh_the-church-in-auvers-sur-oise-view-from-the-chevet-1890": {
        "title": "The church in Auvers-sur-Oise, view from the chevet",
        "year": 1890,
        "style": "post-impressionism",
        "genre": "cityscape",
        "tags": ["churches", "roads-and-vehicles"],
        "media": ["oil", "canvas"],
        "country": "france",
    },
    "antonis-mor_portrait-of-william-of-orange-1555": {
        "title": "Portrait of William of Orange",
        "year": 1555,
        "style": "northern renaissance",
        "genre": "portrait",
        "tags": ["male-portraits", "armour"],
        "media": ["oil", "panel"],
    },
    "wassily-kandinsky_composition-viii-1923": {
        "title": "Composition VIII",
        "year": 1923,
        "style": "abstract art",
        "genre": "abstract",
        "tags": ["geometric", "circles", "lines"],
        "media": ["oil", "canvas"],
        "country": "germany",
    },
}


def artwork(stem: str) -> Image.Image:
    """Return one artwork of the sample, RGB."""
    with (_FOLDER / f"{stem}.jpg").open("rb") as file:
        return Image.open(file).convert("RGB")
