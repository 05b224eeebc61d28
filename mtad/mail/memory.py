"""What became of a message whose client may not have heard it, and how the message is known again (RFC 5321 §4.5.4.1).

A client that comes back brings the reverse-path and the content that it brought before, octet by octet. The one thing
that some sign anew at each attempt is the DKIM-Signature; it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from mtad.mail.outcome import Outcome
from mtad.mail.queue_id import QueueId

FINGERPRINT_OCTETS = 16
_SIGNATURES = re.compile(rb"^DKIM-Signature[ \t]*:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """What became of the recipients of one transaction.

    outcomes   a recipient that the queue has taken counts as delivered, to ourselves; None while its attempt goes on
    until_ms   UTC; then such an attempt has ended, or the process that made it has
    """

    queue_id: QueueId
    fingerprint: bytes
    at_ms: int  # UTC
    outcomes: Mapping[str, Outcome | None]
    until_ms: int = 0

    @property
    def is_settled(self) -> bool:
        return None not in self.outcomes.values()


def fingerprint_of(reverse_path: str, content: bytes) -> bytes:
    """Return what a message is known again by. `content` is as the client sent it."""
    taken = blake2b(reverse_path.encode("utf-8", "surrogateescape"), digest_size=FINGERPRINT_OCTETS)
    found = content.find(b"\r\n\r\n")
    end = 0 if found < 0 else found + 2
    header = content[:end]
    is_signed = b"dkim-signature" in header.lower()  # asked first, for the expression is slow
    taken.update(b"\0" + (_SIGNATURES.sub(b"", header) if is_signed else header))
    taken.update(memoryview(content)[end:])
    return taken.digest()
