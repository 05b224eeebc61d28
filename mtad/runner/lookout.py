"""How a node that does not deliver from the queue sees that an operator has flushed at another one.

It is then to ask next hops again as well, for clients bring it mail. What changes there is looked at as it comes, up to
so many messages in a second: more come only where much is queued, and then nobody waits for one of them.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from mtad.mail.queue_id import QueueId
from mtad.spool.door import DUE_AT_ONCE
from mtad.spool.local import LocalSpool

LOOKS_MAX = 200  # in LOOKS_SECONDS
LOOKS_SECONDS = 1.0


class Lookout:
    """Looks at what has changed in the queue. Times are seconds of one clock that never goes back."""

    def __init__(self, spool: LocalSpool) -> None:
        self._spool = spool
        self._since = 0.0
        self._looks_count = 0

    def sees_flush(self, queue_ids: Collection[QueueId], now: float) -> bool:
        """Tell whether one of these messages was flushed. Errors: those of the store."""
        if now - self._since >= LOOKS_SECONDS:
            self._since, self._looks_count = now, 0
        looked_at = list(islice(queue_ids, LOOKS_MAX - self._looks_count))
        self._looks_count += len(looked_at)
        return any(entry.is_urged for queue_id in looked_at for entry in self._spool.due_of(queue_id, DUE_AT_ONCE + 1))
