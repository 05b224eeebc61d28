"""DSNs as messages of our own: composed, signed, ready to be committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtad.mail import dsn
from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome
from mtad.mail.queue_id import QueueId
from mtad.spool.door import DUE_AT_ONCE, QueuedMessage, RecipientState

Sign = Callable[[bytes, str], bytes]


class Notifier:
    """Makes the DSNs of one node. `sign(content, domain)` returns the DKIM-Signature field."""

    def __init__(self, hostname: str, sign: Sign) -> None:
        self._hostname = hostname
        self._sign = sign

    def __call__(
        self, message: QueuedMessage, failed: Mapping[str, Outcome], *, queue_id: QueueId, now_ms: int
    ) -> QueuedMessage:
        """Return the DSN on recipients that next hops refused; `message.reverse_path` is not null."""
        recipients = [dsn.FailedRecipient(address, outcome) for address, outcome in failed.items()]
        of = (message.queue_id, message.reverse_path, message.arrival_ms)
        return self.message(self.report(of, recipients, message.content, now_ms), queue_id)

    def report(
        self,
        of: tuple[QueueId, str, int],
        failed: Sequence[dsn.FailedRecipient],
        content: bytes,
        wall_ms: int,
    ) -> dsn.Report:
        """Return what a DSN says; `of` is the queue id, reverse-path and arrival of the message it reports on."""
        queue_id, reverse_path, arrival_ms = of
        return dsn.Report(self._hostname, queue_id, reverse_path, arrival_ms, tuple(failed), content, wall_ms)

    def message(self, report: dsn.Report, queue_id: QueueId) -> QueuedMessage:
        """Return the DSN as a message, due at once, from the null reverse-path (RFC 3461 §6.1)."""
        composed = dsn.compose(report)
        return QueuedMessage(
            queue_id=queue_id,
            reverse_path="",
            arrival_ms=report.wall_ms,
            client=Client("127.0.0.1", 0, self._hostname),
            content=self._sign(composed, self._hostname) + composed,
            recipients={report.reverse_path: RecipientState(due_ms=DUE_AT_ONCE)},
            is_8bit=not composed.isascii(),
            is_utf8=not report.reverse_path.isascii(),
            dsn_of=report.queue_id,
        )
