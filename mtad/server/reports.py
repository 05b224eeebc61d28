"""Who is told of what became of a message after we had answered 250 for it (RFC 5321 §6.1, RFC 3461, RFC 3834)."""

from __future__ import annotations

from collections.abc import Sequence

from mtad.mail.dsn import Notice
from mtad.mail.queue_id import QueueId
from mtad.server.collaborators import Clock, Collaborators
from mtad.spool.door import QueuedMessage
from mtad.spool.notification import reported, told
from mtad.telemetry.events import Events


class Reports:
    """Makes the DSNs of sessions."""

    def __init__(self, rooms: Collaborators, events: Events, clock: Clock) -> None:
        self._rooms = rooms
        self._events = events
        self._clock = clock

    def on(self, message: QueuedMessage, notices: Sequence[Notice], *, is_queued: bool) -> tuple[QueuedMessage, ...]:
        """Return the reports to commit, if any may be sent; is_queued: see `mtad.mail.dsn.Reported.why_untold`."""
        of = reported(message)
        news = told(of, notices, self._events, is_queued=is_queued)
        if not news:
            return ()
        now_ms = self._clock.wall_ms()
        return self._rooms.compose_dsn(of, news, message.content, next_id=self._next_id, now_ms=now_ms)

    def _next_id(self) -> QueueId:
        return self._rooms.queue_ids.next(self._clock.wall_ms(), self._clock.chance())
