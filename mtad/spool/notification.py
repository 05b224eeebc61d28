"""DSNs as messages of our own: composed, signed, ready to be committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mtad.mail import dsn
from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.envelope import Client
from mtad.mail.queue_id import QueueId
from mtad.spool.codec import StoredMessage
from mtad.spool.door import DUE_AT_ONCE, QueuedMessage, RecipientState
from mtad.telemetry.events import Events

Sign = Callable[[bytes, str], bytes]


def reported(message: QueuedMessage | StoredMessage) -> dsn.Reported:
    """Return what a DSN on a message says of it."""
    return dsn.Reported(
        queue_id=message.queue_id,
        reverse_path=message.reverse_path,
        arrival_ms=message.arrival_ms,
        is_sender_known=message.is_sender_verified or message.is_submission,
        is_utf8=message.is_utf8,
        request=message.request,
        requests=message.requests,
        is_verp=message.is_verp,
    )


def told(of: dsn.Reported, notices: Sequence[dsn.Notice], events: Events, *, is_queued: bool) -> tuple[dsn.Notice, ...]:
    """Return what the sender is to be told, and log what it is not; `is_queued`: see `dsn.Reported.why_untold`."""
    found = []
    for notice in notices:
        why = of.why_untold(notice, is_queued=is_queued)
        if not why:
            found.append(notice)
            continue
        events.emit(
            "dsn.undeliverable" if is_queued and not of.reverse_path else "dsn.withheld",
            level="warning",
            queue_id=of.queue_id,
            recipient=notice.address,
            action=notice.action.value,
            reply=str(notice.outcome.reply),
            why=why,
        )
    return tuple(found)


def emit_queued(reports: Iterable[QueuedMessage], events: Events) -> None:
    """Log the reports that the queue has taken."""
    for report in reports:
        for recipient in report.recipients:
            events.emit("dsn.queued", queue_id=report.queue_id, of=report.dsn_of, recipient=recipient)


class Notifier:
    """Makes the DSNs of one node. `sign(content, domain)` returns the DKIM-Signature field."""

    def __init__(self, hostname: str, sign: Sign) -> None:
        self._hostname = hostname
        self._sign = sign

    def __call__(
        self,
        of: dsn.Reported,
        notices: Sequence[dsn.Notice],
        content: bytes,
        *,
        next_id: Callable[[], QueueId],
        now_ms: int,
    ) -> tuple[QueuedMessage, ...]:
        """Return the DSNs on a message, one for each event. Its reverse-path is not null; `content` is its own."""
        return tuple(
            self._message(dsn.Report(self._hostname, of, group, content, now_ms), next_id())
            for group in dsn.by_event(notices, is_verp=of.is_verp)
        )

    def _message(self, report: dsn.Report, queue_id: QueueId) -> QueuedMessage:
        """Return the DSN as a message, due at once, from the null reverse-path (RFC 3461 §6.1)."""
        composed = dsn.compose(report)
        to = report.to
        return QueuedMessage(
            queue_id=queue_id,
            reverse_path="",
            arrival_ms=report.wall_ms,
            client=Client("127.0.0.1", 0, self._hostname),
            content=self._sign(composed, self._hostname) + composed,
            recipients={to: RecipientState(due_ms=DUE_AT_ONCE)},
            is_8bit=not composed.isascii(),
            is_utf8=not to.isascii(),
            dsn_of=report.of.queue_id,
            requests={to: RecipientRequest(Notify.NEVER)},
        )
