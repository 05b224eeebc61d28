"""All counters of a node, in the process that has them; what has changed since it was last kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from mtad.limits.greylist import Greylist, Known
from mtad.limits.places import Places
from mtad.limits.questions import Answer, Counted, Greylisting, Held, Question, Stored, Storing
from mtad.limits.values import Value, Values
from mtad.limits.windows import Window, Windows


@dataclass(frozen=True, slots=True)
class LedgerLimits:
    """How many counters are held; strangers choose how many they ask for."""

    windows_max: int = 50_000  # about 600 octets each, the way to keep them included
    known_max: int = 50_000  # to a greylist; as many that wait, and as many that have passed
    values_max: int = 20_000  # that policies have set: about a kilobyte each, the way to keep them included


Entry = Window | Known | Value


class Ledger:
    """The counters. Time is UTC in milliseconds: it must mean the same after a restart, and on the other node.

    Places are nothing to keep: who held them is gone after a restart.
    """

    def __init__(self, node: int, limits: LedgerLimits | None = None) -> None:
        limits = limits or LedgerLimits()
        self.node = node
        self._windows = Windows(node, limits.windows_max, self._drop)
        self._greylist = Greylist(limits.known_max, self._drop)
        self._values = Values(limits.values_max, self._drop)
        self.places = Places()
        self._changed: dict[bytes, None] = {}
        self._on_drop: Callable[[bytes], None] = lambda _counter: None

    def __len__(self) -> int:
        return len(self._windows) + len(self._greylist) + len(self._values)

    def on_drop(self, callback: Callable[[bytes], None]) -> None:
        """Call back with each counter of this node that is forgotten."""
        self._on_drop = callback

    def ask(self, question: Question, now_ms: int) -> Counted:
        """Answer, and count."""
        if isinstance(question, Greylisting):
            counted, is_changed = self._greylist.ask(question, now_ms)
        else:
            counted, is_changed = self._windows.ask(question, now_ms)
        if is_changed:
            self._changed[question.counter] = None
        return counted

    def store(self, storing: Storing, now_ms: int) -> Stored:
        """Hold a value, or return the one that is held."""
        stored, is_changed = self._values.store(storing, now_ms)
        if is_changed:
            self._changed[storing.counter] = None
        return stored

    @property
    def crowded_out_count(self) -> int:
        """How many counters were forgotten for want of room."""
        return sum(part.crowded_out_count for part in (self._windows, self._greylist, self._values))

    @property
    def is_changed(self) -> bool:
        """Tell whether anything has changed."""
        return bool(self._changed)

    def take_changed(self, counters_max: int) -> list[bytes]:
        """Return counters that have changed, those that were not taken for the longest time first."""
        taken = list(islice(self._changed, counters_max))
        for counter in taken:
            del self._changed[counter]
        return taken

    def change_again(self, counter: bytes) -> None:
        """Have a counter among the changed ones, if it is held still."""
        if self.entry(counter) is not None:
            self._changed[counter] = None

    def entry(self, counter: bytes) -> Entry | None:
        """Return what this node has to keep of a counter."""
        return self._windows.own(counter) or self._greylist.known(counter) or self._values.value(counter)

    def learn(self, node: int, counter: bytes, entry: Entry) -> None:
        """Take in what a node has kept."""
        if isinstance(entry, Window):
            self._windows.learn(node, counter, entry)
        elif isinstance(entry, Known):
            self._greylist.learn(counter, entry)
        elif self._values.learn(counter, entry):
            self._changed[counter] = None

    def sweep(self, now_ms: int) -> Iterator[None]:
        """Forget what is over, step by step."""
        for key in self._windows.expired(now_ms):
            self._windows.forget(key)
            yield
        for counter in self._greylist.expired(now_ms):
            self._greylist.forget(counter)
            yield
        for counter in self._values.expired(now_ms):
            self._values.forget(counter)
            yield

    def _drop(self, counter: bytes) -> None:
        self._changed.pop(counter, None)
        self._on_drop(counter)


class LocalLimits:
    """The counters as the policy of their own process asks them (see `mtad.limits.questions.Limits`)."""

    def __init__(self, ledger: Ledger, wall_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._wall_ms = wall_ms

    async def ask(self, question: Question) -> Answer:
        """Answer, and count."""
        return self._ledger.ask(question, self._wall_ms())

    async def take(self, counter: bytes, limit: int) -> Held | Answer:
        """Take one of so many places."""
        places = self._ledger.places
        counted = places.take(counter, limit)
        return counted if counted.is_over else Held(counted.count, partial(places.leave, counter))

    async def store(self, storing: Storing) -> Stored:
        """Hold a value, or return the one that is held."""
        return self._ledger.store(storing, self._wall_ms())
