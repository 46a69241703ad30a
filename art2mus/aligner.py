"""The Image Aligner: an image's embedding to tokens in GPT-2's input space.

Source: the paper, section 4.2 and figure 4b. It is the only part of Art2Mus that learns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from art2mus.legacy import read_2024
from artsound.errors import ArtsoundError, UsageError
from artsound.models.checkpoints import load_into

STAGING_DIM: Final = 1024
GPT2_DIM: Final = 768


class ImageAligner(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Turns one embedding an image into tokens that GPT-2 continues.

    The Upscaler brings embeddings of any other size to `staging_dim` and does not exist for those
    that have it (ImageBind's), since a parameter that is not used stops distributed training. The
    Projection maps that to `tokens` vectors, and a learned start and end embedding enclose them, as
    AudioLDM 2's own projection model encloses its text (`AudioLDM2ProjectionModel` of diffusers).

    Args:
        embedding_dim: of the visual encoder: 1024 for ImageBind, 512 for CLIP.
        tokens: how many an image becomes; the paper tries 4, 6, 8, 10 and 16.
        hidden_dim: of GPT-2.
        staging_dim: what embeddings are brought to before they are projected.
        boundary_tokens: whether start and end embeddings enclose the tokens.
        projection_hidden: width of a hidden layer with tanh in the Projection, as the authors'
            2024 code has one (1536); a single linear layer, the paper's, if None.

    Raises:
        UsageError: a size is less than 1.

    Attributes:
        embedding_dim: see above, and so the other two.
        tokens: without the two that enclose them.
        hidden_dim: of what it writes.
    """

    if TYPE_CHECKING:

        def __call__(self, embeddings: Tensor) -> Tensor:
            """Say to type checkers what `forward` returns."""
            ...

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        embedding_dim: int,
        tokens: int,
        hidden_dim: int = GPT2_DIM,
        *,
        staging_dim: int = STAGING_DIM,
        boundary_tokens: bool = True,
        projection_hidden: int | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        sizes = {
            "embedding_dim": embedding_dim,
            "tokens": tokens,
            "hidden_dim": hidden_dim,
            "staging_dim": staging_dim,
            "projection_hidden": 1 if projection_hidden is None else projection_hidden,
        }
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise UsageError(f"{name} = {size!r}: an aligner needs a whole number of 1 or more")
        self.embedding_dim, self.tokens, self.hidden_dim = embedding_dim, tokens, hidden_dim
        self.upscaler: nn.Module = (
            nn.Identity() if embedding_dim == staging_dim else nn.Linear(embedding_dim, staging_dim)
        )
        self.projection: nn.Module = (
            nn.Linear(staging_dim, tokens * hidden_dim)
            if projection_hidden is None
            else nn.Sequential(
                nn.Linear(staging_dim, projection_hidden),
                nn.Tanh(),
                nn.Linear(projection_hidden, tokens * hidden_dim),
            )
        )
        self.start: nn.Parameter | None = None
        self.end: nn.Parameter | None = None
        if boundary_tokens:
            self.start = nn.Parameter(torch.ones(hidden_dim))
            self.end = nn.Parameter(torch.ones(hidden_dim))

    @classmethod
    def from_2024(cls, path: Path | str, *, hidden_dim: int = GPT2_DIM) -> Self:
        """Import the authors' image projection layer of 2024, of one token or of four.

        Args:
            path: `art2mus_img_proj_layer.pt`, `art2mus_4_img_proj_layer.pt`, or a file in their
                layout; pickles are read only if they hold tensors alone.
            hidden_dim: of GPT-2, which tells one token from several.

        Raises:
            CheckpointError: there is no such file, or it is of something else.
        """
        settings, tensors = read_2024(Path(path), hidden_dim)
        with torch.device("meta"):
            aligner: Self = cls(**settings)
        load_into(aligner, tensors, Path(path))
        aligner.eval()
        return aligner

    @property
    def settings(self) -> dict[str, Any]:
        """What it was made with, by the names of its arguments."""
        return {
            name: value for name, value in dict(self.config).items() if not name.startswith("_")
        }

    @property
    def sequence_length(self) -> int:
        """How many vectors GPT-2 is given: the tokens, and the two that enclose them."""
        return self.tokens + (0 if self.start is None else 2)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return GPT-2's input, of shape (B, sequence_length, hidden_dim).

        Args:
            embeddings: L2-normalised, one an image, shape (B, embedding_dim). Their values are not
                looked at here, in every step of a training: see `check_embeddings`.

        Raises:
            ArtsoundError: they are of another shape.
        """
        check_shape(embeddings, self.embedding_dim)
        staged = self.upscaler(embeddings.to(self.dtype))
        tokens: Tensor = self.projection(staged).unflatten(-1, (-1, self.hidden_dim))
        if self.start is None or self.end is None:
            return tokens
        one = (len(tokens), 1, -1)
        return torch.cat([self.start.expand(one), tokens, self.end.expand(one)], dim=1)


def check_shape(embeddings: Tensor, dimension: int) -> None:
    """Check that there is one embedding of the right size an image.

    Raises:
        ArtsoundError: the shape is not (B, dimension).
    """
    if embeddings.ndim != 2 or embeddings.shape[-1] != dimension:
        raise ArtsoundError(
            f"image embeddings of shape {tuple(embeddings.shape)}: this aligner takes (n,"
            f" {dimension}), from the encoder that it was made for"
        )


def check_embeddings(embeddings: Tensor, dimension: int) -> None:
    """Check embeddings once, where they enter: their shape, and that every number is finite.

    Raises:
        ArtsoundError: the shape is not (B, dimension), or a row holds a NaN or an infinity.
    """
    check_shape(embeddings, dimension)
    wrong = (~torch.isfinite(embeddings).all(dim=-1)).nonzero().flatten().tolist()
    if wrong:
        raise ArtsoundError(
            f"the embedding of image {wrong[0] + 1} of {len(embeddings)} holds numbers that are not"
            " finite: is the encoder's checkpoint damaged?"
        )
