"""How often the clients of one network do something, and who does it too often (pure).

A bucket for each network and act, as GCRA keeps it (ITU-T I.371): one number says when the bucket will be empty again.
Strangers choose how many networks are seen: the one that was quiet for the longest time is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

NETWORKS_MAX = 20_000  # about 400 octets each


class Act(StrEnum):
    """What is counted."""

    CONNECTION = "connections"
    MESSAGE = "messages"
    RECIPIENT = "recipients"
    ERROR = "errors"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so long: all at once, or spread over it."""

    count: int
    seconds: float


_PLACES = {act: place for place, act in enumerate(Act)}


class Rates:
    """The buckets of all networks."""

    __slots__ = ("_empty_at", "_networks_max", "_rates")

    def __init__(self, rates: Mapping[Act, Rate], networks_max: int = NETWORKS_MAX) -> None:
        self._rates = rates
        self._networks_max = networks_max
        self._empty_at: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def networks_count(self) -> int:
        """How many networks are remembered."""
        return len(self._empty_at)

    def take(self, network: str, act: Act, now: float) -> bool:
        """Count one act; False when it is one too many, which is not counted."""
        after = self._after(network, act, now)
        if after is None:
            return False
        if after > now:
            buckets = self._empty_at.get(network)
            if buckets is None:
                buckets = self._empty_at[network] = [0.0] * len(Act)
                if len(self._empty_at) > self._networks_max:
                    self._empty_at.popitem(last=False)
            buckets[_PLACES[act]] = after
            self._empty_at.move_to_end(network)
        return True

    def has(self, network: str, act: Act, now: float) -> bool:
        """Tell whether one more would be within the rate."""
        return self._after(network, act, now) is not None

    def _after(self, network: str, act: Act, now: float) -> float | None:
        """Return when the bucket is empty after one more act; None when that is one too many."""
        rate = self._rates.get(act)
        if rate is None:
            return now
        buckets = self._empty_at.get(network)
        begun = now if buckets is None else max(now, buckets[_PLACES[act]])
        after = begun + rate.seconds / rate.count
        return after if after <= now + rate.seconds else None
