"""What policies have noted under keys, for a while (pure). Of what two nodes note of one key, the later counts.

Behind what was noted for less than what stood there before, that would count again wherever it is still written. So the
later one is held, though it counts no more, until the earlier one would be over too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mtad.limits.questions import Stored, Storing


@dataclass(frozen=True, slots=True, order=True)
class Value:
    """What was noted, when, until when it is held, and until when it counts."""

    since_ms: int
    until_ms: int
    text: str
    counts_ms: int


class Values:
    """All that is noted; past `values_max` the one that was set the longest time ago goes."""

    def __init__(self, values_max: int, on_drop: Callable[[bytes], None]) -> None:
        self._values_max = values_max
        self._on_drop = on_drop
        self._values: OrderedDict[bytes, Value] = OrderedDict()
        self.crowded_out_count = 0  # that were forgotten for want of room

    def __len__(self) -> int:
        return len(self._values)

    def value(self, counter: bytes) -> Value | None:
        """Return what is held, whether it counts still or not."""
        return self._values.get(counter)

    def store(self, storing: Storing, now_ms: int) -> tuple[Stored, bool]:
        """Note a value, or return the one that is noted; tell also whether anything has changed."""
        known = self._values.get(storing.counter)
        if storing.value is None:
            return Stored(known.text if known is not None and known.counts_ms > now_ms else None), False
        since_ms = now_ms if known is None else max(now_ms, known.since_ms + 1)  # the clock that it is of may be ahead
        counts_ms = now_ms + storing.seconds * 1000
        until_ms = counts_ms if known is None else max(counts_ms, known.until_ms)
        self._keep(storing.counter, Value(since_ms, until_ms, storing.value, counts_ms))
        return Stored(storing.value), True

    def learn(self, counter: bytes, value: Value) -> bool:
        """Take in what another node has noted, or this one before; tell whether it is to be held longer than either
        knew."""
        known = self._values.get(counter)
        later = value if known is None else max(known, value)
        until_ms = value.until_ms if known is None else max(known.until_ms, value.until_ms)
        held = replace(later, until_ms=until_ms)
        if held != known:
            self._keep(counter, held)
        return held != later

    def expired(self, now_ms: int) -> Iterator[bytes]:
        """Yield those that are over; the one just given may be forgotten."""
        for counter in list(self._values):
            value = self._values.get(counter)
            if value is not None and value.until_ms <= now_ms:
                yield counter

    def forget(self, counter: bytes) -> None:
        """Drop one."""
        del self._values[counter]
        self._on_drop(counter)

    def _keep(self, counter: bytes, value: Value) -> None:
        if counter not in self._values and len(self._values) >= self._values_max:
            self.crowded_out_count += 1
            self.forget(next(iter(self._values)))
        self._values[counter] = value
        self._values.move_to_end(counter)
