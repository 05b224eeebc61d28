"""How much there is of something at a time: places that sessions and transactions hold until they end (pure)."""

from __future__ import annotations

from collections import Counter

from mtad.limits.questions import Answer, Counted, Held, Limits, Unknown

PLACES_OF_SESSION_MAX = 64


class Places:
    """How many places are taken of each counter. They are held: what is held by nobody takes no memory."""

    def __init__(self) -> None:
        self._taken: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, counter: bytes, limit: int) -> Counted:
        """Take one of so many, unless they are all taken."""
        taken = self._taken.get(counter, 0)
        if taken >= limit:
            return Counted(True, taken)
        self.hold(counter)
        return Counted(False, taken + 1)

    def hold(self, counter: bytes) -> None:
        """Count one that is taken, however many there are."""
        self._taken[counter] += 1

    def leave(self, counter: bytes) -> None:
        """Give one back."""
        self._taken[counter] -= 1
        if not self._taken[counter]:
            del self._taken[counter]


class Holder:
    """What one session holds: some places to its own end, some to the end of its transaction."""

    __slots__ = ("_of_session", "_of_transaction")

    def __init__(self) -> None:
        self._of_session: dict[bytes, Held] = {}
        self._of_transaction: dict[bytes, Held] = {}

    async def take(self, limits: Limits, counter: bytes, limit: int, *, is_of_transaction: bool) -> Answer:
        """Take a place, unless it has one: that it keeps."""
        held = self._of_session.get(counter) or self._of_transaction.get(counter)
        if held is not None:
            return Counted(False, held.count)
        if len(self._of_session) + len(self._of_transaction) >= PLACES_OF_SESSION_MAX:
            return Unknown(f"a session holds {PLACES_OF_SESSION_MAX} places at most")
        taken = await limits.take(counter, limit)
        if not isinstance(taken, Held):
            return taken
        (self._of_transaction if is_of_transaction else self._of_session)[counter] = taken
        return Counted(False, taken.count)

    def end_transaction(self) -> None:
        """Give back what the transaction held."""
        while self._of_transaction:
            self._of_transaction.popitem()[1].leave()

    def end(self) -> None:
        """Give everything back."""
        self.end_transaction()
        while self._of_session:
            self._of_session.popitem()[1].leave()
