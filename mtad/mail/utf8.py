"""What a message needs SMTPUTF8 for, and what it can do without (RFC 6531 §3.2, RFC 5891 §4.4). Pure."""

from __future__ import annotations

import re
import unicodedata

LABEL_OCTETS_MAX = 63  # RFC 1035 §2.3.4
PARTS_MAX = 10_000  # a message with more is taken to need it

_BOUNDARY = re.compile(rb'boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)


def ascii_domain(domain: str) -> str | None:
    """Return a domain with A-labels in the place of its U-labels; None where there is no such domain."""
    if domain.isascii():
        return domain
    labels = [label if label.isascii() else _a_label(label) for label in domain.split(".")]
    return ".".join(labels) if all(0 < len(label) <= LABEL_OCTETS_MAX for label in labels) else None


def _a_label(label: str) -> str:
    """Return the A-label of a U-label; '' for what only looks like an ASCII label, as one with a Kelvin sign does."""
    folded = unicodedata.normalize("NFC", label.lower())
    return "" if folded.isascii() else f"xn--{folded.encode('punycode').decode('ascii')}"


def ascii_address(address: str) -> str | None:
    """Return an address in ASCII, which its domain alone may be rewritten for; None where that is not enough."""
    if address.isascii():
        return address
    local_part, _, domain = address.rpartition("@")
    rewritten = ascii_domain(domain)
    return f"{local_part}@{rewritten}" if local_part.isascii() and rewritten is not None else None


def has_utf8_fields(content: bytes) -> bool:
    """Tell whether a header field, of the message or of one of its MIME parts, is not ASCII (RFC 6532 §3)."""
    header, rest = _split(content, 0)
    if not header.isascii():
        return True
    boundaries = _boundaries(header)
    if not boundaries or content.isascii():
        return False
    at = content.find(b"\r\n--", max(0, rest - 2))
    for _ in range(PARTS_MAX):
        if at < 0:
            return False
        end = content.find(b"\r\n", at + 2)
        if end < 0:
            return False
        if content[at + 4 : end].rstrip(b" \t") in boundaries:
            header, end = _split(content, end + 2)
            if not header.isascii():
                return True
            boundaries |= _boundaries(header)
        at = content.find(b"\r\n--", max(at + 2, end - 2))
    return True


def _split(content: bytes, start: int) -> tuple[bytes, int]:
    """Return the header section that begins there, and where its body begins."""
    if content.startswith(b"\r\n", start):
        return b"", start + 2
    end = content.find(b"\r\n\r\n", start)
    return (content[start:], len(content)) if end < 0 else (content[start : end + 2], end + 4)


def _boundaries(header: bytes) -> set[bytes]:
    return {quoted or plain for quoted, plain in _BOUNDARY.findall(header)}
