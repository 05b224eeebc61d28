"""Reads the due index into the backlog, each entry about once: what comes due, what changes, what was left out.

Time goes through the index in its order, so a cursor follows it. What is written behind the cursor, new mail first of
all, is told by the queue. What the backlog had no room for is fetched by a second cursor, that goes round.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice

from mtad.mail.envelope import domain_of
from mtad.mail.queue_id import QueueId
from mtad.runner.backlog import Backlog, Waiting
from mtad.spool.local import DueRecipient, LocalSpool

CHANGED_MAX = 20_000  # messages; where more have changed at once, everything is read anew
FETCH_PAUSE_SECONDS = 0.005  # between two pages of what was left out: half of the process's time at most


class Intake:
    """The way from the queue into the backlog.

    page_max       entries that are read at once
    is_elsewhere   tells of a message that is not to be offered: it is being attempted, or set aside
    """

    def __init__(
        self,
        spool: LocalSpool,
        backlog: Backlog,
        page_max: int,
        is_elsewhere: Callable[[QueueId], bool],
    ) -> None:
        self._spool = spool
        self._backlog = backlog
        self._page_max = page_max
        self._is_elsewhere = is_elsewhere
        self._changed: dict[QueueId, None] = {}  # in their order
        self._seen: DueRecipient | None = None  # up to where time has come
        self._seen_ms = 0
        self._fetched: DueRecipient | None = None  # up to where the second cursor has come
        self._is_urgent = False

    def read_anew(self) -> None:
        """Read the whole index again, page by page. What is in the backlog stays there."""
        self._seen = self._fetched = None
        self._changed.clear()

    def changed(self, queue_ids: Collection[QueueId]) -> None:
        """Take note of messages that may have come due otherwise than by time."""
        if len(self._changed) + len(queue_ids) > CHANGED_MAX:
            self.read_anew()
        else:
            self._changed.update(dict.fromkeys(queue_ids))

    def read(self, before_ms: int) -> float | None:
        """Read a page of each kind; return in how many seconds to read on, None when something must happen first."""
        if before_ms < self._seen_ms:  # the clock was set back: what was due may be so no more, and be so again
            self._seen = None
        self._seen_ms = before_ms
        is_more = self._read_changed(before_ms)
        page = self._spool.due(before_ms, self._page_max, self._seen)
        if page:
            self._seen = page[-1]
            self._offer(page)
        is_more |= len(page) == self._page_max
        if self._backlog.is_hungry:
            self._fetch(before_ms)
        if is_more:
            return 0.0
        return FETCH_PAUSE_SECONDS if self._backlog.is_hungry else None

    def take_urgency(self) -> bool:
        """Tell, once, whether an operator has flushed something."""
        is_urgent, self._is_urgent = self._is_urgent, False
        return is_urgent

    def _read_changed(self, before_ms: int) -> bool:
        for queue_id in list(islice(self._changed, self._page_max)):
            del self._changed[queue_id]
            due = self._spool.due_of(queue_id, before_ms)
            self._is_urgent |= any(entry.is_urged for entry in due)
            self._offer(due)
        return bool(self._changed)

    def _fetch(self, before_ms: int) -> None:
        page = self._spool.due(before_ms, self._page_max, self._fetched)
        self._offer([entry for entry in page if self._backlog.has_left_out(domain_of(entry.recipient))])
        self._fetched = page[-1] if len(page) == self._page_max else None
        if self._fetched is None:
            self._backlog.turned()

    def _offer(self, entries: Collection[DueRecipient]) -> None:
        for queue_id, domains in _by_message(entries).items():
            of = None if self._is_elsewhere(queue_id) else self._spool.sender_of(queue_id)
            if of is not None:
                for domain in domains:
                    self._backlog.add(Waiting(queue_id, domain, of.reverse_path, of.priority))


def _by_message(entries: Collection[DueRecipient]) -> dict[QueueId, dict[str, None]]:
    """Return the domains of each message, both in the order of the index; not of one that a client waits for."""
    found: dict[QueueId, dict[str, None]] = {}
    for entry in entries:
        if entry.is_answered:
            found.setdefault(entry.queue_id, {})[domain_of(entry.recipient)] = None
    return found
