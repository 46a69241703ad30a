"""One-to-one pairing with the largest total similarity, exact or with a certificate.

Small problems are solved by scipy's `linear_sum_assignment`. Large ones go through an auction
(`auction`) that streams over blocks of rows as greedy pairing does; the side with fewer places bids
for the other, so that everybody who bids gets something.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from artsound.pairing.auction import Bidding, Prices, Wishes, bid, tighten, whole_wish
from artsound.pairing.checkpoint import Checkpoint
from artsound.pairing.matching import UNPAIRED, Matching, Options, matching_of
from artsound.pairing.neighbours import csls_shifts
from artsound.pairing.products import product_for, rows_in_block
from artsound.pairing.shortlist import Product, View
from artsound.pairing.similarity import (
    Side,
    grouped,
    pair_similarity,
    places_of,
    similarity_matrix,
)

# Up to this many similarities scipy takes a second or two and 100 MB.
EXACT_PAIRS: Final = 2**22
TAIL: Final = 0.15
_SHORTLIST: Final = 256


def pair_optimally(tracks: Side, artworks: Side, options: Options) -> Matching:
    """Pair one to one with the largest total of the objective; see `artsound.pairing.match`."""
    shifts = csls_shifts(tracks, artworks, options)
    pairs = len(tracks.group) * len(artworks.group) * options.max_per_artwork
    if pairs <= EXACT_PAIRS:
        image = _exact(tracks, artworks, shifts, options)
        return matching_of(tracks, artworks, image, gap=0.0, work=1.0)
    auction = _Auction(tracks, artworks, shifts, options)
    image = auction.run()
    return matching_of(tracks, artworks, image, gap=auction.gap(), work=auction.work)


def utility(value: NDArray[np.float64], objective: str) -> NDArray[np.float64]:
    """Return what the objective adds up, of similarities (less the CSLS shifts)."""
    return value if objective == "similarity" else -TAIL * np.exp(-value / TAIL)


def _exact(
    tracks: Side,
    artworks: Side,
    shifts: tuple[NDArray[np.float64], NDArray[np.float64]],
    options: Options,
) -> NDArray[np.int64]:
    similarity = similarity_matrix(tracks.vectors, artworks.vectors)
    value = similarity - shifts[0][:, None] - shifts[1]
    gain = utility(value, options.objective)[np.ix_(tracks.group, artworks.group)]
    row, column = linear_sum_assignment(
        np.repeat(gain, options.max_per_artwork, axis=1), maximize=True
    )
    image = np.full(len(tracks.group), UNPAIRED, dtype=np.int64)
    image[row] = column // options.max_per_artwork
    return image


class _Auction:
    """One auction over blocks of rows.

    Args:
        tracks: one side.
        artworks: the other.
        shifts: of the tracks' and of the artworks' vectors, see `csls_shifts`.
        options: see `artsound.pairing.match`.
    """

    def __init__(
        self,
        tracks: Side,
        artworks: Side,
        shifts: tuple[NDArray[np.float64], NDArray[np.float64]],
        options: Options,
    ) -> None:
        self.options = options
        uses = options.max_per_artwork
        self.tracks_bid = len(tracks.group) <= len(artworks.group) * uses
        if self.tracks_bid:
            bidders, objects, (row_shift, object_shift) = tracks, artworks, shifts
            self.item_of_bidder = np.arange(len(tracks.group))
        else:
            bidders, objects, (object_shift, row_shift) = artworks, tracks, shifts
            self.item_of_bidder = np.repeat(np.arange(len(artworks.group)), uses)
        self.bidding = Bidding(
            bidders.vectors,
            objects.vectors,
            bidders.group[self.item_of_bidder],
            row_shift,
            object_shift,
            TAIL if options.objective == "tail-averse" else 0.0,
        )
        self.bidders_of = grouped(self.bidding.row)
        self.item_of_place, start = places_of(objects, uses if self.tracks_bid else 1)
        self.prices = Prices(
            start,
            np.zeros(len(self.item_of_place)),
            np.full(len(self.item_of_place), -1, dtype=np.int64),
            start[:-1].copy(),
            np.zeros(len(objects.vectors)),
            np.where(np.diff(start) > 1, 0.0, np.inf),
            np.full(len(self.bidding.row), -np.inf),
        )
        rows, count = len(bidders.vectors), options.shortlist or _SHORTLIST
        self.wishes = Wishes(
            np.full((rows, count), -1, dtype=np.int32),
            np.full((rows, count), -np.inf),
            np.zeros((rows, count), dtype=np.bool_),
            np.full(rows, np.inf),
            np.zeros(rows, dtype=np.bool_),
        )
        self.product = product_for(objects.vectors, options.backend, rows)
        self._finer: Product | None = None
        self.level = np.zeros(rows, dtype=np.int8)
        self.multiplied = 0
        self.tracks = len(tracks.group)
        self.pairs = self.tracks * len(artworks.group)

    @property
    def work(self) -> float:
        """Similarities computed by products, as a multiple of all."""
        return self.multiplied / self.pairs

    def run(self) -> NDArray[np.int64]:
        """Return the artwork of each track."""
        rows, options = len(self.bidding.bidders), self.options
        size = rows_in_block(len(self.bidding.objects), options.block_rows)
        key = ("optimal", options.objective, options.gap, options.csls, options.max_per_artwork)
        checkpoint = Checkpoint(options.checkpoint, key, self.bidding[:-1])
        state = checkpoint.load()
        done, waiting = 0, np.empty(0, dtype=np.int64)
        if state is not None:
            done, waiting = int(state["done"]), np.asarray(state["waiting"], np.int64)
            for mine, stored in zip(self.prices, Prices._fields, strict=True):
                mine[:] = state[stored]
        while done < rows or len(waiting):
            options.progress(done, rows)
            if done < rows and len(waiting) < size:
                block = np.arange(done, min(done + size, rows))
                done += len(block)
                waiting = np.concatenate([waiting, self._work_off(block)])
            else:
                waiting = self._refill(waiting, size)
            checkpoint.save_sometimes(lambda: self._state(done, waiting))  # noqa: B023
        options.progress(rows, rows)
        checkpoint.remove()
        tighten(self.wishes, self.prices, self.bidding)
        return self._assignment()

    def _work_off(self, block: NDArray[np.int64]) -> NDArray[np.int64]:
        """Let the bidders of a block of rows bid; returns those that need longer lists."""
        self.multiplied += self.product.score(self.bidding.bidders[block])
        first = block[0]
        self._list(self.product, block, block - first)
        waiting = np.concatenate([self.bidders_of[row] for row in block])[::-1].copy()
        outside = []
        while len(waiting):
            hungry = self._bid(waiting)
            row = self.bidding.row[hungry]
            inside = (row >= first) & (row <= block[-1]) & (self.level[row] == 0)
            outside.append(hungry[~inside])
            waiting = hungry[inside]
            rows = np.unique(self.bidding.row[waiting])
            self._list(self.product, rows, rows - first)
        return np.concatenate(outside)

    def _refill(self, waiting: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Give some bidders new lists; returns all that wait afterwards."""
        rows = np.unique(self.bidding.row[waiting])[:size]
        now = np.isin(self.bidding.row[waiting], rows)
        for level, product in ((0, self.product), (1, self._float32())):
            at = rows[self.level[rows] == level]
            if len(at):
                self.multiplied += product.score(self.bidding.bidders[at])
                self._list(product, at, np.arange(len(at)))
        for row in rows[self.level[rows] == 2]:
            self._list_exactly(int(row))
        return np.concatenate([waiting[~now], self._bid(waiting[now])])

    def _bid(self, waiting: NDArray[np.int64]) -> NDArray[np.int64]:
        hungry = bid(self.options.gap, waiting, self.wishes, self.prices, self.bidding)
        rows = np.unique(self.bidding.row[hungry])
        # Where a new list gave nothing, the product is too coarse to tell its entries apart.
        coarse = self.wishes.fresh[rows].astype(np.int8)
        self.level[rows] = np.minimum(self.level[rows] + coarse, 2)
        return hungry

    def _float32(self) -> Product:
        if self._finer is None:
            self._finer = product_for(self.bidding.objects, "float32", len(self.bidding.bidders))
        return self._finer

    def _list(self, product: Product, rows: NDArray[np.int64], within: NDArray[np.int64]) -> None:
        if not len(rows):
            return
        price = self.prices.lowest.copy()
        floor = np.full(len(price), -np.inf, dtype=np.float32)
        bidding, wishes = self.bidding, self.wishes
        view = View(bidding.row_shift, bidding.object_shift, price, floor, bidding.tail)
        found = product.shortlist(within, rows, view, wishes.object.shape[1])
        kept = found.column.shape[1]
        wishes.object[rows], wishes.value[rows] = -1, -np.inf
        wishes.object[rows, :kept] = found.column
        wishes.value[rows, :kept] = found.upper + price[found.column]
        wishes.exact[rows], wishes.rest[rows], wishes.fresh[rows] = False, found.rest, True

    def _list_exactly(self, row: int) -> None:
        wishes, price = self.wishes, self.prices.lowest
        value = whole_wish(self.bidding, row)
        self.multiplied += len(value)
        best = np.argsort(price - value, kind="stable")
        kept = best[: wishes.object.shape[1]]
        wishes.object[row], wishes.value[row] = -1, -np.inf
        wishes.object[row, : len(kept)], wishes.value[row, : len(kept)] = kept, value[kept]
        wishes.exact[row], wishes.fresh[row] = True, True
        cut = len(best) > len(kept)
        wishes.rest[row] = value[kept[-1]] - price[kept[-1]] if cut else -np.inf

    def _state(self, done: int, waiting: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
        return {"done": np.array(done), "waiting": waiting, **self.prices._asdict()}

    def _assignment(self) -> NDArray[np.int64]:
        place = np.flatnonzero(self.prices.holder >= 0)
        items = (self.item_of_bidder[self.prices.holder[place]], self.item_of_place[place])
        track, artwork = items if self.tracks_bid else items[::-1]
        image = np.full(self.tracks, UNPAIRED, dtype=np.int64)
        image[track] = artwork
        return image

    def gap(self) -> float:
        """Return the certificate: how far the objective is from its bound, a pair."""
        bidding, prices = self.bidding, self.prices
        place = np.flatnonzero(prices.holder >= 0)
        row = bidding.row[prices.holder[place]]
        item = np.searchsorted(prices.start, place, side="right") - 1
        similarity = pair_similarity(bidding.bidders, bidding.objects, row, item)
        value = similarity - bidding.row_shift[row] - bidding.object_shift[item]
        made = utility(value, self.options.objective).sum()
        bound = prices.profit.sum() + prices.price.sum()
        return float((bound - made) / len(place))
