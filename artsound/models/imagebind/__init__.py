"""ImageBind (Girdhar et al., CVPR 2023, arXiv 2305.05665): one space for images, audio and text.

Inference alone, loading the authors' `imagebind_huge.pth`: `audio` turns waveforms into the three
clips that the network hears, `tokenizer` texts into tokens, `network` is the three transformers,
their weights named as the authors name them, and `model` the embedder that a recipe names. Images
are transformed as CLIP's are (`models.pixels`).
"""

from artsound.models.imagebind.config import ImageBindConfig
from artsound.models.imagebind.model import ImageBind

__all__ = ["ImageBind", "ImageBindConfig"]
