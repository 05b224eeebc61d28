"""A message as mtad queued it when version 1 was recorded, with recipients in every state."""

from __future__ import annotations

from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.spool.door import Attempt, QueuedMessage, Rank, RecipientState

HLC = 1_700_000_000_123
REFUSED = Outcome(Result.DELAYED, Reply.of(451, "4.3.0", "later, please"), "mx.example.org[192.0.2.1]:25")
TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "ok"), "mx.example.org[192.0.2.1]:25")
FIRST, SECOND = Attempt(1_700_000_000_000, REFUSED, 0), Attempt(1_700_000_900_000, TAKEN, 1)

MESSAGE = QueuedMessage(
    queue_id="0123456789ABCDEF0",
    reverse_path="sender@example.org",
    arrival_ms=1_700_000_000_000,
    client=Client("2001:db8::1", 40_000, "client.example.org", True, True, "user"),
    content=b"Subject: x\r\n\r\ncontent\r\n",
    recipients={
        "queued@example.org": RecipientState(due_ms=1_700_000_060_000),
        "deferred@example.org": RecipientState(Rank.DEFERRED, 1_700_000_900_000, (FIRST,), 1),
        "delivered@example.org": RecipientState(Rank.DELIVERED, 0, (FIRST, SECOND), 5),
        "d\u00e9livr\u00e9@example.org": RecipientState(Rank.CANCELLED),
    },
    is_8bit=True,
    is_utf8=True,
    is_sender_verified=True,
    is_submission=True,
    dsn_of="0123456789ABCDEF1",
)
