"""Beam search as LP-MusicCaps generates: transformers' search with bart-base's settings.

The authors call `generate` of transformers 4.26 and leave four settings to the configuration of
bart-base: no repeated trigrams, early stopping, and a forced first and last token. Later releases
of transformers ignore some of them there, which changes the captions; here they are in the search.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import torch

from artsound.models.lp_musiccaps.decoder import Decoder

BEAMS: Final = 5
MAX_LENGTH: Final = 128
START: Final = 2
BOS: Final = 0
EOS: Final = 2
# Candidates a step: enough to go on with if all the best ones end.
_CANDIDATES: Final = 2 * BEAMS
_NEVER: Final = -1e9


@dataclass
class _Segment:
    """The finished captions of one segment.

    Attributes:
        index: of the segment in the input.
        finished: score and token ids of the best captions, in the order in which they were found.
    """

    index: int
    finished: list[tuple[float, list[int]]] = field(default_factory=list)

    def add(self, total: float, tokens: list[int]) -> None:
        """Take a caption without its end token; its score is the mean log-probability."""
        score = total / len(tokens)
        if len(self.finished) < BEAMS or score > min(found for found, _ in self.finished):
            self.finished.append((score, tokens))
            if len(self.finished) > BEAMS:
                self.finished.remove(min(self.finished, key=lambda found: found[0]))

    def best(self) -> list[int]:
        """Return the best caption's ids with the end token; of equals, the last one found."""
        return max(reversed(self.finished), key=lambda found: found[0])[1] + [EOS]


def search(decoder: Decoder, segments: int, device: torch.device) -> list[list[int]]:
    """Return the ids of the best caption of each segment.

    Five beams, at most 128 tokens, no trigram twice, the mean log-probability as score. A segment
    is done when five of its captions have ended; it leaves the batch then. Results do not depend on
    which segments are searched together.

    Args:
        decoder: at its beginning, with `BEAMS` beams of each segment.
        segments: how many segments it holds.
        device: where it computes.

    Returns:
        For each segment, the ids from the start token to the end token.
    """
    beams = torch.arange(BEAMS, device=device)
    sequences = torch.full((segments, BEAMS, MAX_LENGTH), START, device=device)
    # The first token is forced, so that all beams are equal until the second: only one may go on.
    sequences[:, :, 1] = BOS
    totals = torch.where(beams == 0, 0.0, _NEVER).repeat(segments, 1)
    decoder.step(sequences[:, :, 0])
    running = [_Segment(index) for index in range(segments)]
    done: dict[int, list[int]] = {}
    for length in range(2, MAX_LENGTH - 1):
        hidden = decoder.step(sequences[:, :, length - 1])
        candidates = _candidates(decoder.logits(hidden), sequences[:, :, :length], totals)
        parts = (part.tolist() for part in candidates)
        chosen = [
            _choose(segment, past[:, :length], parents, tokens, scores)
            for segment, past, parents, tokens, scores in zip(
                running, sequences, *parts, strict=True
            )
        ]
        kept = [n for n, segment in enumerate(running) if len(segment.finished) < BEAMS]
        done |= {found.index: found.best() for found in running if len(found.finished) >= BEAMS}
        if not kept:
            break
        if len(kept) < len(running):
            rows = torch.tensor(kept, device=device)
            running, chosen = [running[n] for n in kept], [chosen[n] for n in kept]
            sequences = sequences[rows]
            decoder.keep(rows)
        parents = torch.tensor([[p for p, _, _ in beam] for beam in chosen], device=device)
        sequences = sequences.gather(1, parents[..., None].expand_as(sequences))
        sequences[:, :, length] = torch.tensor(
            [[t for _, t, _ in b] for b in chosen], device=device
        )
        totals = torch.tensor([[s for _, _, s in beam] for beam in chosen], device=device)
        decoder.descend(parents)
    else:
        # The last token is forced: whatever still runs ends here.
        for segment, tokens, scores in zip(
            running, sequences[:, :, : MAX_LENGTH - 1].tolist(), totals.tolist(), strict=True
        ):
            for caption, total in zip(tokens, scores, strict=True):
                segment.add(total, caption)
            done[segment.index] = segment.best()
    return [done[index] for index in range(segments)]


def _candidates(
    logits: torch.Tensor, sequences: torch.Tensor, totals: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the best continuations of a segment each: parents, tokens and totals."""
    # Log-probabilities are over all tokens, the forbidden ones too.
    norms = logits.logsumexp(-1)
    _forbid_repeats(logits, sequences)
    values, tokens = logits.topk(_CANDIDATES, dim=-1)
    scores = (values - norms[..., None] + totals[..., None]).flatten(1)
    best, places = scores.topk(_CANDIDATES, dim=-1)
    return places // _CANDIDATES, tokens.flatten(1).gather(1, places), best


def _forbid_repeats(logits: torch.Tensor, sequences: torch.Tensor) -> None:
    """Forbid, in place, the tokens that would make a trigram of a sequence appear again."""
    again = (sequences[..., :-2] == sequences[..., -2, None]) & (
        sequences[..., 1:-1] == sequences[..., -1, None]
    )
    segment, beam, position = again.nonzero(as_tuple=True)
    logits[segment, beam, sequences[segment, beam, position + 2]] = float("-inf")


def _choose(
    segment: _Segment,
    past: torch.Tensor,
    parents: list[int],
    tokens: list[int],
    totals: list[float],
) -> list[tuple[int, int, float]]:
    """Record the captions that end, and return the beams that go on: parent, token and total."""
    running = []
    for rank, (parent, token, total) in enumerate(zip(parents, tokens, totals, strict=True)):
        if token != EOS:
            running.append((parent, token, total))
        elif rank < BEAMS:
            segment.add(total, past[parent].tolist())
    return running[:BEAMS]
