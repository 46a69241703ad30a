from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from artsound.models.lite import efficientnet, imagenet
from tests.models.lite.artworks import artwork

EXPECTED = Path(__file__).parent / "data" / "efficientnet_lite2_logits.npy"


def _pattern() -> Image.Image:
    y, x = np.mgrid[0:260, 0:260].astype(np.float64) / 260
    waves = (
        np.sin(9 * x + 3 * y),
        np.cos(13 * y * x),
        np.sin(20 * (x - 0.5) ** 2 + 17 * (y - 0.4) ** 2),
    )
    return Image.fromarray((127 + 120 * np.stack(waves, axis=-1)).round().astype(np.uint8))


def test_logits_equal_those_of_the_published_port() -> None:
    # Made with the package efficientnet-lite-pytorch 0.1.0 from the same checkpoint and pixels.
    batch = torch.from_numpy(efficientnet.pixels(_pattern()))[None]
    with torch.inference_mode():
        logits = efficientnet.load()(batch)[0].numpy()
    np.testing.assert_allclose(logits, np.load(EXPECTED), atol=1e-5)


def test_pixels_are_normalised_as_the_lite_models_want() -> None:
    white = efficientnet.pixels(Image.new("RGB", (30, 50), "white"))
    assert white.shape == (3, 260, 260)
    np.testing.assert_allclose(white, 1.0)


def test_probabilities_sum_to_one_and_do_not_depend_on_the_batch() -> None:
    lion, boats = (
        artwork("albrecht-durer_lion-1494"),
        artwork("katsushika-hokusai_at-sea-off-kazusa"),
    )
    both = efficientnet.class_probabilities([lion, boats])
    assert both.shape == (2, 1000)
    np.testing.assert_allclose(both.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(both[1:], efficientnet.class_probabilities([boats]))


def test_tiny_and_thin_images() -> None:
    images = [Image.new("RGB", size) for size in ((1, 1), (500, 2))]
    assert np.isfinite(efficientnet.class_probabilities(images)).all()


def test_the_sample_shows_a_lion_a_ship_and_a_church() -> None:
    stems = {
        "albrecht-durer_lion-1494": "a lion",
        "katsushika-hokusai_at-sea-off-kazusa": "a sailing ship",
        "vincent-van-gogh_the-church-in-auvers-sur-oise-view-from-the-chevet-1890": "a church",
    }
    images = [artwork(stem) for stem in stems]
    rows = imagenet.suppress(efficientnet.class_probabilities(images))
    for row, phrase in zip(rows, stems.values(), strict=True):
        firm = [seen.phrase for seen in imagenet.sightings(row) if seen.strength >= 1]
        assert firm[0] == phrase


def test_class_table_is_whole() -> None:
    table = imagenet.classes()
    assert [entry.index for entry in table] == list(range(1000))
    assert len({entry.name for entry in table}) == 1000
    assert {entry.group for entry in table if entry.group} == set(imagenet.groups())
    assert not any(entry.group and entry.suppressed for entry in table)
    suppressed = {entry.name for entry in table if entry.suppressed}
    assert {"book jacket", "comic book", "jigsaw puzzle", "tray", "web site"} <= suppressed
