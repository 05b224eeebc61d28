"""The Received field (RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3), and what a header section says of loops and authors.

Pure. What a client said stands in a field only in characters that end no field and no comment.
"""

from __future__ import annotations

import re
import time
from email.utils import getaddresses

from mtad.mail.envelope import Client, Envelope, domain_of
from mtad.mail.queue_id import QueueId
from mtad.mail.utf8 import ascii_address
from mtad.server.entrance import LMTP

_HELO_UNFIT = re.compile(r"[^A-Za-z0-9.:_\[\]\-]")
_FROM = re.compile(rb"^from[ \t]*:([^\r]*(?:\r\n[ \t][^\r]*)*)", re.IGNORECASE | re.MULTILINE)
_AUTHORS_OCTETS_MAX = 4096


_ESMTP = ("ESMTP", "UTF8SMTP")  # without SMTPUTF8, with it
_LMTP = ("LMTP", "UTF8LMTP")


def protocol_of(envelope: Envelope) -> str:
    """Return the name of the protocol that the message came by, for `with`."""
    client = envelope.client
    if not client.is_esmtp:
        return "SMTP"
    names = _LMTP if client.listener == LMTP.name else _ESMTP
    name = names[envelope.is_utf8]
    return f"{name}{'S' if client.is_tls else ''}{'A' if client.identity else ''}"


def _from_clause(client: Client) -> str:
    literal = f"[IPv6:{client.address}]" if ":" in client.address else f"[{client.address}]"
    return f"{_HELO_UNFIT.sub('?', client.helo) or 'unknown'} ({literal if client.address else 'local'})"


def _plainest(address: str) -> str:
    """Return an address in ASCII where it has such a form: our field is no reason why a message needs SMTPUTF8."""
    return ascii_address(address) or address


def received_field(envelope: Envelope, *, hostname: str, queue_id: QueueId, wall: float) -> bytes:
    """Return the field with its CRLF, to be put before the content."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(wall))
    only_one = f"\r\n\tfor <{_plainest(envelope.recipients[0].address)}>" if len(envelope.recipients) == 1 else ""
    return (
        f"Received: from {_from_clause(envelope.client)}\r\n"
        f"\tby {hostname} (mtad) with {protocol_of(envelope)} id {queue_id}{only_one};\r\n"
        f"\t{date}\r\n"
    ).encode()


def header_of(content: bytes) -> bytes:
    """Return the header section with the CRLF of its last field."""
    if content.startswith(b"\r\n"):
        return b""
    end = content.find(b"\r\n\r\n")
    return content if end < 0 else content[: end + 2]


def received_count(content: bytes) -> int:
    """Return how many Received fields the message carries."""
    header = header_of(content).lower()
    return header.count(b"\r\nreceived:") + header.startswith(b"received:")


def author_domain(content: bytes) -> str:
    """Return the folded domain of the first author (RFC 5322 §3.6.2); '' when there is none."""
    found = _FROM.search(header_of(content))
    if found is None:
        return ""
    text = found[1][:_AUTHORS_OCTETS_MAX].replace(b"\r\n", b" ").decode("utf-8", "replace")
    return next((domain_of(address) for _, address in getaddresses([text]) if address), "")
