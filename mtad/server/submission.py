"""What a user's message gets that lacks it (RFC 6409 §8): Date and Message-ID, and nothing else. Pure."""

from __future__ import annotations

import re
import time

from mtad.server.received import header_of

_DATE = re.compile(rb"^date[ \t]*:", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:", re.IGNORECASE | re.MULTILINE)


def missing_fields(content: bytes, *, hostname: str, queue_id: str, wall: float) -> bytes:
    """Return the fields that RFC 5322 §3.6 wants and the content has not, to be put before it."""
    header = header_of(content)
    fields = []
    if not _DATE.search(header):
        fields.append(time.strftime("Date: %a, %d %b %Y %H:%M:%S +0000\r\n", time.gmtime(wall)))
    if not _MESSAGE_ID.search(header):
        fields.append(f"Message-ID: <{queue_id}@{hostname}>\r\n")
    return "".join(fields).encode()
