"""The auction that assigns nearly optimally, on shortlists (Bertsekas 1988, Gauss-Seidel).

Bidders bid for the objects of their lists: an object's price rises to where the bidder would as
soon have its second choice, and by epsilon more. What a bidder's list leaves out is bounded, and
prices only rise, so the bound stays good. At the end every bidder's profit is bounded, and with the
prices these bounds are a solution of the dual problem: their sum says how far from optimal the
assignment can be at the most, whatever the lists, the order and the precision were.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from artsound.pairing.jit import compiled, compiled_parallel, prange
from artsound.pairing.similarity import Vectors, dot


class Bidding(NamedTuple):
    """Both sides of an auction.

    Attributes:
        bidders: distinct unit vectors, shape (r, d).
        objects: distinct unit vectors, shape (u, d); equal objects are places of one.
        row: which of `bidders` each bidder has, shape (n,).
        row_shift: taken off the similarities of a row, shape (r,), float64.
        object_shift: taken off those of an object, shape (u,), float64.
        tail: t of the objective x -> -t exp(-x / t), or 0 for the identity.
    """

    bidders: Vectors
    objects: Vectors
    row: NDArray[np.int64]
    row_shift: NDArray[np.float64]
    object_shift: NDArray[np.float64]
    tail: float


class Prices(NamedTuple):
    """What was bid.

    Attributes:
        start: where each object's places begin, shape (u + 1,).
        price: of each place, float64.
        holder: who bid it; -1 where nobody did.
        cheapest: each object's place with the lowest price, shape (u,).
        lowest: that price, shape (u,), float64.
        second: the next price of the object, shape (u,); inf where it has one place.
        profit: an upper bound of what each bidder could gain anywhere, shape (n,), float64.
    """

    start: NDArray[np.int64]
    price: NDArray[np.float64]
    holder: NDArray[np.int64]
    cheapest: NDArray[np.int64]
    lowest: NDArray[np.float64]
    second: NDArray[np.float64]
    profit: NDArray[np.float64]


class Wishes(NamedTuple):
    """The shortlist of each row: values without prices.

    Attributes:
        object: shape (r, k), int32; -1 behind the last.
        value: the values, or upper bounds of them where not `exact`, shape (r, k), float64.
        exact: shape (r, k).
        rest: no object left out is worth more, its price taken off, shape (r,).
        fresh: no bid was made from the list yet, shape (r,).
    """

    object: NDArray[np.int32]
    value: NDArray[np.float64]
    exact: NDArray[np.bool_]
    rest: NDArray[np.float64]
    fresh: NDArray[np.bool_]


@compiled
def worth(bidding: Bidding, row: int, item: int, lanes: NDArray[np.float64]) -> float:
    """Return what an object is worth to a row, by the definition of the similarity."""
    similarity = dot(bidding.bidders[row], bidding.objects[item], lanes)
    value = np.float64(similarity) - bidding.row_shift[row] - bidding.object_shift[item]
    if bidding.tail > 0:
        return float(-bidding.tail * np.exp(-value / bidding.tail))
    return float(value)


@compiled
def find_cheapest(prices: Prices, item: int) -> None:
    """Bring up to date what is remembered of an object's prices."""
    prices.lowest[item], prices.second[item] = np.inf, np.inf
    for place in range(prices.start[item], prices.start[item + 1]):
        price = prices.price[place]
        if price < prices.lowest[item]:
            prices.second[item] = prices.lowest[item]
            prices.cheapest[item], prices.lowest[item] = place, price
        elif price < prices.second[item]:
            prices.second[item] = price


@compiled
def bid(
    epsilon: float,
    waiting: NDArray[np.int64],
    wishes: Wishes,
    prices: Prices,
    bidding: Bidding,
) -> NDArray[np.int64]:
    """Let bidders bid until each holds an object or needs a longer list.

    Args:
        epsilon: the least rise of a price, and what the assignment may lose a bidder.
        waiting: the bidders, shape (w,); the last one begins. Overwritten.
        wishes: see `Wishes`.
        prices: see `Prices`.
        bidding: see `Bidding`.

    Returns:
        The bidders that need a longer list.
    """
    lanes = np.empty(32, np.float64)
    starved = np.empty(len(waiting), np.int64)
    size, hungry = len(waiting), 0
    while size > 0:
        size -= 1
        bidder = waiting[size]
        row = bidding.row[bidder]
        while True:
            best, second = -1, -1
            top, next_top = -np.inf, -np.inf
            for entry in range(wishes.object.shape[1]):
                item = wishes.object[row, entry]
                if item < 0:
                    break
                gain = wishes.value[row, entry] - prices.lowest[item]
                if gain > top:
                    second, next_top = best, top
                    best, top = entry, gain
                elif gain > next_top:
                    second, next_top = entry, gain
            rest = wishes.rest[row]
            # Right behind a search the best may lie just under the bound on all others.
            slack = epsilon / 2 if wishes.fresh[row] else 0.0
            if best < 0 or top < rest - slack:
                starved[hungry] = bidder
                hungry += 1
                break
            if not wishes.exact[row, best]:
                wishes.value[row, best] = worth(bidding, row, wishes.object[row, best], lanes)
                wishes.exact[row, best] = True
                continue
            if second >= 0 and next_top > rest and not wishes.exact[row, second]:
                wishes.value[row, second] = worth(bidding, row, wishes.object[row, second], lanes)
                wishes.exact[row, second] = True
                continue
            item = wishes.object[row, best]
            value = wishes.value[row, best]
            profit = max(next_top, value - prices.second[item], rest)
            if profit == -np.inf:
                profit = top  # its only choice: the price need not rise for it
            wishes.fresh[row] = False
            prices.profit[bidder] = profit
            place = prices.cheapest[item]
            prices.price[place] = value - profit + epsilon
            out = prices.holder[place]
            prices.holder[place] = bidder
            find_cheapest(prices, item)
            if out >= 0:
                waiting[size] = out
                size += 1
            break
    return starved[:hungry].copy()


@compiled_parallel
def whole_wish(bidding: Bidding, row: int) -> NDArray[np.float64]:
    """Return what every object is worth to a row: float64, shape (u,)."""
    values = np.empty(len(bidding.objects), np.float64)
    for item in prange(len(values)):
        values[item] = worth(bidding, row, item, np.empty(32, np.float64))
    return values


@compiled_parallel
def tighten(wishes: Wishes, prices: Prices, bidding: Bidding) -> None:
    """Lower the bounds of the profits to what the lists say at the final prices."""
    for bidder in prange(len(bidding.row)):
        row = bidding.row[bidder]
        profit = wishes.rest[row]
        for entry in range(wishes.object.shape[1]):
            item = wishes.object[row, entry]
            if item < 0:
                break
            profit = max(profit, wishes.value[row, entry] - prices.lowest[item])
        prices.profit[bidder] = min(prices.profit[bidder], profit)
