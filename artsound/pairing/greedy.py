"""Exact greedy and sequential pairing, without the matrix of similarities.

The tracks come in blocks of rows. Of a row only the best pairs that could still be had are kept
(`products`), then the block's tracks and those that they displace propose (`market`). What an
artwork holds only improves, so a pair that was left out as hopeless stays hopeless; a track that
has used up its list gets a new one, from the block at hand, or later by a product with only those
artworks that it could still win. Rows that most resemble the artworks' mean come first: they are
what others lose against, so that few pairs are made to be broken.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from artsound.pairing.checkpoint import Checkpoint
from artsound.pairing.market import (
    GREEDY,
    SEQUENTIAL,
    Lists,
    Sides,
    Slots,
    settle,
    whole_row,
)
from artsound.pairing.matching import UNPAIRED, Matching, Options, matching_of
from artsound.pairing.neighbours import csls_shifts
from artsound.pairing.products import product_for, rows_in_block
from artsound.pairing.shortlist import Product, View
from artsound.pairing.similarity import Side, grouped, places_of

_SHORTLIST: Final = 128
_MODES: Final = {"greedy": GREEDY, "sequential": SEQUENTIAL}


def pair_greedily(tracks: Side, artworks: Side, options: Options) -> Matching:
    """Pair the most similar first, one to one; see `match`."""
    return _Pairing("greedy", tracks, artworks, options).run()


def pair_sequentially(tracks: Side, artworks: Side, options: Options) -> Matching:
    """Let each track in order take the best artwork left; see `match`."""
    return _Pairing("sequential", tracks, artworks, options).run()


class _Pairing:
    """One run of deferred acceptance over blocks of rows."""

    def __init__(self, method: str, tracks: Side, artworks: Side, options: Options) -> None:
        self.mode, self.options = _MODES[method], options
        self.tracks, self.artworks = tracks, artworks
        self.members = grouped(tracks.group)
        shifts = csls_shifts(tracks, artworks, options)
        self.sides = Sides(tracks.vectors, artworks.vectors, tracks.group, *shifts)
        self.slots = _empty_slots(artworks, len(tracks.group), options.max_per_artwork)
        self.lists = _empty_lists(len(tracks.vectors), options.shortlist or _SHORTLIST)
        self.product = product_for(artworks.vectors, options.backend, len(tracks.vectors))
        self._finer: Product | None = None
        self.level = np.zeros(len(tracks.vectors), dtype=np.int8)
        self.multiplied = 0

    def run(self) -> Matching:
        """Work through all blocks, then through the tracks whose lists were used up."""
        order = self._order()
        size = rows_in_block(len(self.sides.columns), self.options.block_rows)
        inputs = (*self.tracks, *self.artworks)
        key = (self.mode, self.options.csls, self.options.max_per_artwork)
        checkpoint = Checkpoint(self.options.checkpoint, key, inputs)
        state = checkpoint.load()
        done, waiting = 0, np.empty(0, dtype=np.int64)
        if state is not None:
            done, waiting = int(state["done"]), np.asarray(state["waiting"], np.int64)
            self._restore(state)
        while done < len(order):
            self.options.progress(done, len(order))
            block = order[done : done + size]
            waiting = np.concatenate([waiting, self._work_off(block)])
            done += len(block)
            if len(waiting) >= size:
                waiting = self._refill(waiting, size)
            checkpoint.save_sometimes(lambda: self._state(done, waiting))  # noqa: B023
        while len(waiting):
            waiting = self._refill(waiting, size)
        self.options.progress(len(order), len(order))
        checkpoint.remove()
        return self._result()

    def _order(self) -> NDArray[np.int64]:
        """Return the rows in the order of work; it changes nothing but the time."""
        if self.mode != GREEDY:
            return np.arange(len(self.sides.tracks))
        centre = self.sides.columns.mean(axis=0, dtype=np.float64) - 0.0
        nearness = self.sides.tracks.astype(np.float32) @ centre.astype(np.float32)
        return np.argsort(-(nearness - self.sides.row_shift), kind="stable")

    def _work_off(self, block: NDArray[np.int64]) -> NDArray[np.int64]:
        """Let the tracks of a block of rows propose; returns others that need longer lists."""
        self.multiplied += self.product.score(self.sides.tracks[block])
        place = np.full(len(self.sides.tracks), -1, dtype=np.int64)
        place[block] = np.arange(len(block))
        self._list(self.product, block, np.arange(len(block)))
        waiting = np.concatenate([self.members[row] for row in block])[::-1].copy()
        outside = []
        while len(waiting):
            hungry = self._settle(waiting)
            row = self.sides.row[hungry]
            inside = (place[row] >= 0) & (self.level[row] == 0)
            outside.append(hungry[~inside])
            waiting = hungry[inside]
            rows = np.unique(self.sides.row[waiting])
            self._list(self.product, rows, place[rows])
        return np.concatenate(outside)

    def _refill(self, waiting: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Give the tracks with the highest hopes new lists; returns all that wait afterwards."""
        rows = np.unique(self.sides.row[waiting])
        rows = rows[np.argsort(-self.lists.rest[rows], kind="stable")][:size]
        now = np.isin(self.sides.row[waiting], rows)
        proposing, later = waiting[now], waiting[~now]
        asking = {int(self.sides.row[track]): track for track in np.sort(proposing)[::-1]}
        for level in (0, 1):
            at = rows[self.level[rows] == level]
            if len(at):
                product = self.product if level == 0 else self._float32()
                columns = self._winnable(at)
                if columns is not None and not len(columns):
                    self.lists.column[at], self.lists.rest[at] = -1, -np.inf
                else:
                    self.multiplied += product.score(self.sides.tracks[at], columns)
                    self._list(product, at, np.arange(len(at)))
                # What was not looked at is lost for the tracks that ask, not for lower ones.
                self.lists.made_for[at] = [asking[row] for row in at]
        self._list_exactly(proposing)
        return np.concatenate([later, self._settle(proposing[::-1].copy())])

    def _winnable(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the columns that some of the rows could still get, or None for all."""
        if self.mode == GREEDY:
            open_columns = self.slots.worst_value <= self.lists.rest[rows].max()
        else:
            open_columns = self._floor(rows) == -np.inf
        columns = np.flatnonzero(open_columns)
        return None if len(columns) == len(open_columns) else columns

    def _settle(self, waiting: NDArray[np.int64]) -> NDArray[np.int64]:
        hungry = settle(self.mode, waiting, self.lists, self.slots, self.sides)
        rows = np.unique(self.sides.row[hungry])
        # Where a new list gave nothing, the product is too coarse to tell its entries apart.
        coarse = self.lists.fresh[rows].astype(np.int8)
        self.level[rows] = np.minimum(self.level[rows] + coarse, 2)
        return hungry

    def _float32(self) -> Product:
        if self._finer is None:
            self._finer = product_for(self.sides.columns, "float32", len(self.sides.tracks))
        return self._finer

    def _list(self, product: Product, rows: NDArray[np.int64], within: NDArray[np.int64]) -> None:
        """Make lists from the last block of a product."""
        if not len(rows):
            return
        lists = self.lists
        view = View(
            self.sides.row_shift,
            self.sides.column_shift,
            np.zeros(len(self.sides.columns)),
            self._floor(rows),
        )
        found = product.shortlist(within, rows, view, lists.column.shape[1])
        kept = found.column.shape[1]
        lists.column[rows], lists.value[rows] = -1, -np.inf
        lists.column[rows, :kept], lists.value[rows, :kept] = found.column, found.upper
        lists.exact[rows] = False
        lists.rest[rows], lists.rest_artwork[rows] = found.rest, -1
        lists.made_for[rows], lists.fresh[rows] = 0, True

    def _floor(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what a proposal of any of the rows to each column must at least be worth."""
        if self.mode == GREEDY:
            return self.slots.worst_value
        lowest = min(self.members[row][0] for row in rows)
        return np.where(self.slots.worst_track < lowest, np.inf, -np.inf).astype(np.float32)

    def _list_exactly(self, waiting: NDArray[np.int64]) -> None:
        """Make lists by the definition, for rows that no product resolves."""
        lists, count = self.lists, self.lists.column.shape[1]
        waiting = np.sort(waiting)
        rows, lowest = np.unique(self.sides.row[waiting], return_index=True)
        for row, track in zip(rows, waiting[lowest], strict=True):
            if self.level[row] < 2:
                continue
            values, artworks = whole_row(self.mode, track, self.slots, self.sides)
            self.multiplied += len(values)
            possible = np.flatnonzero(artworks >= 0)
            best = possible[np.lexsort((artworks[possible], -values[possible]))]
            kept = best[:count]
            lists.column[row], lists.value[row] = -1, -np.inf
            lists.column[row, : len(kept)], lists.value[row, : len(kept)] = kept, values[kept]
            lists.exact[row], lists.made_for[row], lists.fresh[row] = True, track, True
            cut = len(best) > count
            lists.rest[row] = values[kept[-1]] if cut else -np.inf
            lists.rest_artwork[row] = artworks[kept[-1]] if cut else -1

    def _state(self, done: int, waiting: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
        return {
            "done": np.array(done),
            "waiting": waiting,
            "value": self.slots.value,
            "track": self.slots.track,
        }

    def _restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Take up what was held; the lists are made again as they are needed."""
        slots = self.slots
        slots.value[:], slots.track[:] = state["value"], state["track"]
        last = slots.start[1:] - 1
        slots.worst_value[:], slots.worst_track[:] = slots.value[last], slots.track[last]
        slots.tied[:] = True
        self.lists.rest[:] = np.inf

    def _result(self) -> Matching:
        tracks, slots = len(self.tracks.group), self.slots
        held = np.flatnonzero(slots.track < tracks)
        paired = slots.track[held]
        image = np.full(tracks, UNPAIRED, dtype=np.int64)
        image[paired] = slots.artwork[held]
        value = np.full(tracks, np.nan, dtype=np.float32)
        value[paired] = slots.value[held] if self.mode == GREEDY else -paired.astype(np.float32)
        work = self.multiplied / (tracks * len(self.artworks.group))
        return matching_of(self.tracks, self.artworks, image, value, work=work)


def _empty_slots(artworks: Side, tracks: int, uses: int) -> Slots:
    columns = len(artworks.vectors)
    artwork, start = places_of(artworks, uses)
    return Slots(
        start,
        artwork,
        np.full(len(artwork), -np.inf, dtype=np.float32),
        np.full(len(artwork), tracks, dtype=np.int64),
        np.full(columns, -np.inf, dtype=np.float32),
        np.full(columns, tracks, dtype=np.int64),
        np.zeros(tracks, dtype=np.bool_),
    )


def _empty_lists(rows: int, count: int) -> Lists:
    return Lists(
        np.full((rows, count), -1, dtype=np.int32),
        np.full((rows, count), -np.inf, dtype=np.float32),
        np.zeros((rows, count), dtype=np.bool_),
        np.full(rows, -np.inf, dtype=np.float32),
        np.full(rows, -1, dtype=np.int64),
        np.zeros(rows, dtype=np.int64),
        np.zeros(rows, dtype=np.bool_),
    )
