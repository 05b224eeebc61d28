"""The ranks of a part in the simulated application, and the names it gives to what it makes."""

from __future__ import annotations

QUEUED, DEFERRED, CANCELLED, BOUNCED, DELIVERED = range(5)
TERMINAL = CANCELLED

HELD, FREE = b"held", b""  # what an operator wrote into the register of an item

_DSN = b"dsn/"


def dsn_key(key: bytes, part: bytes, incarnation: int) -> bytes:
    """Name the notification of a bounce; two processes that bounce the same part name two."""
    return b"%s%s/%s/%x" % (_DSN, key, part, incarnation)


def bounce_of(key: bytes) -> tuple[bytes, bytes]:
    """Return the item and the part that a notification tells of."""
    _, item, part, _ = key.split(b"/")
    return item, part


def is_dsn(key: bytes) -> bool:
    return key.startswith(_DSN)
