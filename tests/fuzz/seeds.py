"""The octets that a search begins with: what clients and next hops say in the transcripts of tests/dialog."""

from __future__ import annotations

import re
from pathlib import Path

from tests.security.forms import SECOND, SMUGGLED

DIALOGS = Path(__file__).parents[1] / "dialog"
HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<one@example.net>\r\n"
_SAID = re.compile(r"^C: ?(.*)$", re.MULTILINE)
_ANSWERED = re.compile(r"^S: ?(.*)$", re.MULTILINE)


def of_servers() -> list[bytes]:
    """Return what clients say: the transcripts, and what others were deceived with."""
    texts = [path.read_text() for path in sorted((DIALOGS / "transcripts").glob("*.txt"))]
    said = ["\r\n".join(_SAID.findall(text)).encode() + b"\r\n" for text in texts]
    deceiving = [HELLO + ENVELOPE + b"DATA\r\n" + b"first" + form + SECOND + b"\r\n.\r\n" for form in SMUGGLED]
    chunked = [HELLO + ENVELOPE + b"BDAT 9\r\nfirst" + form + b"BDAT 0 LAST\r\n" for form in SMUGGLED]
    return [octets for octets in (*said, *deceiving, *chunked, ENVELOPE) if octets.strip()]


def of_clients() -> list[bytes]:
    """Return what next hops say, behind an octet for each kind of transaction."""
    texts = [path.read_text() for path in sorted((DIALOGS / "client").glob("*.txt"))]
    said = ["\r\n".join(_ANSWERED.findall(text)).encode() + b"\r\n" for text in texts]
    usual = b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"
    return [bytes([kind]) + octets for kind in range(16) for octets in (*said[kind::16], usual, b"550 no\r\n" + usual)]
