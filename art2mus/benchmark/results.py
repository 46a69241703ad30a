"""What a benchmark's run found, under which conditions: results.json, with a schema.

Two results may be put side by side only where their conditions agree; `conditions` names them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError

FORMAT: Final = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Result(_Strict):
    """One metric's value.

    Attributes:
        metric: its name, embedder included, as in `fad-vggish`.
        version: of the metric.
        value: None where it is undefined on this set; `details["undefined"]` says why.
        higher_is_better: the direction; None where neither end is the better one.
        interval: 95 %, by a seeded bootstrap; `details["interval_of"]` says what is resampled; None
            where there are too few items.
        n: how many items were evaluated.
        details: what a reader has to know.
        items: the value of each pair, for paired comparison; None for what only a set has.
        embedder: what the metric rests on.
        checkpoint: the name of its weights.
        checkpoint_hash: which weights, and how they were used.
        embedder_sample_rate: what clips were resampled to, in Hz; None for their own rate.
    """

    metric: str
    version: str
    value: float | None
    higher_is_better: bool | None
    interval: tuple[float, float] | None
    n: int = Field(ge=1)
    details: dict[str, Any] = Field(default_factory=dict)
    items: dict[str, float] | None = None
    embedder: str
    checkpoint: str
    checkpoint_hash: str
    embedder_sample_rate: int | None

    @model_validator(mode="after")
    def _agrees(self) -> Result:
        if self.value is None and "undefined" not in self.details:
            raise ValueError(f"{self.metric} has no value, and does not say why")
        if self.items is not None and len(self.items) != self.n:
            raise ValueError(f"{self.metric} has {len(self.items)} items, not {self.n}")
        return self


class Dataset(_Strict):
    """The release that was evaluated on.

    Attributes:
        name: of the repository or the folder.
        revision: the commit of a repository; None for a folder.
        fingerprint: of its files.
        split: which.
        pairs: how many the split has.
    """

    name: str
    revision: str | None
    fingerprint: str
    split: str
    pairs: int


class Predictions(_Strict):
    """The generated clips.

    Attributes:
        fingerprint: of their files' contents.
        count: how many were evaluated.
        sample_rates: those that occur, in Hz.
        shortest_s: of the clips, in seconds.
        longest_s: likewise, whole files; only `Results.clip_s` of them is heard.
        heard_s: how much is heard of a clip, the mean over clips, in seconds.
        short: how many clips are noticeably shorter than `Results.clip_s`.
        silent: the pairs whose clips are silent.
        missing: the pairs that have none; only where the results are partial.
        seeds: of the generation, where they are known.
    """

    fingerprint: str
    count: int
    sample_rates: list[int]
    shortest_s: float
    longest_s: float
    heard_s: float
    short: int
    silent: list[str] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=list)


class Results(_Strict):
    """results.json.

    Attributes:
        format: of this file.
        model: what generated the clips.
        model_details: its input, checkpoint, licence, settings: whatever the model's adapter says.
        suite: the metrics' suite, or `custom`.
        dataset: what was evaluated on.
        predictions: what was evaluated.
        clip_s: how much of each clip and of its ground truth was heard, in seconds; None for all.
        partial: whether some pairs were left out: not comparable then.
        seed: of the intervals.
        code_version: of this package.
        hardware: that it ran on.
        seconds: that it took.
        results: a metric each.
    """

    format: Literal[2] = FORMAT
    model: str
    model_details: dict[str, Any] = Field(default_factory=dict)
    suite: str
    dataset: Dataset
    predictions: Predictions
    clip_s: float | None
    partial: bool
    seed: int
    code_version: str
    hardware: str
    seconds: float = Field(ge=0)
    results: list[Result]

    def result(self, metric: str) -> Result | None:
        """Return the result of a metric by its name."""
        return next((one for one in self.results if one.metric == metric), None)


def write_results(path: Path, results: Results) -> None:
    """Write results.json, whole or not at all."""
    write_atomically(path, (results.model_dump_json(indent=2) + "\n").encode())


def read_results(path: Path) -> Results:
    """Read results.json and check it.

    Raises:
        ArtsoundError: it is missing or does not follow the schema; names the file and the field.
    """
    try:
        return Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtsoundError(f"{path} cannot be read ({error.strerror}): check the path") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ArtsoundError(
            f"{path} is no results.json of this version: {where}: {first['msg']}; run the"
            " benchmark again"
        ) from error
