"""Simulates two Regions whose callers create one id at the same time: which acknowledged products are lost.

A model, not DynamoDB: each create has other content, each Region gets it with the same probability, and replication
takes the same time in both directions.
"""

import heapq
import random


def eventual(creates: list[tuple[float, int]], lag: float) -> tuple[int, int]:
    """How many creates are acknowledged, and how many of them are lost, if writes replicate after `lag`.

    A create is a time and a Region, and is its own identity. The condition is checked in its own Region, and of two
    writes the later one wins in both.
    """
    CREATE, REPLICATE = 1, 0  # What arrives at the same time as a create is there before it.
    events = [(time, CREATE, region, (time, n)) for n, (time, region) in enumerate(creates)]
    heapq.heapify(events)
    items, acknowledged = [None, None], 0
    while events:
        time, kind, region, item = heapq.heappop(events)
        if kind == REPLICATE:
            items[region] = max(items[region] or item, item)
        elif items[region] is None:
            items[region] = item
            acknowledged += 1
            heapq.heappush(events, (time + lag, REPLICATE, 1 - region, item))
    assert items[0] == items[1]
    return acknowledged, acknowledged - 1


def strong(creates: list[tuple[float, int]]) -> tuple[int, int]:
    """The same, if the condition is always checked against the latest version, wherever it was written."""
    item, acknowledged = None, 0
    for create in sorted(creates):
        if item is None:
            item = create
            acknowledged += 1
    return acknowledged, acknowledged - 1


def arrivals(creators: int, window: float, chance: random.Random) -> list[tuple[float, int]]:
    """When and where each creator's request arrives: evenly in the window, in either Region."""
    return [(chance.uniform(0, window), chance.randrange(2)) for _ in range(creators)]


def lost_share(creators: int, lag: float, window: float, runs: int, seed: int) -> tuple[float, float]:
    """The share of acknowledged products that is lost, with eventual and with strong consistency."""
    chance = random.Random(seed)
    totals = [[0, 0], [0, 0]]
    for _ in range(runs):
        creates = arrivals(creators, window, chance)
        for total, (acknowledged, lost) in zip(totals, (eventual(creates, lag), strong(creates)), strict=True):
            total[0] += acknowledged
            total[1] += lost
    return tuple(lost / acknowledged for acknowledged, lost in totals)


def expected_share(creators: int, lag: float, window: float) -> float:
    """The share by the formula, with eventual consistency.

    One product is acknowledged, and a second one if the first create in the other Region comes within the lag. With x,
    the share of the window that the lag covers, that has the probability p = 1 - (1 - x/2)^n - (x/2)^n. It is the
    integral over the first arrival: each of the n - 1 others is in the other Region within the lag, or is not.
    """
    x = min(1, lag / window) if window else 1
    p = 1 - (1 - x / 2) ** creators - (x / 2) ** creators
    return p / (1 + p)
