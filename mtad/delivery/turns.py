"""A queue in which senders take turns: who has put in much waits behind nobody but himself (pure)."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class Turns(Generic[Entry]):
    """Entries of many senders: one of each in turn, and of each the oldest first."""

    def __init__(self) -> None:
        self._senders: OrderedDict[str, deque[Entry]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def count_of(self, sender: str) -> int:
        """Return how many entries a sender has."""
        return len(self._senders.get(sender, ()))

    def add(self, sender: str, entry: Entry) -> None:
        """Put an entry behind its sender's others."""
        self._senders.setdefault(sender, deque()).append(entry)
        self._count += 1

    def pop(self) -> tuple[str, Entry] | None:
        """Take the oldest entry of the sender whose turn it is; None when nothing is there."""
        if not self._senders:
            return None
        sender, entries = self._senders.popitem(last=False)
        self._count -= 1
        entry = entries.popleft()
        if entries:
            self._senders[sender] = entries
        return sender, entry

    def remove(self, sender: str, entry: Entry) -> None:
        """Take an entry out that waits no more. It need not be there."""
        entries = self._senders.get(sender)
        if entries is not None and entry in entries:
            self._drop(sender, entry)

    def displace(self, sender: str) -> Entry | None:
        """Take out the newest entry of whoever has most, to make room for this sender; None where that is itself."""
        most = max(self._senders, key=lambda one: len(self._senders[one]), default=None)
        if most is None or len(self._senders[most]) <= self.count_of(sender) + 1:
            return None
        newest = self._senders[most][-1]
        self._drop(most, newest)
        return newest

    def _drop(self, sender: str, entry: Entry) -> None:
        entries = self._senders[sender]
        entries.remove(entry)
        self._count -= 1
        if not entries:
            del self._senders[sender]
