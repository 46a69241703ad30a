"""What can be measured in a picture without knowing what it shows: palette, light, composition.

Colours are compared in CIELAB under D65 (CIE 15:2004), where equal distances look about equal. The
palette is k-means (Lloyd 1982) from a deterministic start; clusters are named by the nearest of the
pigment and everyday names in `data/artworks/colours.csv`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]

_SIDE: Final = 128
_CLUSTERS: Final = 7
_ROUNDS: Final = 15
# Clusters nearer than this (CIE 1976) are shades of one colour to a viewer.
_SAME: Final = 20.0
# Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1), and D65's white point.
_TO_XYZ: Final = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
_WHITE: Final = np.array([0.9505, 1.0, 1.089])


@dataclass(frozen=True)
class Colour:
    """One colour of a palette.

    Attributes:
        name: what people call it ("ochre").
        share: of the picture's area, 0 to 1.
        lab: its CIELAB coordinates.
    """

    name: str
    share: float
    lab: tuple[float, float, float]

    @property
    def chroma(self) -> float:
        """CIELAB C*, 0 is grey."""
        return float(np.hypot(self.lab[1], self.lab[2]))

    def distance(self, other: Colour) -> float:
        """CIE 1976 colour difference."""
        return float(np.linalg.norm(np.subtract(self.lab, other.lab)))


@dataclass(frozen=True)
class Measurements:
    """A picture in numbers.

    Attributes:
        palette: the colours, largest share first; no name twice.
        lightness: mean L*, 0 (black) to 100 (white).
        contrast: standard deviation of L*.
        chroma: mean C*; under 5 is a grey picture, over 35 a vivid one.
        warmth: mean b* plus half the mean a*: positive is warm, negative is cool.
        brightest: where the light lies: `left`, `right`, `top`, `bottom`, `centre`, or empty.
        aspect: width divided by height.
        weight: where the detail gathers, words as in `brightest`.
        emptiest: the third with hardly any detail (`top`, `bottom`, `left`, `right`), or empty.
        symmetry: correlation of L* with its mirror image, -1 to 1.
        horizon: height of one strong horizontal division, 0 (top) to 1 (bottom), or None.
        detail: mean gradient of L* a pixel; under 3 is calm, over 9 is crowded.
    """

    palette: tuple[Colour, ...]
    lightness: float
    contrast: float
    chroma: float
    warmth: float
    brightest: str
    aspect: float
    weight: str
    emptiest: str
    symmetry: float
    horizon: float | None
    detail: float


def lab(rgb: NDArray[np.uint8]) -> Array:
    """Convert 8-bit sRGB to CIELAB under D65.

    Args:
        rgb: shape (..., 3).

    Returns:
        L* (0 to 100), a* and b*, shape (..., 3).
    """
    value = rgb.astype(np.float64) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    delta = 6.0 / 29.0
    f = np.where(xyz > delta**3, np.cbrt(xyz), xyz / (3 * delta**2) + 4.0 / 29.0)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@cache
def _colour_names() -> tuple[tuple[str, ...], Array]:
    path = resources.files("artsound.models.lite") / "data" / "artworks" / "colours.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rgb = np.array([list(bytes.fromhex(row["srgb"])) for row in rows], dtype=np.uint8)
    return tuple(row["name"] for row in rows), lab(rgb)


def name_of(colour: Array) -> str:
    """Name a CIELAB colour, shape (3,), after the nearest known one (CIE 1976 distance)."""
    names, points = _colour_names()
    return names[int(np.argmin(((points - colour) ** 2).sum(axis=1)))]


def measure(image: Image.Image) -> Measurements:
    """Measure an RGB picture, on a thumbnail of at most 128 pixels a side."""
    thumbnail = image.copy()
    thumbnail.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = lab(np.asarray(thumbnail.convert("RGB"), dtype=np.uint8))
    light = pixels[..., 0]
    edges = _gradient(light)
    chroma = np.hypot(pixels[..., 1], pixels[..., 2])
    return Measurements(
        palette=palette(pixels.reshape(-1, 3)),
        lightness=float(light.mean()),
        contrast=float(light.std()),
        chroma=float(chroma.mean()),
        warmth=float(pixels[..., 2].mean() + 0.5 * pixels[..., 1].mean()),
        brightest=_place(light, margin=7.0),
        aspect=image.width / image.height,
        weight=_place(edges, margin=0.3 * float(edges.mean())),
        emptiest=_emptiest(edges),
        symmetry=_correlation(light, light[:, ::-1]),
        horizon=_horizon(light),
        detail=float(edges.mean()),
    )


def palette(pixels: Array) -> tuple[Colour, ...]:
    """Return the named colours of CIELAB pixels, shape (n, 3), by k-means with 7 clusters.

    The clusters start at the pixel nearest the mean and then, one by one, at the pixel farthest
    from those chosen, so the result has no random part. Shades of one colour count for the largest
    among them; shares under 1 % are left out.
    """
    first = int(np.argmin(((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)))
    centres = pixels[first][None]
    while len(centres) < _CLUSTERS:
        far = ((pixels[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
        if far.max() < 1.0:
            break
        centres = np.vstack([centres, pixels[int(np.argmax(far))]])
    for _ in range(_ROUNDS):
        nearest = ((pixels[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(centres))
        for k in np.flatnonzero(counts):
            centres[k] = pixels[nearest == k].mean(axis=0)
    clusters = sorted(
        (
            Colour(
                name_of(centre),
                int(count) / len(pixels),
                (float(centre[0]), float(centre[1]), float(centre[2])),
            )
            for centre, count in zip(centres, counts, strict=True)
            if count >= 0.01 * len(pixels)
        ),
        key=lambda colour: (-colour.share, colour.lab),
    )
    merged: list[Colour] = []
    for cluster in clusters:
        near = [k for k, kept in enumerate(merged) if _alike(kept, cluster)]
        if near:
            kept = merged[near[0]]
            merged[near[0]] = Colour(kept.name, kept.share + cluster.share, kept.lab)
        else:
            merged.append(cluster)
    return tuple(sorted(merged, key=lambda colour: (-colour.share, colour.name)))


def _alike(one: Colour, other: Colour) -> bool:
    return one.name == other.name or one.distance(other) < _SAME


def _gradient(light: Array) -> Array:
    if min(light.shape) < 2:
        return np.zeros_like(light)
    down, across = np.gradient(light)
    steepness: Array = np.hypot(down, across)
    return steepness


def _thirds(field: Array) -> dict[str, float]:
    rows, columns = field.shape
    low, high = rows // 3, rows - rows // 3
    left, right = columns // 3, columns - columns // 3
    if low == 0 or left == 0:
        return {}
    return {
        "left": float(field[:, :left].mean()),
        "right": float(field[:, right:].mean()),
        "top": float(field[:low].mean()),
        "bottom": float(field[high:].mean()),
        "centre": float(field[low:high, left:right].mean()),
    }


def _place(field: Array, margin: float) -> str:
    """Return the third whose mean exceeds the whole's by the margin, or empty."""
    means = _thirds(field)
    if not means:
        return ""
    best = max(means, key=lambda place: (means[place], place))
    return best if means[best] - float(field.mean()) > margin else ""


def _emptiest(edges: Array) -> str:
    means = {place: mean for place, mean in _thirds(edges).items() if place != "centre"}
    if not means:
        return ""
    least = min(means, key=lambda place: (means[place], place))
    return least if means[least] < 0.4 * float(edges.mean()) else ""


def _correlation(one: Array, other: Array) -> float:
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def _horizon(light: Array) -> float | None:
    """Find one horizontal division: rows above and below it differ, across most of the width."""
    rows = light.shape[0]
    band = max(2, rows // 8)
    if rows < 4 * band:
        return None
    best, where = 0.0, 0
    margin = max(band, rows // 5)
    for row in range(margin, rows - margin + 1):
        above, below = light[row - band : row].mean(axis=0), light[row : row + band].mean(axis=0)
        difference = above - below
        agree = float((np.sign(difference) == np.sign(difference.mean())).mean())
        strength = abs(float(difference.mean())) if agree > 0.9 else 0.0
        if strength > best:
            best, where = strength, row
    return where / rows if best > 14.0 else None
