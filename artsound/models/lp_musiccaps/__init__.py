"""LP-MusicCaps (Doh et al., ISMIR 2023): captions of 10-second music segments.

Inference alone, loading the authors' checkpoint: `mel` and `encoder` turn a waveform into BART's
input, `decoder` runs BART's decoder for all beams of many segments at once, `beam` searches,
`network` loads the weights, `model` is the whole, and `captioner` the role that a recipe names.
"""

from artsound.models.lp_musiccaps.captioner import LPMusicCapsCaptioner
from artsound.models.lp_musiccaps.model import LPMusicCaps

__all__ = ["LPMusicCaps", "LPMusicCapsCaptioner"]
