"""The layout of the paper's table 7: its metrics, which of ours stand for them, and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from art2mus.benchmark.results import Result, Results


@dataclass(frozen=True)
class Column:
    """A metric of table 7.

    Attributes:
        name: of the column.
        prefix: what the names of our metrics for it begin with.
        lower: whether lower is better.
        embedders: those of ours that are the paper's.
        paper: what the paper's embedder is called.
    """

    name: str
    prefix: str
    lower: bool
    embedders: frozenset[str]
    paper: str

    @property
    def head(self) -> str:
        """The column's name with an arrow to its better end."""
        return f"{self.name} {'↓' if self.lower else '↑'}"

    def find(self, results: Results) -> Result | None:
        """Return the result that stands in this column; one on the paper's embedder if there is."""
        fitting = [
            one
            for one in results.results
            if one.metric.startswith(self.prefix) and not one.metric.startswith(_NOT)
        ]
        return next((one for one in fitting if self.is_papers(one)), next(iter(fitting), None))

    def is_papers(self, result: Result) -> bool:
        """Say whether a result rests on the paper's embedder."""
        return result.embedder in self.embedders


_NOT: Final = ("fad-infinity",)
_IMAGEBIND: Final = frozenset({"imagebind"})
COLUMNS: Final = (
    Column("FAD", "fad-", True, frozenset({"vggish", "vggish-pca"}), "VGGish"),
    Column("KL-Div", "spectrum-kl", True, frozenset({"spectrum"}), "the time-summed spectrum"),
    Column("IBSc Artw-GeMus", "score-artwork-", False, _IMAGEBIND, "ImageBind"),
    Column("IBSc GtMus-GeMus", "score-music-", False, _IMAGEBIND, "ImageBind"),
)


@dataclass(frozen=True)
class PaperRow:
    """A row of the paper's table 7.

    Attributes:
        model: its name.
        encoder: the image embedding model; empty where there is none.
        hours: of training music.
        tokens: an image becomes; None where there are none.
        values: of `COLUMNS`.
    """

    model: str
    encoder: str
    hours: str
    tokens: int | None
    values: tuple[float, float, float, float]


PAPER: Final = (
    PaperRow("Art2Mus", "ImageBind", "2.6", 16, (13, 0.00296, 0.04671, 0.20368)),
    PaperRow("Art2Mus", "CLIP", "2.6", 6, (15, 0.00374, 0.04173, 0.16716)),
    PaperRow("AudioLDM 2", "", "1,150,000", None, (14, 0.00425, 0.09822, 0.17412)),
    PaperRow("AudioLDM 2-Music", "", "665,000", None, (15, 0.08449, 0.18683, 0.18683)),
    PaperRow("Mozart's Touch", "", "20,000", None, (19, 0.00238, 0.08348, 0.21629)),
)
PAPER_NOTE: Final = (
    "Paper: as printed in its table 7, on its own test split. Its FAD is on VGGish embeddings"
    " (section 5.3); the checkpoint, the sample rate, the clips' length, and the features that its"
    " KL is of are not stated. Not comparable with ours unless the release, the split and the"
    " checkpoints are the paper's."
)
