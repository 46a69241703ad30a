"""The noise that sampling starts from: each waveform's from its own seed or generator alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from artsound.errors import UsageError

MAX_SEED: Final = 2**63 - 1


def seeds_for(
    seed: int | Sequence[int] | None, images: int, per_image: int
) -> tuple[int, ...] | None:
    """Return the seed of every waveform, an image's waveforms side by side.

    One seed is every image's; a list gives each image, or each waveform, its own. The waveforms of
    an image count up from its seed. So what an image sounds like does not depend on which others
    are sampled with it.

    Args:
        seed: the seed or seeds; None for none.
        images: how many images there are.
        per_image: how many waveforms each gets.

    Raises:
        UsageError: their number is another, or one is no integer from 0 to 2^63 - 1.
    """
    if seed is None:
        return None
    given = [seed] * images if isinstance(seed, int) else list(seed)
    if len(given) == images * per_image:
        seeds = given
    elif len(given) == images:
        seeds = [first + number for first in given for number in range(per_image)]
    else:
        raise UsageError(
            f"{len(given)} seeds for {images} images: give one, one an image, or one a waveform"
            f" ({images * per_image})"
        )
    for one in seeds:
        if not isinstance(one, int) or not 0 <= one <= MAX_SEED:
            raise UsageError(f"seed {one!r}: give an integer from 0 to 2^63 - 1")
    return tuple(seeds)


def starting_noise(
    shape: tuple[int, int, int],
    count: int,
    *,
    seeds: Sequence[int] | None = None,
    generators: Sequence[torch.Generator] | torch.Generator | None = None,
) -> torch.Tensor:
    """Return Gaussian noise, float32 on the CPU, shape (count, *shape).

    It is drawn item by item in float32 on the CPU (a generator of another device draws there), so
    that a seed means the same noise in any batch, at any precision and on any device.

    Args:
        shape: channels, time and frequency of one latent.
        count: how many items.
        seeds: one an item.
        generators: one an item, or one that all draw from in turn; in place of seeds.

    Raises:
        UsageError: the number of generators is another than that of items.
    """
    if seeds is not None:
        drawn = [torch.Generator().manual_seed(seed) for seed in seeds]
    elif isinstance(generators, torch.Generator):
        drawn = [generators] * count
    elif generators is not None:
        drawn = list(generators)
    else:
        return torch.cat([torch.randn((1, *shape)) for _ in range(count)])
    if len(drawn) != count:
        raise UsageError(f"{len(drawn)} generators for {count} waveforms: give one, or one each")
    return torch.cat(
        [
            torch.randn((1, *shape), generator=generator, device=generator.device).cpu()
            for generator in drawn
        ]
    )
