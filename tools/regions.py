"""Simulates callers in two Regions who create one id at the same time: how many acknowledged products are lost.

A model, not DynamoDB: each create has different content, goes to either Region with equal probability, and replication
takes the same time in both directions.
"""

import heapq
import random


def eventual(creates: list[tuple[float, int]], lag: float) -> tuple[int, int]:
    """Returns how many creates are acknowledged, and how many of them are lost, if writes replicate after `lag`.

    A create is a time and a Region. The condition is checked in that Region, and the later of two writes wins in both.
    """
    CREATE, REPLICATE = 1, 0  # A write that arrives at the same time as a create is applied before it.
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
    """The same if the condition is always checked against the latest version, wherever it was written."""
    item, acknowledged = None, 0
    for create in sorted(creates):
        if item is None:
            item = create
            acknowledged += 1
    return acknowledged, acknowledged - 1


def arrivals(creators: int, window: float, chance: random.Random) -> list[tuple[float, int]]:
    """When and where each creator's request arrives: uniformly in the window, in either Region."""
    return [(chance.uniform(0, window), chance.randrange(2)) for _ in range(creators)]


def lost_share(creators: int, lag: float, window: float, runs: int, seed: int) -> tuple[float, float]:
    """The share of acknowledged products that are lost, with eventual and with strong consistency."""
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

    A second product is acknowledged if the first create in the other Region arrives within the lag. If x is the lag
    divided by the window, the probability is p = 1 - (1 - x/2)^n - (x/2)^n: the integral over the first arrival, where
    each of the n - 1 others is or is not in the other Region within the lag.
    """
    x = min(1, lag / window) if window else 1
    p = 1 - (1 - x / 2) ** creators - (x / 2) ** creators
    return p / (1 + p)
