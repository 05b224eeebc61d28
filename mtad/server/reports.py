"""Who is told of recipients that were refused after we had answered 250 for them (RFC 5321 §6.1, RFC 3834)."""

from __future__ import annotations

from collections.abc import Mapping

from mtad.mail.outcome import Outcome
from mtad.server.collaborators import Clock, Collaborators
from mtad.spool.door import QueuedMessage
from mtad.telemetry.events import Events


class Reports:
    """Makes the DSNs of sessions."""

    def __init__(self, rooms: Collaborators, events: Events, clock: Clock) -> None:
        self._rooms = rooms
        self._events = events
        self._clock = clock

    def on(self, message: QueuedMessage, failed: Mapping[str, Outcome]) -> tuple[QueuedMessage, ...]:
        """Return the report to commit, if one may be sent: never to a sender who may be invented (backscatter)."""
        if not failed:
            return ()
        is_known = message.is_sender_verified or message.is_submission
        if not message.reverse_path or not is_known:
            for address, outcome in failed.items():
                self._events.emit(
                    "dsn.withheld",
                    level="warning",
                    queue_id=message.queue_id,
                    recipient=address,
                    reply=str(outcome.reply),
                    why="sender is not verified" if message.reverse_path else "null reverse-path",
                )
            return ()
        now_ms = self._clock.wall_ms()
        queue_id = self._rooms.queue_ids.next(now_ms, self._clock.chance())
        report = self._rooms.compose_dsn(message, failed, queue_id=queue_id, now_ms=now_ms)
        self._events.emit("dsn.queued", queue_id=queue_id, of=message.queue_id, recipient=message.reverse_path)
        return (report,)
