"""How much was counted in the last so many seconds, by each node (pure).

A window is divided into slots, and what is counted goes into the slot of its moment. What is in the slots that reach
into the last `seconds` counts, so an act counts for `seconds` at least, and for an eighth of them longer at most: of
what is limited to N there are never more than N in any `seconds`. Nodes count apart and are added up, each as it was
last heard of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from mtad.limits.questions import Counted, Rate

SLOTS = 8
SLOT_MS_OF_SECOND = 1000 // SLOTS
LOOKED_AT = 8  # of those that were quiet for the longest time: the one that holds least is forgotten


@dataclass(slots=True)
class Window:
    """What one node has counted in one counter."""

    seconds: int
    taken: dict[int, int] = field(default_factory=dict)  # by slot

    @property
    def slot_ms(self) -> int:
        return self.seconds * SLOT_MS_OF_SECOND

    @property
    def until_ms(self) -> int:
        """When it counts for nothing."""
        return (max(self.taken, default=-SLOTS - 1) + SLOTS + 1) * self.slot_ms

    def total(self, slot: int) -> int:
        """Return what counts in a slot; what is out of sight, such as of a clock that was far ahead, is dropped."""
        for other in [other for other in self.taken if abs(other - slot) > SLOTS]:
            del self.taken[other]
        return sum(self.taken.values())


Key = tuple[int, bytes]  # node and counter


class Windows:
    """The windows of all counters. What is too many goes: of those that were quiet for long, what holds least."""

    def __init__(self, node: int, windows_max: int, on_drop: Callable[[bytes], None]) -> None:
        self._node = node
        self._windows_max = windows_max
        self._on_drop = on_drop
        self._windows: OrderedDict[Key, Window] = OrderedDict()  # the one that was quiet for the longest time first
        self._nodes = [node]
        self.crowded_out_count = 0  # that were forgotten for want of room

    def __len__(self) -> int:
        return len(self._windows)

    def ask(self, rate: Rate, now_ms: int) -> tuple[Counted, bool]:
        """Answer; tell also whether anything was counted."""
        slot = now_ms // (rate.seconds * SLOT_MS_OF_SECOND)
        used = 0
        for node in self._nodes:
            window = self._windows.get((node, rate.counter))
            if window is not None:
                self._windows.move_to_end((node, rate.counter))
                used += window.total(slot)
        is_over = used + rate.cost > rate.limit
        if is_over or rate.is_peek:
            return Counted(is_over, used), False
        window = self._windows.get((self._node, rate.counter))
        if window is None:
            window = Window(rate.seconds)
            self._keep(self._node, rate.counter, window)
        window.taken[slot] = window.taken.get(slot, 0) + rate.cost
        return Counted(False, used + rate.cost), True

    def own(self, counter: bytes) -> Window | None:
        """Return what this node has counted."""
        return self._windows.get((self._node, counter))

    def learn(self, node: int, counter: bytes, window: Window) -> None:
        """Take in what a node has counted, as it tells it or has told it before; of each slot the larger counts."""
        if node not in self._nodes:
            self._nodes.append(node)
        known = self._windows.get((node, counter))
        if known is None:
            self._keep(node, counter, window)
        else:
            slots = known.taken.keys() | window.taken.keys()
            seen = [slot for slot in slots if slot >= max(slots) - SLOTS]  # nobody here may ever ask for it
            known.taken = {slot: max(known.taken.get(slot, 0), window.taken.get(slot, 0)) for slot in seen}

    def expired(self, now_ms: int) -> Iterator[Key]:
        """Yield those that count for nothing any more; the one just given may be forgotten."""
        for key in list(self._windows):
            window = self._windows.get(key)
            if window is not None and window.until_ms <= now_ms:
                yield key

    def forget(self, key: Key) -> None:
        """Drop one."""
        del self._windows[key]
        if key[0] == self._node:
            self._on_drop(key[1])

    def _keep(self, node: int, counter: bytes, window: Window) -> None:
        if len(self._windows) >= self._windows_max:
            self.crowded_out_count += 1
            quiet = islice(self._windows.items(), LOOKED_AT)
            self.forget(min(quiet, key=lambda one: sum(one[1].taken.values()))[0])
        self._windows[node, counter] = window
