from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from artsound.models.lite.colour import lab, measure, name_of
from tests.models.lite.artworks import artwork


@pytest.mark.parametrize(
    ("rgb", "expected"),
    # CIE values of the sRGB primaries, white and mid grey under D65.
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.74, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
    ],
)
def test_lab_of_known_colours(
    rgb: tuple[int, int, int], expected: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(lab(np.array(rgb, dtype=np.uint8)), expected, atol=0.05)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((10, 10, 10), "black"),
        ((200, 140, 50), "ochre"),
        ((30, 60, 95), "Prussian blue"),
        ((240, 225, 190), "cream"),
    ],
)
def test_names_that_people_use(rgb: tuple[int, int, int], name: str) -> None:
    assert name_of(lab(np.array(rgb, dtype=np.uint8))) == name


def test_a_half_and_half_picture() -> None:
    image = Image.new("RGB", (200, 100), (20, 20, 20))
    image.paste((245, 245, 245), (100, 0, 200, 100))
    measured = measure(image)
    assert {colour.name: round(colour.share, 1) for colour in measured.palette} == {
        "black": 0.5,
        "white": 0.5,
    }
    assert measured.brightest == "right"
    assert measured.aspect == 2.0
    assert measured.horizon is None
    assert measured.symmetry < -0.9


def test_a_horizon() -> None:
    image = Image.new("RGB", (120, 100), (210, 225, 240))
    image.paste((40, 60, 40), (0, 70, 120, 100))
    assert measure(image).horizon == pytest.approx(0.7, abs=0.03)


@settings(max_examples=25)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)),
        elements=st.integers(0, 255),
    )
)
def test_any_picture_can_be_measured(pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    measured = measure(image)
    names = [colour.name for colour in measured.palette]
    assert names
    assert len(names) == len(set(names))
    assert sum(colour.share for colour in measured.palette) <= 1 + 1e-9
    assert measured == measure(image)


def test_the_starry_church_is_blue_and_the_portrait_grey() -> None:
    church = measure(
        artwork("vincent-van-gogh_the-church-in-auvers-sur-oise-view-from-the-chevet-1890")
    )
    assert "slate blue" in [colour.name for colour in church.palette]
    assert measure(artwork("antonis-mor_portrait-of-william-of-orange-1555")).chroma < 4
