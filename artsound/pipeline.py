r"""The whole build on one page: the stages in order, and what each reads.

    ArtGraph -> artworks ----> image_captions (+ attempts) -----------+
                        \\                                              \
                         +-> embeddings/<embedder>/image, image_caption,
                        /                          audio, audio_caption -> pairs/<strategy>
    FMA ------> tracks ---> segment_captions -> audio_captions (+ attempts)

`artsound release` and `artsound report` read the tables afterwards.
"""

from __future__ import annotations

import difflib

from artsound.captions.artworks import ImageCaptionsStage
from artsound.captions.fusion import AudioCaptionsStage
from artsound.captions.segments import SegmentCaptionsStage
from artsound.embeddings import embedding_stages
from artsound.errors import UsageError
from artsound.pairing.strategies import pairing_stages
from artsound.recipe import Recipe
from artsound.sources.stages import ArtworksStage, TracksStage
from artsound.stage import Stage


def stages(recipe: Recipe) -> list[Stage]:
    """Return the stages of a build, each after everything that it reads."""
    return [
        ArtworksStage(),
        TracksStage(),
        ImageCaptionsStage(),
        SegmentCaptionsStage(),
        AudioCaptionsStage(),
        *embedding_stages(recipe),
        *pairing_stages(recipe),
    ]


def stage_index(plan: list[Stage], name: str) -> int:
    """Return the position of a stage in a plan.

    Raises:
        UsageError: the plan has no stage of that name; suggests the nearest.
    """
    names = [stage.table for stage in plan]
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no stage {name!r}: {hint}the stages are {', '.join(names)}")
